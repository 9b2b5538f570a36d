/** Proposals: what a proposer is told of one must stay true, and none takes effect twice. */
import type { Entry, LogIndex } from "../../../src/core/raft/index.ts";
import { demand } from "./violation.ts";

/** A number that one proposal alone carries in its entry; undefined for an entry that nobody follows. */
export type Identify = (entry: Entry) => number | undefined;

/** Compares what is applied with what the proposers were told. */
export class ProposalChecks {
  readonly #identify: Identify;
  readonly #takenAt = new Map<number, LogIndex>();
  readonly #refused = new Set<number>();
  #appliedAnywhere: LogIndex;

  /** @param initialIndex what the founding members begin behind. */
  constructor(initialIndex: LogIndex, identify: Identify) {
    this.#appliedAnywhere = initialIndex;
    this.#identify = identify;
  }

  /** A node applies `entry`; all nodes apply the same, so the first one tells enough. */
  onApply(entry: Entry): void {
    if (entry.index <= this.#appliedAnywhere) return;
    this.#appliedAnywhere = entry.index;
    const proposal = this.#identify(entry);
    if (proposal === undefined) return;
    const before = this.#takenAt.get(proposal);
    demand(
      before === undefined,
      "a proposal takes effect once",
      () => `${proposal} stands at ${before ?? "-"} and at ${entry.index}`,
    );
    this.#takenAt.set(proposal, entry.index);
    this.#demandNotRefused(proposal);
  }

  /** Its proposer was told that it is not proposed. */
  onRefused(proposal: number): void {
    this.#refused.add(proposal);
    this.#demandNotRefused(proposal);
  }

  /** Its proposer, which has applied everything up to there, was told that it is committed at `index`. */
  onCommitted(proposal: number, index: LogIndex): void {
    const at = this.#takenAt.get(proposal);
    demand(
      at === index,
      "a committed proposal stands where it is said to",
      () => `${proposal} is said to stand at ${index}, and stands at ${at ?? "-"}`,
    );
  }

  #demandNotRefused(proposal: number): void {
    demand(
      !this.#refused.has(proposal) || !this.#takenAt.has(proposal),
      "what is not proposed never takes effect",
      () => `${proposal} stands at ${this.#takenAt.get(proposal) ?? "-"}`,
    );
  }
}
