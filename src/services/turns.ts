/** Spreads the work of many calls over turns of the event loop, so that heartbeats and handshakes get theirs between. */

/**
 * Lets a bounded number of steps start in one turn of the event loop; the others start in the turns after, in order.
 * While there are fewer, nothing is delayed.
 */
export class Turns {
  readonly #stepsMax: number;
  /** Steps of this turn. Not 0 exactly if the next turn is arranged. */
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param stepsMax of one turn; at most two turns' steps come right after each other. */
  constructor(stepsMax: number) {
    this.#stepsMax = stepsMax;
  }

  /** Waits until a step may start. Whoever calls bounds how many wait. */
  async take(): Promise<void> {
    if (this.#taken === 0) setImmediate(this.#turn);
    if (this.#taken < this.#stepsMax) this.#taken++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  readonly #turn = (): void => {
    const next = this.#waiting.splice(0, this.#stepsMax);
    this.#taken = next.length;
    if (next.length > 0) setImmediate(this.#turn);
    for (const start of next) start();
  };
}
