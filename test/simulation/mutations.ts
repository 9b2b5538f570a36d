/** Faults planted in the core's source, each of which a batch must find. */
import type { FaultKind } from "./options.ts";

/** One piece of a file in `src/core/raft`, which occurs there exactly once, and what stands there instead. */
export interface Replacement {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A fault that a developer could make. */
export interface Mutation {
  readonly title: string;
  /** The faults of the simulation that reveal it, where all of them together would hide it behind others. */
  readonly only?: readonly FaultKind[];
  readonly replacements: readonly Replacement[];
}

/** The list of the specification, in its order, then faults that were real once, or nearly. */
export const MUTATIONS: readonly Mutation[] = [
  {
    ...one(
      "own-term check dropped",
      "replication.ts",
      "  if (!isOwnTerm(state, index)) return false;\n",
      "  if (state.log.termAt(index) === undefined) return false;\n",
    ),
    // It takes leaders that are lost one after the other, each at the very moment: figure 8 of the Raft paper.
    only: ["lost leader"],
  },
  {
    ...one(
      "own last index acknowledged",
      "following.ts",
      "message.minimumMatch);\n  accept(state, message.from, lastNew);",
      "message.minimumMatch);\n  accept(state, message.from, log.lastIndex);",
    ),
    // Leaders that are lost leave other suffixes behind.
    only: ["lost leader"],
  },
  one(
    "vote cleared on a step-down in the same term",
    "roles.ts",
    "  if (term === state.term) return;\n",
    "  if (term === state.term && state.role.kind !== 'leader') return;\n",
  ),
  one(
    "up-to-date check skipped",
    "election.ts",
    "(free || later) && state.log.isUpToDate(message.last)",
    "free || later",
  ),
  one(
    "truncated on any overlap",
    "log.ts",
    "const from = this.#firstNotHeld(entries);",
    "const from = 0;",
  ),
  {
    ...one(
      "commit not bounded by the message",
      "following.ts",
      "log.commitTo(Math.min(message.commit, lastNew));",
      "log.commitTo(Math.min(message.commit, log.lastIndex));",
    ),
    only: ["lost leader"],
  },
  one(
    "stale refusal accepted",
    "progress.ts",
    "    if (this.#isStaleRefusal(refused)) return false;\n",
    "    if (this.#isStaleRefusal(refused) && this.state === 'snapshot') return false;\n",
  ),
  {
    title: "joint quorum of one half",
    replacements: [
      {
        file: "quorum/joint.ts",
        find: "return Math.min(incoming, outgoing);",
        replace: "return Math.min(incoming, Math.max(incoming, outgoing));",
      },
      {
        file: "quorum/joint.ts",
        find: "if (incoming === outgoing) return incoming;",
        replace: "if (incoming !== 'pending' || outgoing === 'pending') return incoming;",
      },
    ],
  },
  one(
    "empty entry omitted",
    "roles.ts",
    '  appendOwn(state, leader, { kind: "normal", data: NO_DATA });\n',
    "  void appendOwn, NO_DATA;\n",
  ),
  one(
    "stickiness off",
    "election.ts",
    "    state.leader !== undefined &&\n",
    "    state.leader === state.id &&\n",
  ),
  {
    title: "counter of reads not monotone",
    replacements: [
      {
        file: "read-rounds.ts",
        find: "this.#round = this.#round + 1;",
        replace: "this.#round = 1;",
      },
      {
        file: "read-rounds.ts",
        find: "if (round <= this.#confirmed) return [];",
        replace: "if (round < this.#confirmed) return [];",
      },
      {
        file: "reads.ts",
        find: "  if (reads.confirmed === reads.round) return;\n",
        replace: "",
      },
    ],
  },
  one(
    "repeated proposal decided anew",
    "proposing.ts",
    "known ?? decideProposal(state, message)",
    "decideProposal(state, message)",
  ),
  {
    ...one(
      "refused proposals not remembered",
      "proposing.ts",
      "  answered.remember(from, id, placement);\n",
      "  if (typeof placement !== 'string') answered.remember(from, id, placement);\n",
    ),
    // A leader that hands over refuses for a moment.
    only: ["transfer"],
  },
  one(
    "forgotten proposal taken for a new one",
    "answered-proposals.ts",
    "id <= this.#forgottenUpTo",
    "id < 0",
  ),
  {
    ...one(
      "proposal of an earlier term taken",
      "proposing.ts",
      'term === answered.term ? answered.recall(from, id) : "forgotten"',
      "answered.recall(from, id)",
    ),
    // It takes a leader that is elected again while a copy is under way.
    only: ["lost leader", "transfer"],
  },
  {
    ...one(
      "candidate goes on as no voter",
      "membership.ts",
      'role.kind !== "follower" && !isVoter',
      'role.kind === "leader" && !isVoter',
    ),
    only: ["lost leader"],
  },
];

function one(title: string, file: string, find: string, replace: string): Mutation {
  return { title, replacements: [{ file, find, replace }] };
}
