/** The state machine of the scenarios: all proposals, one behind the other, as bytes. */
import { utf8 } from "../../../../src/core/bytes.ts";
import type { Entry, EntryId, Snapshot } from "../../../../src/core/raft/index.ts";

/** One node's copy. */
export class StateMachine {
  #content: Uint8Array;
  #applied: EntryId;

  constructor(initial: Snapshot | undefined) {
    this.#content = initial?.data ?? utf8("");
    this.#applied = { term: initial?.term ?? 0, index: initial?.index ?? 0 };
  }

  /** The last entry that it includes. */
  get applied(): EntryId {
    return { term: this.#applied.term, index: this.#applied.index };
  }

  get data(): Uint8Array {
    return this.#content;
  }

  load({ term, index, data }: Snapshot): void {
    this.#content = data;
    this.#applied = { term, index };
  }

  /** @throws RangeError if an entry is missing or comes twice. */
  apply(entry: Entry): void {
    if (entry.index !== this.#applied.index + 1) throw new RangeError("an entry is out of order");
    this.#applied = { term: entry.term, index: entry.index };
    if (entry.kind !== "normal") return;
    const grown = new Uint8Array(this.#content.length + entry.data.length);
    grown.set(this.#content);
    grown.set(entry.data, this.#content.length);
    this.#content = grown;
  }
}
