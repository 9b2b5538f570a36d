/**
 * What Quorate asks of a store: one mutable head, changed by compare-and-swap only, and documents that never change.
 *
 * A store is needed for availability and, where the design says so, as the one place that orders takeovers. It is not
 * trusted: it may lose, delay, roll back, fork or forge. An implementation therefore reports what it finds, byte for
 * byte; what that means is decided in `core/history`.
 *
 * Every operation fails with `store-unavailable` (also once the store is closed), `deadline-exceeded`, `cancelled` or
 * one of the codes that it names. A failure of {@link Store.swapHead} that is thrown is definite: nothing happened.
 */
import type { Brand, Sha256 } from "../core/brand.ts";

/**
 * Names one state of the head: the store's own revision together with the SHA-256 of the value, because a store that
 * was restored from a backup counts its revisions again. Opaque, and comparable with `===` within one store only.
 */
export type HeadVersion = Brand<string, "HeadVersion">;

/** The newest record as the store shows it. */
export interface Head {
  /**
   * The exact bytes found: a signed record if all is well. They may be truncated, foreign or empty; a caller parses
   * and verifies them, and can swap them for a good record.
   */
  readonly value: Uint8Array;
  readonly version: HeadVersion;
}

/** Bounds one operation. */
export interface CallOptions {
  /** Ends the wait early (`cancelled`). */
  readonly signal?: AbortSignal | undefined;
  /** Longest wait in milliseconds (`deadline-exceeded`). @default STORE_TIMEOUT_MS */
  readonly timeoutMs?: number | undefined;
}

/** What became of a compare-and-swap. */
export type SwapOutcome =
  /** The head is durably `next`, by this call or by an earlier identical one. */
  | { readonly outcome: "committed"; readonly head: Head }
  /**
   * The head is neither `expected` nor `next`, so this swap can't take effect any more. If an earlier attempt of the
   * same swap was ambiguous, it may have taken effect and been succeeded since: then `next` is an ancestor of `head`.
   */
  | { readonly outcome: "conflict"; readonly head: Head | undefined }
  /**
   * The swap may have taken effect, or may still do so later. Stays unknown until the head has moved off `expected` or
   * the identical swap, repeated, gives one of the other outcomes.
   */
  | { readonly outcome: "unknown"; readonly cause: Error };

/** A running watch. */
export interface Watch {
  /** Stops it: the listener is not called again. Idempotent. */
  close(): Promise<void>;
}

export interface Store {
  /** Names the store for people, e.g. in status: kind and place, no credentials. */
  readonly description: string;

  /**
   * The head now, `undefined` if there has never been one. Linearizable: it sees every swap that was reported as
   * committed before the call began, and what it reports is durable.
   *
   * Fails with `store-corrupt`, `store-foreign`, `store-permission`, `store-full`.
   *
   * **Security:** the freshness of every issued certificate rests on this read having begun after the request.
   */
  readHead(options?: CallOptions): Promise<Head | undefined>;

  /**
   * Makes `next` the head if the head is still `expected` (same version and same value), durably, and keeps `next` as a
   * document too, so that `getDocument(sha256(next))` finds it for ever after. Values must be unique in the history
   * (records name their author and predecessor): a head that already equals `next` counts as this swap, committed.
   *
   * @param expected what {@link readHead} reported; `undefined` to create the first head.
   * @param next 1 to RECORD_BYTES_MAX bytes.
   *
   * Throws only if nothing happened and nothing will: `too-large`, `store-full`, `store-permission`, `store-corrupt`,
   * `store-foreign`, or one of the codes that every operation has.
   */
  swapHead(
    expected: Head | undefined,
    next: Uint8Array,
    options?: CallOptions,
  ): Promise<SwapOutcome>;

  /**
   * Keeps `bytes` durably under their SHA-256, which it returns. Idempotent; a damaged copy is replaced by the good one.
   * Fails with `too-large` (over DOCUMENT_BYTES_MAX), `store-full`, `store-permission`, `store-corrupt`, `store-foreign`.
   */
  putDocument(bytes: Uint8Array, options?: CallOptions): Promise<Sha256>;

  /**
   * The document with this SHA-256, or `undefined` if the store doesn't have it. Fails with `store-corrupt` if what the
   * store has under that name are other bytes; also with `store-foreign`, `store-permission`.
   *
   * **Security:** the bytes returned have this hash, whatever the store did.
   */
  getDocument(hash: Sha256, options?: CallOptions): Promise<Uint8Array | undefined>;

  /**
   * Calls `listener` some time after every change of the head that happens once the promise is fulfilled, until the watch
   * or the store is closed. It only says *read the head again*: several changes may be one call, a call may come without
   * a change, and after a lost connection or another error of the store one comes as soon as that is noticed. The
   * listener must not throw.
   */
  watchHead(listener: () => void, options?: CallOptions): Promise<Watch>;

  /** Ends all watches, then frees everything. Operations in flight fail or finish. Idempotent. */
  close(): Promise<void>;
}
