/** How long to wait before trying again. */

/** Delays that double from `firstMillis` up to `maxMillis`, each drawn from its upper half so that many callers spread. */
export class Backoff {
  readonly #firstMillis: number;
  readonly #maxMillis: number;
  readonly #random: () => number;
  #failures = 0;

  /** @param random a number in [0, 1); not security-relevant. */
  constructor(firstMillis: number, maxMillis: number, random: () => number) {
    this.#firstMillis = firstMillis;
    this.#maxMillis = maxMillis;
    this.#random = random;
  }

  /** The delay after one more failure, in milliseconds. */
  next(): number {
    const full = Math.min(this.#maxMillis, this.#firstMillis * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.round(full * (0.5 + this.#random() / 2));
  }

  /** Call after a success. */
  reset(): void {
    this.#failures = 0;
  }
}
