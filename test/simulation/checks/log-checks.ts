/** Logs, commits and what is applied (thesis sections 3.5 and 3.6), over all nodes of a group. */
import type { Entry, Snapshot } from "../../../src/core/raft/index.ts";
import { isQuorum, type ObservedNode } from "./observed-node.ts";
import { demand, Violation } from "./violation.ts";

/** The entries that one term's leader made: contiguous, so a list is enough. */
interface TermRecord {
  readonly first: number;
  /** Term of the entry before the first. */
  readonly previousTerm: number;
  readonly entries: Entry[];
}

/** A committed entry, and the term of the node that was first to know. */
interface Committed {
  readonly entry: Entry;
  readonly inTerm: number;
  /** The state machine's digest behind it, once any node has applied it. */
  digest: number | undefined;
}

/** Follows every log of a group whose founding members begin behind `initialIndex`. */
export class LogChecks {
  readonly #terms = new Map<number, TermRecord>();
  readonly #committed: Committed[] = [];
  /** The highest index that each node acknowledged in each term. */
  readonly #acknowledged = new Map<string, Map<number, number>>();
  readonly #initialIndex: number;

  constructor(initialIndex: number) {
    this.#initialIndex = initialIndex;
  }

  /** The highest index that any node knows to be committed. */
  get commit(): number {
    return this.#initialIndex + this.#committed.length;
  }

  committedAt(index: number): Entry | undefined {
    return this.#recordAt(index)?.entry;
  }

  /** Before `entries` become durable on `node`, whose commit index was `commit` before this Ready. */
  onStore(node: ObservedNode, entries: readonly Entry[], commit: number): void {
    const { id, log, role } = node;
    const first = entries[0];
    if (first === undefined) return;
    demand(
      first.index > commit && first.index <= log.lastIndex + 1,
      "a log grows without gaps and keeps what is committed",
      () => `${id} stores ${first.index} over ${log.lastIndex}, commit ${commit}`,
    );
    demand(
      role !== "leader" || first.index === log.lastIndex + 1,
      "a leader never replaces entries",
      () => `${id} stores ${first.index} over ${log.lastIndex}`,
    );
    let previousTerm = log.termAt(first.index - 1);
    let index = first.index;
    for (const entry of entries) {
      demand(entry.index === index++, "entries have no gap", () => `${id} stores ${entry.index}`);
      this.#matchEntry(node, entry, previousTerm);
      previousTerm = entry.term;
    }
  }

  /** By induction: same index and term, then same entry and same predecessor. */
  #matchEntry({ id }: ObservedNode, entry: Entry, previousTerm: number | undefined): void {
    const record = this.#terms.get(entry.term);
    if (record === undefined) {
      this.#terms.set(entry.term, {
        first: entry.index,
        previousTerm: previousTerm ?? 0,
        entries: [entry],
      });
      return;
    }
    const at = entry.index - record.first;
    const known = record.entries[at];
    if (at === record.entries.length) record.entries.push(entry);
    const expected = at === 0 ? record.previousTerm : entry.term;
    demand(
      at >= 0 &&
        at < record.entries.length &&
        previousTerm === expected &&
        (known === undefined || isSame(known, entry)),
      "log matching",
      () => `${id} stores ${entry.index} of term ${entry.term} after term ${previousTerm ?? "-"}`,
    );
  }

  /** After `node` moved its commit index from `before`; its hard state and log are the new ones. */
  onCommit(node: ObservedNode, before: number): void {
    const { id, hard, log, role, configuration } = node;
    for (let index = before + 1; index <= hard.commit; index++) {
      this.#onCommitted(node, index);
    }
    if (role !== "leader") return;
    demand(
      isQuorum(configuration, (voter) =>
        voter === id
          ? log.lastIndex >= hard.commit
          : this.#hasAcknowledged(voter, hard.term, hard.commit),
      ),
      "a commit is acknowledged by a quorum",
      () => `${id} commits ${hard.commit} in term ${hard.term}`,
    );
  }

  #onCommitted({ id, log, hard }: ObservedNode, index: number): void {
    const term = log.termAt(index);
    const known = this.#recordAt(index);
    if (known === undefined) {
      const entry = log.entryAt(index);
      if (entry === undefined || index !== this.commit + 1) {
        throw new Violation("commits have no gap", `${id} commits ${index} first`);
      }
      this.#committed.push({ entry, inTerm: hard.term, digest: undefined });
      return;
    }
    demand(
      term === known.entry.term,
      "a committed entry never changes",
      () => `${id} commits ${index} of term ${term ?? "-"}, others of term ${known.entry.term}`,
    );
  }

  #hasAcknowledged(voter: string, term: number, index: number): boolean {
    return (this.#acknowledged.get(voter)?.get(term) ?? -1) >= index;
  }

  /** `node` acknowledges `index` to the leader of its term, whose log is `leader`'s if that still leads it. */
  onAcknowledge(node: ObservedNode, index: number, leader: ObservedNode | undefined): void {
    const { id, log, hard } = node;
    demand(
      index <= log.lastIndex,
      "what is acknowledged is durable",
      () => `${id} acknowledges ${index} of ${log.lastIndex}`,
    );
    let acknowledged = this.#acknowledged.get(id);
    if (acknowledged === undefined) {
      acknowledged = new Map<number, number>();
      this.#acknowledged.set(id, acknowledged);
    }
    if (index > (acknowledged.get(hard.term) ?? -1)) acknowledged.set(hard.term, index);
    if (leader?.role !== "leader" || leader.hard.term !== hard.term) return;
    const own = log.termAt(index);
    const its = leader.log.termAt(index);
    demand(
      own === its || own === undefined || (its === undefined && index < leader.log.base.index),
      "what is acknowledged matches the leader's log",
      () => `${id} acknowledges ${index} of term ${own ?? "-"} to ${leader.id} with ${its ?? "-"}`,
    );
  }

  /** `node` begins to lead: it must hold everything that was committed in earlier terms. */
  onLeader({ id, log, hard }: ObservedNode): void {
    for (let at = this.#committed.length - 1; at >= 0; at--) {
      const { entry, inTerm } = this.#committed[at]!;
      if (inTerm >= hard.term) continue;
      const own = log.termAt(entry.index);
      demand(
        own === entry.term || (own === undefined && entry.index < log.base.index),
        "leader completeness",
        () =>
          `${id} leads term ${hard.term} without ${entry.index} of term ${entry.term}, committed in term ${inTerm}`,
      );
      return;
    }
  }

  /** `node` is about to apply `entry`. */
  onApply({ id, applied, hard }: ObservedNode, entry: Entry): void {
    demand(
      entry.index === applied + 1 && entry.index <= hard.commit,
      "entries are applied in order, each once, after their commit",
      () => `${id} applies ${entry.index} after ${applied}, commit ${hard.commit}`,
    );
    const committed = this.committedAt(entry.index);
    demand(
      committed !== undefined && isSame(committed, entry),
      "state-machine safety",
      () => `${id} applies another entry ${entry.index}`,
    );
  }

  /** `node` has applied everything up to `index`; `digest` stands for its state machine's state. */
  onState(node: ObservedNode, index: number, digest: number): void {
    const record = this.#recordAt(index);
    if (record === undefined) return;
    record.digest ??= digest;
    demand(
      record.digest === digest,
      "state machines agree",
      () => `${node.id} has another state at ${index}`,
    );
  }

  /** `node` is about to replace its log by `snapshot`. */
  onSnapshot({ id, applied }: ObservedNode, { index, term }: Snapshot): void {
    demand(
      index > applied && this.committedAt(index)?.term === term,
      "a snapshot is of committed entries and ahead",
      () => `${id} loads ${index} of term ${term} after ${applied}`,
    );
  }

  #recordAt(index: number): Committed | undefined {
    return this.#committed[index - this.#initialIndex - 1];
  }
}

function isSame(a: Entry, b: Entry): boolean {
  if (a === b) return true;
  if (a.term !== b.term || a.index !== b.index || a.kind !== b.kind) return false;
  if (a.kind === "normal" && b.kind === "normal") {
    return a.data.length === b.data.length && a.data.every((byte, at) => byte === b.data[at]);
  }
  return JSON.stringify(a) === JSON.stringify(b);
}
