import { beforeEach, describe, expect, it } from "vitest";
import {
  NO_DATA,
  plainConfiguration,
  type Entry,
  type Message,
  type ProgressStatus,
  type Ready,
  type Snapshot,
} from "../../../src/core/raft/index.ts";
import { GroupChecks } from "./group-checks.ts";

const INITIAL: Snapshot = {
  index: 1,
  term: 0,
  configuration: plainConfiguration(["a", "b", "c"]),
  data: NO_DATA,
};

/** A Ready with nothing but `parts`. */
function ready(parts: Partial<Ready>): Ready {
  return {
    softState: undefined,
    hardState: undefined,
    entries: [],
    snapshot: undefined,
    mustSync: false,
    messages: [],
    committedEntries: [],
    reads: [],
    proposals: [],
    otherGroups: [],
    ...parts,
  };
}

function entry(term: number, index: number, data = NO_DATA): Entry {
  return { kind: "normal", term, index, data };
}

/** An entry with a proposal that can be told from others. */
function proposed(proposal: number, index: number): Entry {
  return entry(1, index, new Uint8Array([proposal]));
}

function change(term: number, index: number): Entry {
  return {
    kind: "config-change",
    term,
    index,
    change: { transition: "auto", steps: [{ kind: "remove", node: "c" }], context: NO_DATA },
  };
}

describe("the checks of a group", () => {
  let checks: GroupChecks;
  beforeEach(() => {
    checks = new GroupChecks(INITIAL, (one) => (one.kind === "normal" ? one.data[0] : undefined));
    for (const id of ["a", "b", "c"]) checks.onStart(id, INITIAL);
  });

  const hard = (id: string, term: number, vote: string | undefined, commit = 1): void =>
    checks.onDurable(id, ready({ hardState: { term, vote, commit } }));
  const store = (id: string, ...entries: Entry[]): void => checks.onDurable(id, ready({ entries }));
  const envelope = (from: string, to: string, term: number) => ({
    groupId: "group",
    from,
    to,
    term,
  });
  const vote = (from: string, to: string, term: number): Message => ({
    ...envelope(from, to, term),
    type: "vote-answer",
    granted: true,
    commit: { term: 0, index: 1 },
  });
  const grant = (from: string, to: string, term: number): void =>
    checks.onSend(from, vote(from, to, term));
  const acknowledge = (from: string, to: string, term: number, index: number): void =>
    checks.onSend(from, { ...envelope(from, to, term), type: "append-accepted", index });
  /** Elects `leader` in `term` by the vote of `voter`, and stores its first entry after `last`. */
  const elect = (leader: string, voter: string, term: number, last = 1): void => {
    hard(leader, term, leader, checks.node(leader).hard.commit);
    hard(voter, term, leader, checks.node(voter).hard.commit);
    grant(voter, leader, term);
    checks.onDurable(
      leader,
      ready({ softState: { leader, role: "leader" }, entries: [entry(term, last + 1)] }),
    );
  };
  /** A commit of entry 2 of term 1, led by `a`, known to `a` and `b`. */
  const commitSecond = (): void => {
    elect("a", "b", 1);
    store("b", entry(1, 2));
    acknowledge("b", "a", 1, 2);
    hard("a", 1, "a", 2);
    hard("b", 1, "a", 2);
  };

  it("accept an election, a commit and its application", () => {
    commitSecond();
    for (const id of ["a", "b"]) checks.onApply(id, entry(1, 2), 77);
    expect(checks.logs.commit).toBe(2);
    expect(checks.elections.leaderOf(1)).toBe("a");
  });

  const heartbeat = (): Message => ({
    ...envelope("b", "a", 1),
    type: "heartbeat",
    commit: 0,
    readRound: 0,
    minimumMatch: 0,
  });
  const progress: ProgressStatus = {
    id: "b",
    learner: false,
    state: "replicate",
    match: 5,
    next: 8,
    paused: false,
    pendingSnapshot: 0,
    recentlyActive: true,
    silentTicks: 0,
    inflight: 2,
    inflightFull: false,
  };

  const BROKEN: readonly [string, () => void][] = [
    [
      "term is monotone",
      () => {
        hard("a", 2, undefined);
        hard("a", 1, undefined);
      },
    ],
    [
      "commit is monotone",
      () => {
        commitSecond();
        hard("a", 1, "a", 1);
      },
    ],
    [
      "a vote is constant within its term",
      () => {
        hard("a", 1, "b");
        hard("a", 1, "c");
      },
    ],
    [
      "a vote is constant within its term",
      () => {
        hard("a", 1, "b");
        hard("a", 1, undefined);
      },
    ],
    ["a granted vote is durable", () => grant("b", "a", 1)],
    [
      "one vote a term",
      () => {
        hard("b", 1, undefined);
        checks.elections.onSend(
          { ...checks.node("b"), hard: { term: 1, vote: "a", commit: 1 } },
          vote("b", "a", 1),
        );
        hard("b", 1, "c");
        grant("b", "c", 1);
      },
    ],
    [
      "one leader a term",
      () => {
        elect("a", "b", 1);
        hard("c", 1, "c");
        checks.onDurable("c", ready({ softState: { leader: "c", role: "leader" } }));
      },
    ],
    [
      "a leader has the votes of a quorum",
      () => {
        hard("a", 1, "a");
        checks.onDurable("a", ready({ softState: { leader: "a", role: "leader" } }));
      },
    ],
    ["only the leader of a term speaks for it", () => checks.onSend("b", heartbeat())],
    ["a log grows without gaps and keeps what is committed", () => store("a", entry(1, 3))],
    [
      "a log grows without gaps and keeps what is committed",
      () => {
        commitSecond();
        store("b", entry(2, 2));
      },
    ],
    [
      "a leader never replaces entries",
      () => {
        elect("a", "b", 1);
        store("a", entry(1, 2));
      },
    ],
    [
      "log matching",
      () => {
        store("a", entry(1, 2));
        store("b", entry(1, 2, new Uint8Array(1)));
      },
    ],
    [
      "log matching",
      () => {
        store("a", entry(1, 2), entry(2, 3));
        store("b", entry(2, 2));
        store("b", entry(2, 3));
      },
    ],
    [
      "a commit is acknowledged by a quorum",
      () => {
        elect("a", "b", 1);
        hard("a", 1, "a", 2);
      },
    ],
    [
      "a committed entry never changes",
      () => {
        commitSecond();
        store("c", entry(2, 2));
        hard("c", 2, undefined, 2);
      },
    ],
    [
      "leader completeness",
      () => {
        commitSecond();
        elect("c", "b", 2);
      },
    ],
    [
      "what is acknowledged is durable",
      () => {
        hard("b", 1, "a");
        acknowledge("b", "a", 1, 2);
      },
    ],
    [
      "what is acknowledged matches the leader's log",
      () => {
        store("c", entry(1, 2), entry(1, 3));
        elect("a", "b", 2);
        store("a", entry(2, 3));
        hard("c", 2, undefined);
        acknowledge("c", "a", 2, 3);
      },
    ],
    ["an answer is of the durable term", () => acknowledge("b", "a", 1, 1)],
    [
      "entries are applied in order, each once, after their commit",
      () => checks.onApply("a", entry(1, 2), 0),
    ],
    [
      "state-machine safety",
      () => {
        commitSecond();
        checks.onApply("a", entry(1, 2, new Uint8Array(1)), 0);
      },
    ],
    [
      "state machines agree",
      () => {
        commitSecond();
        checks.onApply("a", entry(1, 2), 1);
        checks.onApply("b", entry(1, 2), 2);
      },
    ],
    [
      "a snapshot is of committed entries and ahead",
      () => {
        commitSecond();
        checks.onDurable("c", ready({ snapshot: { ...INITIAL, index: 5 } }));
      },
    ],
    [
      "a snapshot's configuration is the one in force",
      () => {
        commitSecond();
        const configuration = plainConfiguration(["a"]);
        checks.onDurable(
          "c",
          ready({ snapshot: { ...INITIAL, index: 2, term: 1, configuration } }),
        );
      },
    ],
    [
      "one configuration change at a time",
      () => {
        elect("a", "b", 1);
        store("a", change(1, 3));
        store("a", change(1, 4));
      },
    ],
    [
      "a configuration is the same everywhere",
      () => {
        checks.onConfiguration("a", 2, plainConfiguration(["a", "b"]));
        checks.onConfiguration("b", 2, plainConfiguration(["a", "c"]));
      },
    ],
    [
      "configurations follow each other in legal steps",
      () => checks.onConfiguration("a", 2, plainConfiguration(["a"])),
    ],
    [
      "a read is not older than the commit at its call",
      () => {
        checks.reads.onCall(1, 9);
        checks.reads.onAnswer(1, 8);
      },
    ],
    [
      "a proposal takes effect once",
      () => {
        checks.proposals.onApply(proposed(7, 2));
        checks.proposals.onApply(proposed(7, 3));
      },
    ],
    [
      "what is not proposed never takes effect",
      () => {
        checks.proposals.onApply(proposed(7, 2));
        checks.proposals.onRefused(7);
      },
    ],
    [
      "what is not proposed never takes effect",
      () => {
        checks.proposals.onRefused(7);
        checks.proposals.onApply(proposed(7, 2));
      },
    ],
    [
      "a committed proposal stands where it is said to",
      () => {
        checks.proposals.onApply(proposed(7, 2));
        checks.proposals.onCommitted(7, 3);
      },
    ],
    ["a committed proposal stands where it is said to", () => checks.proposals.onCommitted(7, 2)],
    [
      "a stale refusal changes nothing",
      () => checks.onRefusal(5, progress, { ...progress, state: "probe", next: 6 }),
    ],
    [
      "a halted node says nothing",
      () => {
        checks.onHalt("b");
        acknowledge("b", "a", 0, 1);
      },
    ],
    ["an instance is used once", () => checks.onStart("a", undefined)],
  ];
  for (const [property, break_] of BROKEN) {
    it(`find broken: ${property}`, () => {
      let found: unknown;
      try {
        break_();
      } catch (error) {
        found = error;
      }
      expect(found).toMatchObject({ name: "Violation", property });
    });
  }

  it("accept proposals whose ends are true, applied by several nodes", () => {
    for (let node = 0; node < 3; node++) checks.proposals.onApply(proposed(7, 2));
    checks.proposals.onCommitted(7, 2);
    checks.proposals.onRefused(8);
    checks.proposals.onApply(proposed(9, 3));
  });

  it("count on every configuration that may be in force when they say what the group survives", () => {
    const without = (...lost: string[]): boolean => checks.survives((id) => !lost.includes(id));
    expect([without("c"), without("b", "c")]).toEqual([true, false]);
    // `a` knows of a change that removes `c`; with it the group needs both of the others.
    elect("a", "b", 1);
    store("a", change(1, 3));
    expect([without("c"), without("b")]).toEqual([true, false]);
  });
});
