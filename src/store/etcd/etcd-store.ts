/**
 * A store in etcd 3.4 or newer. Keys: `PREFIX/1/head` and `PREFIX/1/documents/SHA256`; the 1 is this layout's version.
 *
 * Reads are linearizable. A swap is one transaction that compares the head's mod revision **and** its value, because
 * restoring a snapshot rewinds revisions, and writes head and record's document together.
 */
import type { CallOptions as RequestOptions } from "@grpc/grpc-js";
import type { Etcd3, ICompare, IKeyValue, IRangeResponse } from "etcd3";
import type { Sha256 } from "../../core/brand.ts";
import { equalBytes } from "../../core/bytes.ts";
import { QuorateError } from "../../core/errors.ts";
import { RECORD_BYTES_MAX } from "../../core/limits.ts";
import { bounded } from "../bounded.ts";
import {
  assertDocumentFits,
  assertRecordFits,
  headAt,
  revisionOf,
  sha256,
  verifiedDocument,
} from "../content.ts";
import type { CallOptions, Head, Store, SwapOutcome, Watch } from "../store.ts";
import { wakeup } from "../wakeup.ts";
import { Endpoints, type EtcdAddress, type EtcdCall } from "./endpoints.ts";
import { refusalOf } from "./etcd-error.ts";
import { watchKey } from "./key-watch.ts";

export type { EtcdAddress } from "./endpoints.ts";

/** Connects when first used, so that a coordinator can start while etcd is away. */
export class EtcdStore implements Store {
  readonly description: string;
  readonly #endpoints: Endpoints;
  readonly #prefix: string;
  readonly #unreachableHint: string;
  readonly #headKey: Buffer;
  readonly #watches = new Set<Watch>();
  #closed = false;

  /** @param prefix keeps several deployments in one etcd apart; without slashes at its ends. */
  constructor(address: EtcdAddress, prefix: string) {
    this.description = `etcd ${address.endpoints.join(",")}, prefix ${prefix}`;
    this.#endpoints = new Endpoints(address);
    this.#prefix = `${prefix}/1`;
    this.#headKey = Buffer.from(`${this.#prefix}/head`);
    this.#unreachableHint = UNREACHABLE_HINTS[address.tls === undefined ? "plain" : "tls"];
  }

  readHead(options: CallOptions = {}): Promise<Head | undefined> {
    return this.#run("reading the head", options, (call) => this.#readHead(call));
  }

  swapHead(
    expected: Head | undefined,
    next: Uint8Array,
    options: CallOptions = {},
  ): Promise<SwapOutcome> {
    const progress = { mayHaveHappened: false };
    return this.#run(
      "swapping the head",
      options,
      (call) => this.#swap(call, expected, Buffer.from(next), progress),
      (cause) => {
        if (!progress.mayHaveHappened) throw cause;
        return { outcome: "unknown", cause };
      },
    );
  }

  putDocument(bytes: Uint8Array, options: CallOptions = {}): Promise<Sha256> {
    return this.#run("putting a document", options, async (call) => {
      assertDocumentFits(bytes);
      const value = Buffer.from(bytes);
      const hash = sha256(value);
      const key = this.#documentKey(hash);
      const { succeeded, responses } = await this.#endpoints.ask(call, ({ kv }, request) =>
        kv.txn(
          {
            compare: [{ key, target: "Version", result: "Equal", version: 0 }],
            success: [{ request_put: { key, value } }],
            failure: [{ request_range: { key } }],
          },
          request,
        ),
      );
      const found = responses[0]?.response_range?.kvs[0]?.value;
      if (!succeeded && !(found && equalBytes(found, value)))
        await this.#endpoints.ask(call, ({ kv }, request) => kv.put({ key, value }, request));
      return hash;
    });
  }

  getDocument(hash: Sha256, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    return this.#run("getting a document", options, async (call) => {
      const found = await this.#get(call, this.#documentKey(hash));
      return found && verifiedDocument(hash, new Uint8Array(found.value));
    });
  }

  watchHead(listener: () => void, options: CallOptions = {}): Promise<Watch> {
    const target = wakeup(listener);
    let stop: () => void = () => undefined;
    const watch: Watch = {
      close: () => {
        stop();
        target.close();
        this.#watches.delete(watch);
        return Promise.resolve();
      },
    };
    return this.#run(
      "starting a watch",
      options,
      async (call) => {
        // Says at once, and with its reason, that etcd can't be reached or refuses.
        await this.#readHead(call);
        call.assertWaiting();
        const look = (): Promise<string> => this.#lookAtHead();
        const watching = watchKey(this.#endpoints, this.#headKey, look, target.wake);
        stop = watching.close;
        this.#watches.add(watch);
        await watching.started;
        this.#assertOpen();
        return watch;
      },
      (error) => {
        void watch.close();
        throw error;
      },
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#watches].map((watch) => watch.close()));
    this.#endpoints.close();
  }

  async #swap(
    call: EtcdCall,
    expected: Head | undefined,
    next: Buffer,
    progress: { mayHaveHappened: boolean },
  ): Promise<SwapOutcome> {
    assertRecordFits(next);
    const key = this.#headKey;
    const transaction = {
      compare: isStill(key, expected),
      success: [
        { request_put: { key: this.#documentKey(sha256(next)), value: next } },
        { request_put: { key, value: next } },
      ],
      failure: [{ request_range: { key } }],
    };
    /** What is certain once the head is seen: nothing, `undefined`, while it is the expected one. */
    const settled = (head: Head | undefined): SwapOutcome | undefined => {
      if (head !== undefined && equalBytes(head.value, next)) return { outcome: "committed", head };
      return head?.version === expected?.version ? undefined : { outcome: "conflict", head };
    };

    // An etcd that can't be reached at all fails here, where it is certain that nothing happened.
    const before = settled(await this.#readHead(call));
    if (before !== undefined) return before;
    try {
      return await this.#endpoints.ask<SwapOutcome>(
        call,
        async ({ kv }, request) => {
          const { succeeded, header, responses } = await attempt(progress, () =>
            kv.txn(transaction, request),
          );
          if (succeeded) return { outcome: "committed", head: headAt(header.revision, copy(next)) };
          const head = headOf(responses[0]?.response_range);
          return settled(head) ?? { outcome: "conflict", head };
        },
        // The failed attempt may have had its effect, or have it yet. Repeating it is safe: all attempts compare the
        // same revision, so that only one of them can succeed.
        async () => settled(await this.#readHead(call)),
      );
    } catch (error) {
      if (!progress.mayHaveHappened || !(error instanceof Error)) throw error;
      return { outcome: "unknown", cause: error };
    }
  }

  async #readHead(call: EtcdCall): Promise<Head | undefined> {
    const response = await this.#endpoints.ask(call, rangeOf(this.#headKey));
    return headOf(response);
  }

  async #get(call: EtcdCall, key: Buffer): Promise<IKeyValue | undefined> {
    return (await this.#endpoints.ask(call, rangeOf(key))).kvs[0];
  }

  #documentKey(hash: Sha256): Buffer {
    return Buffer.from(`${this.#prefix}/documents/${hash}`);
  }

  /** What a watch compares. */
  async #lookAtHead(): Promise<string> {
    try {
      return (await this.readHead())?.version ?? "none";
    } catch (error) {
      return error instanceof QuorateError ? error.code : String(error);
    }
  }

  #run<T>(
    what: string,
    options: CallOptions,
    operation: (call: EtcdCall) => Promise<T>,
    whenLate: (error: QuorateError) => T = (error) => {
      throw error;
    },
  ): Promise<T> {
    let running: EtcdCall | undefined;
    return bounded(
      what,
      options,
      async (call) => {
        this.#assertOpen();
        running = call;
        return operation(call);
      },
      (error) => whenLate(withReason(error, running?.lastFailure, this.#unreachableHint)),
    );
  }

  #assertOpen(): void {
    if (this.#closed) throw new QuorateError("store-unavailable", "the store is closed");
  }
}

/** Notes whether the swap may have happened: certainly not if its first attempt was refused. */
async function attempt<T>(
  progress: { mayHaveHappened: boolean },
  request: () => Promise<T>,
): Promise<T> {
  const { mayHaveHappened } = progress;
  progress.mayHaveHappened = true;
  try {
    return await request();
  } catch (error) {
    if (refusalOf(error) !== undefined) progress.mayHaveHappened = mayHaveHappened;
    throw error;
  }
}

/** Compares that hold while the head is still `expected`. */
function isStill(key: Buffer, expected: Head | undefined): ICompare[] {
  if (expected === undefined) return [{ key, target: "Version", result: "Equal", version: 0 }];
  const mod_revision = revisionOf(expected.version);
  const compares: ICompare[] = [{ key, target: "Mod", result: "Equal", mod_revision }];
  // What is no record may be larger than a request to etcd. Its hash was compared when it was read just before.
  if (expected.value.length <= RECORD_BYTES_MAX)
    compares.push({ key, target: "Value", result: "Equal", value: Buffer.from(expected.value) });
  return compares;
}

function rangeOf(key: Buffer) {
  return ({ kv }: Etcd3, request: RequestOptions): Promise<IRangeResponse> =>
    // Not serializable, so linearizable: etcd confirms with a majority that this is the newest state.
    kv.range({ key, serializable: false }, request);
}

function headOf(response: IRangeResponse | undefined): Head | undefined {
  const found = response?.kvs[0];
  return found && headAt(found.mod_revision, copy(found.value));
}

/** Received bytes are views into larger buffers. */
function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

const UNREACHABLE = "check that etcd runs, has a leader and can be reached at its endpoints";
const UNREACHABLE_HINTS = {
  plain: `${UNREACHABLE}, and that it does not expect TLS (etcds://)`,
  tls: `${UNREACHABLE}, and that --etcd-ca, --etcd-cert and --etcd-server-name fit it`,
};

/** A deadline that passed because etcd can't be reached says so. */
function withReason(error: QuorateError, lastFailure: unknown, hint: string): QuorateError {
  if (error.code !== "deadline-exceeded" || !(lastFailure instanceof Error)) return error;
  return new QuorateError("store-unavailable", `${error.message}: ${lastFailure.message}`, {
    hint,
    cause: lastFailure,
  });
}
