/** What happened in a run, or in many: proof that the checks had something to look at. */
import type { RaftCounters } from "../../src/core/raft/index.ts";
import type { KindCounts } from "./virtual/network.ts";

/** Sums by name. */
export class Tally {
  /** Faults by kind. */
  readonly faults: Record<string, number> = {};
  /** Everything else that is worth counting. */
  readonly counts: Record<string, number> = {};
  /** Messages by kind. */
  readonly messages: Record<string, KindCounts> = {};

  countFault(kind: string): void {
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
  }

  count(what: string, times = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + times;
  }

  /** Adds what a node counted itself, at the end of its life. */
  addNode(counters: Readonly<RaftCounters>): void {
    for (const [name, value] of Object.entries(counters)) this.count(`node ${name}`, value);
  }

  addMessages(counts: Iterable<readonly [string, KindCounts]>): void {
    for (const [kind, more] of counts) {
      const sum = this.messages[kind];
      if (sum === undefined) this.messages[kind] = { ...more };
      else for (const name of KIND_COUNTS) sum[name] += more[name];
    }
  }

  /** Adds all of another run. */
  add(other: Tally): void {
    for (const [kind, times] of Object.entries(other.faults)) {
      this.faults[kind] = (this.faults[kind] ?? 0) + times;
    }
    for (const [what, times] of Object.entries(other.counts)) this.count(what, times);
    this.addMessages(Object.entries(other.messages));
  }
}

const KIND_COUNTS = ["sent", "delivered", "dropped", "duplicated", "reordered"] as const;
