/** Lets a few tasks run at a time, the others wait in order. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param width tasks that may run at a time. */
  constructor(width: number) {
    this.#free = width;
  }

  /** Runs `task` when there is room. Whoever calls bounds how many wait. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      // The room goes straight to the next one, so that nobody who comes now overtakes it.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
