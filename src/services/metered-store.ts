/** Counts what a store does. */
import type { Sha256 } from "../core/brand.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { CallOptions, Head, Store, SwapOutcome, Watch } from "../store/store.ts";

/** A store that counts its operations and their outcomes. */
export class MeteredStore implements Store {
  readonly #store: Store;
  readonly #metrics: Metrics;

  constructor(store: Store, metrics: Metrics) {
    this.#store = store;
    this.#metrics = metrics;
  }

  get description(): string {
    return this.#store.description;
  }

  readHead(options?: CallOptions): Promise<Head | undefined> {
    return this.#count("read-head", this.#store.readHead(options));
  }

  swapHead(
    expected: Head | undefined,
    next: Uint8Array,
    options?: CallOptions,
  ): Promise<SwapOutcome> {
    return this.#count("swap-head", this.#store.swapHead(expected, next, options), ({ outcome }) =>
      outcome === "committed" ? "ok" : outcome,
    );
  }

  putDocument(bytes: Uint8Array, options?: CallOptions): Promise<Sha256> {
    return this.#count("put-document", this.#store.putDocument(bytes, options));
  }

  getDocument(hash: Sha256, options?: CallOptions): Promise<Uint8Array | undefined> {
    return this.#count("get-document", this.#store.getDocument(hash, options));
  }

  watchHead(listener: () => void, options?: CallOptions): Promise<Watch> {
    return this.#store.watchHead(listener, options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #count<T>(
    operation: string,
    running: Promise<T>,
    outcomeOf: (result: T) => string = () => "ok",
  ): Promise<T> {
    try {
      const result = await running;
      this.#metrics.storeOperations.inc({ operation, outcome: outcomeOf(result) });
      return result;
    } catch (cause) {
      this.#metrics.storeOperations.inc({ operation, outcome: "error" });
      throw cause;
    }
  }
}
