/** Lets one loop sleep until something has changed, without missing what changes while it is busy. */

export class Wakeups {
  readonly #signal: AbortSignal;
  #due = false;
  #sleeper: (() => void) | undefined;

  /** @param signal ends every sleep. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.wake(), { once: true });
  }

  /** Ends the sleep, or the next one before it begins. */
  wake(): void {
    this.#due = true;
    this.#sleeper?.();
  }

  /** Resolves once {@link wake} was called since the last time, or the signal has fired. */
  async next(): Promise<void> {
    if (!this.#due && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#sleeper = resolve;
      });
    }
    this.#sleeper = undefined;
    this.#due = false;
  }
}
