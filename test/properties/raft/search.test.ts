/** The search for the matching position, over all pairs of logs that Raft could produce. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Prng } from "../../../src/core/prng.ts";
import {
  NO_DATA,
  plainConfiguration,
  RaftNode,
  type Entry,
  type Message,
} from "../../../src/core/raft/index.ts";

/** A common beginning, and two ends: entries of the same term at the same index are the same entry. */
const logs = fc.record({
  common: fc.array(fc.nat(2), { maxLength: 6 }),
  // The terms of the ends never meet: even ones on one side, odd ones on the other.
  leaderEnd: fc.array(fc.nat(2), { maxLength: 8 }),
  followerEnd: fc.array(fc.nat(2), { maxLength: 8 }),
});

function termsOf(common: readonly number[], end: readonly number[], odd: number): number[] {
  let term = 2;
  const terms = common.map((step) => (term += 2 * step));
  let last = term + odd;
  return [...terms, ...end.map((step) => (last += 2 * (step + 1)))];
}

function entriesOf(terms: readonly number[], from = 2): Entry[] {
  return terms.map((term, at) => ({ kind: "normal", term, index: from + at, data: NO_DATA }));
}

function nodeWith(id: string, entries: readonly Entry[]): RaftNode {
  const raft = new RaftNode({
    id,
    groupId: "group",
    prng: new Prng(1),
    initial: {
      index: 1,
      term: 0,
      configuration: plainConfiguration(["l", "f", "x"]),
      data: NO_DATA,
    },
    electionTimeoutTicks: 10,
    heartbeatTicks: 1,
    preVote: false,
    checkQuorum: false,
    snapshotData: () => NO_DATA,
  });
  // Somebody led before and left these entries, committing nothing.
  const term = entries.at(-1)?.term ?? 1;
  raft.step({
    type: "append",
    groupId: "group",
    from: "x",
    to: id,
    term,
    previous: { term: 0, index: 1 },
    entries,
    commit: 1,
    minimumMatch: 0,
  });
  flush(raft);
  return raft;
}

function flush(raft: RaftNode): readonly Message[] {
  const messages: Message[] = [];
  while (raft.hasReady()) {
    const ready = raft.ready();
    messages.push(...ready.messages);
    raft.advance(ready);
  }
  return messages;
}

describe("the search for the matching position", () => {
  it("ends with equal logs after at most one probe for each term of the two ends", () => {
    let searched = 0;
    fc.assert(
      fc.property(logs, ({ common, leaderEnd, followerEnd }) => {
        const ownTerms = termsOf(common, leaderEnd, 0);
        const otherTerms = termsOf(common, followerEnd, 1);
        const leader = nodeWith("l", entriesOf(ownTerms));
        const follower = nodeWith("f", entriesOf(otherTerms));
        // It leads a term above both, with the vote of x.
        if (follower.term > leader.term) {
          leader.step({
            type: "higher-term",
            groupId: "group",
            from: "f",
            to: "l",
            term: follower.term,
          });
        }
        leader.campaign();
        flush(leader);
        leader.step({
          type: "vote-answer",
          groupId: "group",
          from: "x",
          to: "l",
          term: leader.term,
          granted: true,
          commit: { term: 0, index: 1 },
        });
        expect(leader.role).toBe("leader");
        let refused = 0;
        let toFollower = flush(leader).filter(({ to }) => to === "f");
        while (toFollower.length > 0) {
          for (const message of toFollower) expect(follower.step(message).ok).toBe(true);
          const answers = flush(follower).filter(({ to }) => to === "l");
          refused += answers.filter(({ type }) => type === "append-refused").length;
          for (const message of answers) expect(leader.step(message).ok).toBe(true);
          toFollower = flush(leader).filter(({ to, type }) => to === "f" && type === "append");
        }
        expect(follower.logEntries()).toEqual(leader.logEntries());
        const terms = new Set([
          ...ownTerms.slice(common.length),
          ...otherTerms.slice(common.length),
        ]);
        expect(refused).toBeLessThanOrEqual(terms.size + 1);
        if (refused > 1) searched++;
      }),
      { numRuns: 300 },
    );
    expect(searched).toBeGreaterThan(0);
  });
});
