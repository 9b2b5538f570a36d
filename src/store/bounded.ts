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
  let stop: (error: QuorateError) => void = () => undefined;
  const ending = new Promise<never>((_, reject) => {
    stop = (error) => {
      ended = error;
      reject(error);
    };
  });
  const timer = setTimeout(() => stop(late(what, timeoutMs)), timeoutMs);
  const onAbort = (): void => stop(cancelled(what, signal));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const call: Call = {
      assertWaiting: () => {
        if (ended !== undefined) throw ended;
      },
      remainingMs: () => Math.max(1, Math.ceil(end - performance.now())),
    };
    return await Promise.race([operation(call), ending]);
  } catch (error) {
    if (ended !== undefined && error === ended) return whenLate(ended);
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function late(what: string, timeoutMs: number): QuorateError {
  return new QuorateError("deadline-exceeded", `${what} took longer than ${timeoutMs} ms`);
}

function cancelled(what: string, signal: AbortSignal | undefined): QuorateError {
  return new QuorateError("cancelled", `${what} was cancelled`, { cause: signal?.reason });
}
