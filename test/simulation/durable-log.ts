/** What one process has made durable: the entries that its Readies handed over, kept apart from the core's own log. */
import type { Entry, EntryId, Snapshot } from "../../src/core/raft/index.ts";

/** A log behind a base; unlike the core's it is never compacted, only replaced by a snapshot. */
export class DurableLog {
  #base: EntryId;
  #entries: Entry[] = [];

  constructor(base: EntryId) {
    this.#base = { term: base.term, index: base.index };
  }

  get base(): EntryId {
    return this.#base;
  }
  get lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }
  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#base.term;
  }

  /** Undefined outside of the log. */
  termAt(index: number): number | undefined {
    if (index === this.#base.index) return this.#base.term;
    return this.#entries[index - this.#base.index - 1]?.term;
  }

  entryAt(index: number): Entry | undefined {
    return this.#entries[index - this.#base.index - 1];
  }

  /** Appends; the first entry may replace what is stored at its index and after. */
  store(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    const keep = first.index - this.#base.index - 1;
    if (keep < this.#entries.length) this.#entries.length = keep;
    for (const entry of entries) this.#entries.push(entry);
  }

  restore({ term, index }: Snapshot): void {
    this.#base = { term, index };
    this.#entries = [];
  }
}
