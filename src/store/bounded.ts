/** A deadline and an abort signal around an operation that may itself be impossible to interrupt. */
import { QuorateError } from "../core/errors.ts";
import { STORE_TIMEOUT_MS } from "../core/limits.ts";
import type { CallOptions } from "./store.ts";

/** The running operation's view of its own deadline. */
export interface Call {
  /** Throws what the caller was told, once the caller is no longer waiting: nothing must be begun after that. */
  assertWaiting(): void;
  /** Milliseconds until the deadline, at least 1. */
  remainingMs(): number;
}

/**
 * Runs `operation`; when the deadline passes (`deadline-exceeded`) or the signal fires (`cancelled`) the caller's wait
 * ends at once with what `whenLate` makes of the error, while the operation itself ends at its next
 * {@link Call.assertWaiting}.
 *
 * @param what completes the sentence "… took longer than 5000 ms".
 * @param whenLate the result of a wait that ended early. @default throws the error
 */
export async function bounded<T>(
  what: string,
  options: CallOptions,
  operation: (call: Call) => Promise<T>,
  whenLate: (error: QuorateError) => T = (error) => {
    throw error;
  },
): Promise<T> {
  const { signal, timeoutMs = STORE_TIMEOUT_MS } = options;
  if (signal?.aborted === true) throw cancelled(what, signal);
  if (timeoutMs <= 0) throw late(what, timeoutMs);

  const end = performance.now() + timeoutMs;
  let ended: QuorateError | undefined;
  const call: Call = {
    assertWaiting: () => {
      if (ended !== undefined) throw ended;
    },
    remainingMs: () => Math.max(1, Math.ceil(end - performance.now())),
  };
  return new Promise<T>((resolve, reject) => {
    const stop = (error: QuorateError): void => {
      ended = error;
      settle();
      try {
        resolve(whenLate(error));
      } catch (thrown) {
        reject(thrown);
      }
    };
    const timer = setTimeout(() => stop(late(what, timeoutMs)), timeoutMs);
    const onAbort = (): void => stop(cancelled(what, signal));
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    operation(call).then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}

function late(what: string, timeoutMs: number): QuorateError {
  return new QuorateError("deadline-exceeded", `${what} took longer than ${timeoutMs} ms`);
}

function cancelled(what: string, signal: AbortSignal | undefined): QuorateError {
  return new QuorateError("cancelled", `${what} was cancelled`, { cause: signal?.reason });
}
