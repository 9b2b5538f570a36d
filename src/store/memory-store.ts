/** A store in memory, for tests and development. Several stores over one {@link MemoryBacking} see the same contents. */
import type { Sha256 } from "../core/brand.ts";
import { equalBytes } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { bounded } from "./bounded.ts";
import {
  assertDocumentFits,
  assertRecordFits,
  headAt,
  sha256,
  verifiedDocument,
} from "./content.ts";
import type { CallOptions, Head, Store, SwapOutcome, Watch } from "./store.ts";
import { wakeup } from "./wakeup.ts";

/** The shared contents. Public, so that a test can play a store that loses, forges or rolls back. */
export class MemoryBacking {
  /** The head's value; `undefined` before the first swap. Set it through {@link setHead}. */
  head: Head | undefined;
  readonly documents = new Map<Sha256, Uint8Array>();
  readonly listeners = new Set<() => void>();
  #revision = 0;

  /** Replaces the head, without any comparison, and wakes every watch. `undefined` removes it. */
  setHead(value: Uint8Array | undefined): void {
    this.#revision++;
    this.head = value === undefined ? undefined : headAt(String(this.#revision), value.slice());
    for (const listener of [...this.listeners]) listener();
  }
}

/** @see Store */
export class MemoryStore implements Store {
  readonly description = "memory (lost when the process ends)";
  readonly #backing: MemoryBacking;
  readonly #watches = new Set<Watch>();
  #closed = false;

  constructor(backing: MemoryBacking = new MemoryBacking()) {
    this.#backing = backing;
  }

  readHead(options: CallOptions = {}): Promise<Head | undefined> {
    return this.#run("reading the head", options, () => this.#copyOfHead());
  }

  swapHead(
    expected: Head | undefined,
    next: Uint8Array,
    options: CallOptions = {},
  ): Promise<SwapOutcome> {
    return this.#run("swapping the head", options, () => {
      assertRecordFits(next);
      const { head } = this.#backing;
      if (head?.version === expected?.version && !(head && equalBytes(head.value, next))) {
        this.#backing.documents.set(sha256(next), next.slice());
        this.#backing.setHead(next);
      }
      const now = this.#copyOfHead();
      return now && equalBytes(now.value, next)
        ? { outcome: "committed", head: now }
        : { outcome: "conflict", head: now };
    });
  }

  putDocument(bytes: Uint8Array, options: CallOptions = {}): Promise<Sha256> {
    return this.#run("putting a document", options, () => {
      assertDocumentFits(bytes);
      const hash = sha256(bytes);
      this.#backing.documents.set(hash, bytes.slice());
      return hash;
    });
  }

  getDocument(hash: Sha256, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    return this.#run("getting a document", options, () => {
      const bytes = this.#backing.documents.get(hash);
      return bytes && verifiedDocument(hash, bytes.slice());
    });
  }

  watchHead(listener: () => void, options: CallOptions = {}): Promise<Watch> {
    return this.#run("starting a watch", options, () => {
      const target = wakeup(listener);
      const watch: Watch = {
        close: () => {
          target.close();
          this.#backing.listeners.delete(target.wake);
          this.#watches.delete(watch);
          return Promise.resolve();
        },
      };
      this.#backing.listeners.add(target.wake);
      this.#watches.add(watch);
      return watch;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#watches].map((watch) => watch.close()));
  }

  #copyOfHead(): Head | undefined {
    const { head } = this.#backing;
    return head && { value: head.value.slice(), version: head.version };
  }

  #run<T>(what: string, options: CallOptions, operation: () => T): Promise<T> {
    return bounded(what, options, async (call) => {
      // A real store answers later, never in the caller's own turn.
      await Promise.resolve();
      call.assertWaiting();
      if (this.#closed) throw new QuorateError("store-unavailable", "the store is closed");
      return operation();
    });
  }
}
