/** The trace of a run: a hash over all of it, and the last events as text. */
import { mix } from "./register-machine.ts";

/** Something that happened; `describe` makes its line, for the few that are ever shown. */
interface TraceEvent {
  timeMicros: number;
  describe: () => string;
}

/** Remembers the last events, and hashes what identifies each. */
export class Trace {
  readonly #capacity: number;
  readonly #last: TraceEvent[] = [];
  #lines = 0;
  #hash = 0;
  #otherHash = 1;

  /** @param capacity events to remember. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** 64 bits in hex that depend on every event's time and numbers, and on their order. */
  get hash(): string {
    const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, "0");
    return hex(this.#hash) + hex(this.#otherHash);
  }

  /** Hashes an event that is not worth a line: when, what, who, and one more number of it. */
  hashOnly(timeMicros: number, what: number, who: number, detail: number): void {
    const hash = mix(mix(mix(mix(this.#hash, timeMicros), what), who), detail);
    this.#hash = hash;
    this.#otherHash = (Math.imul(this.#otherHash, 0x0100_0193) ^ hash) | 0;
  }

  /** Notes an event: `describe` makes its line. */
  add(timeMicros: number, describe: () => string): void {
    const slot = this.#lines++ % this.#capacity;
    const event = this.#last[slot];
    if (event === undefined) {
      this.#last[slot] = { timeMicros, describe };
    } else {
      event.timeMicros = timeMicros;
      event.describe = describe;
    }
  }

  /** The last events, oldest first. */
  lines(): string[] {
    const split = this.#lines % this.#capacity;
    const ordered = [...this.#last.slice(split), ...this.#last.slice(0, split)];
    return ordered.map(
      ({ timeMicros, describe }) =>
        `${(timeMicros / 1e6).toFixed(6).padStart(11)} s  ${describe()}`,
    );
  }
}
