/** Shares reads among waiting callers without ever answering one with a read that began before it asked. */

/**
 * Runs `read` in rounds, one at a time. A caller joins only a round that has not been sent yet, so that what it gets was
 * read after it asked; any number of callers share a round.
 *
 * **Security:** this is the "two reads that started after the request" of the freshness rule. If a caller could join a
 * round under way, a certificate could be issued under a manifest that was superseded before it was asked for.
 */
export class BatchedRead<T> {
  readonly #read: () => Promise<T>;
  #current: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  /** @param read bounds its own time. */
  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  /** The outcome of a round that starts after this call. Rejects as that round does. */
  run(): Promise<T> {
    // The next round may be waiting for its turn although the one before it has ended: it is the one to join.
    if (this.#next !== undefined) return this.#next;
    if (this.#current === undefined) return this.#start();
    const start = (): Promise<T> => {
      this.#next = undefined;
      return this.#start();
    };
    this.#next = this.#current.then(start, start);
    return this.#next;
  }

  #start(): Promise<T> {
    const round = this.#read();
    this.#current = round;
    const end = (): void => {
      if (this.#current === round) this.#current = undefined;
    };
    round.then(end, end);
    return round;
  }
}
