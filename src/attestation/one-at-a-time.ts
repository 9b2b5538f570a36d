/** Requests to a device that serves one at a time: in order, bounded, each with its own deadline. */
import { QuorateError } from "../core/errors.ts";
import { QUOTES_WAITING_MAX, QUOTE_TIMEOUT_MS } from "../core/limits.ts";
import { type QuoteOptions, quoteAborted } from "./quoter.ts";

/** See the file's comment. */
export class OneAtATime {
  #waiting = 0;
  #tail: Promise<unknown> = Promise.resolve();

  /**
   * Runs `request` when all earlier ones have ended; it must end soon after its signal fires.
   * Whoever aborts or times out gets the error at once, waiting or running.
   *
   * Fails with `resource-exhausted` if too many wait, `deadline-exceeded`, `cancelled`, or as `request` does.
   */
  async run<T>(options: QuoteOptions, request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#waiting >= QUOTES_WAITING_MAX) {
      throw new QuorateError("resource-exhausted", "too many quotes are waiting already", {
        hint: "repeat the call in a moment",
      });
    }
    const timeout = AbortSignal.timeout(options.timeoutMs ?? QUOTE_TIMEOUT_MS);
    const signal =
      options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
    this.#waiting += 1;
    const turn = this.#tail.then(() => {
      if (signal.aborted) throw quoteAborted(signal);
      return request(signal);
    });
    // The next one waits until this one has let go of the device, also if its caller has left before.
    this.#tail = turn.then(settle, settle).then(() => (this.#waiting -= 1));
    return untilAborted(turn, signal);
  }
}

function settle(): void {
  // The outcome is the caller's business; the queue only needs the end.
}

/** What `promise` gives, or the abort's error if that comes first. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(quoteAborted(signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
