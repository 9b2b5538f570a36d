/** When to obtain credentials: at start, at the time the coordinator names, when the history moves, and after failures. */
import { QuorateError } from "../core/errors.ts";
import { Backoff } from "../core/backoff.ts";

/** What one issuance tells the loop. */
export interface Issued {
  /** Milliseconds since the Unix epoch. */
  readonly renewAt: number;
  readonly notAfter: number;
  /** The record under which it was issued. */
  readonly recordHash: string;
}

/** What the loop needs from the outside. */
export interface RenewalPorts {
  /** Obtains new credentials and puts them in place. */
  renew(signal: AbortSignal): Promise<Issued>;
  /**
   * Calls `moved` with the hash of the record in force, at once and whenever it changes, until the signal aborts or the
   * stream ends; then settles.
   */
  watch(moved: (recordHash: string) => void, signal: AbortSignal): Promise<void>;
  /** Reports a failure that will be tried again in `retryMillis`. */
  failed(what: "renewal" | "watch", error: Error, retryMillis: number): void;
  now(): number;
  /** A number in [0, 1), for jitter. */
  random(): number;
}

/** First and longest delay between two attempts, in milliseconds. */
const RETRY_FIRST_MILLIS = 250;
const RETRY_MAX_MILLIS = 30_000;
/** The longest delay that a Node timer holds; a later date is reached in steps. */
const TIMER_MAX_MILLIS = 2 ** 31 - 1;

/**
 * Renews until `signal` aborts.
 *
 * A refusal by the coordinator (`attestation-failed`, `not-authorised`) is tried again like any other failure, only
 * more slowly: the next manifest may admit this workload.
 */
export async function keepRenewed(ports: RenewalPorts, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff(RETRY_FIRST_MILLIS, RETRY_MAX_MILLIS, () => ports.random());
  const moved = new Wakeup();
  let current: Issued | undefined;
  let newestRecord: string | undefined;
  const watching = keepWatching(ports, signal, (recordHash) => {
    newestRecord = recordHash;
    if (recordHash !== current?.recordHash) moved.wake();
  });

  while (!signal.aborted) {
    let wait: number;
    try {
      current = await ports.renew(signal);
      backoff.reset();
      // News that came while we asked is old if it is of the record that we got; else it ends the wait at once.
      if (newestRecord === current.recordHash) moved.forget();
      wait = current.renewAt - ports.now();
    } catch (cause) {
      if (signal.aborted) break;
      wait = isRefusal(cause) ? RETRY_MAX_MILLIS : backoff.next();
      ports.failed("renewal", asError(cause), wait);
    }
    await moved.wait(Math.min(Math.max(wait, 0), TIMER_MAX_MILLIS), signal);
  }
  await watching;
}

/** True if the coordinator understood and said no. */
export function isRefusal(cause: unknown): boolean {
  return (
    cause instanceof QuorateError &&
    (cause.code === "attestation-failed" || cause.code === "not-authorised")
  );
}

async function keepWatching(
  ports: RenewalPorts,
  signal: AbortSignal,
  moved: (recordHash: string) => void,
): Promise<void> {
  const backoff = new Backoff(RETRY_FIRST_MILLIS, RETRY_MAX_MILLIS, () => ports.random());
  while (!signal.aborted) {
    let wait = RETRY_FIRST_MILLIS;
    try {
      await ports.watch((recordHash) => {
        backoff.reset();
        moved(recordHash);
      }, signal);
    } catch (cause) {
      if (signal.aborted) return;
      wait = isRefusal(cause) ? RETRY_MAX_MILLIS : backoff.next();
      ports.failed("watch", asError(cause), wait);
    }
    await new Wakeup().wait(wait, signal);
  }
}

/** A wait that ends early when woken; a wake-up that comes before the wait is kept for it. */
class Wakeup {
  #pending = false;
  #release: (() => void) | undefined;

  wake(): void {
    this.#pending = true;
    this.#release?.();
  }

  forget(): void {
    this.#pending = false;
  }

  async wait(millis: number, signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", finish);
          this.#release = undefined;
          resolve();
        };
        const timer = setTimeout(finish, millis);
        signal.addEventListener("abort", finish);
        this.#release = finish;
      });
    }
    this.#pending = false;
  }
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
