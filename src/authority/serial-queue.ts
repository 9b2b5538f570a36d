/** One at a time, in order of arrival, with a bound on how many wait. */
import { QuorateError } from "../core/errors.ts";

/** Runs tasks one after another. */
export class SerialQueue {
  readonly #waitingMax: number;
  #waiting = 0;
  #tail: Promise<unknown> = Promise.resolve();

  /** @param waitingMax tasks that may wait or run; one more fails with `resource-exhausted`. */
  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /** True while a task runs or waits. */
  get isBusy(): boolean {
    return this.#waiting > 0;
  }

  /** Runs `task` after all earlier ones have settled, whatever became of them. */
  run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#waitingMax) {
      return Promise.reject(
        new QuorateError("resource-exhausted", "too many changes are waiting already", {
          hint: "repeat the call in a moment",
        }),
      );
    }
    this.#waiting += 1;
    const outcome = this.#tail.then(task).finally(() => (this.#waiting -= 1));
    this.#tail = outcome.catch(() => undefined);
    return outcome;
  }
}
