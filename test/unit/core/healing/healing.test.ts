import { beforeEach, describe, expect, it } from "vitest";
import { AssertionError } from "../../../../src/core/assert.ts";
import { nextDeadline } from "../../../../src/core/healing/index.ts";
import { HEALING_ATTEMPT_MAX, HEALING_CONFIGURATIONS_MAX } from "../../../../src/core/limits.ts";
import { hash, instance } from "../../../support/healing/ledger.ts";
import { ATTEMPT, claim, FAILOVER, records, RETRY, Subject } from "./fixtures.ts";

const live = { id: hash("g1"), term: 3, index: 5, live: true };

describe("the beginning of healing", () => {
  it("comes after the heal delay without a leader, not before", () => {
    const a = new Subject();
    expect(nextDeadline(a.state)).toBe(10);
    a.wait(9);
    expect(a.state.phase.kind).toBe("watching");
    a.wait(1);
    expect(a.kinds()).toContain("read-head");
  });

  it("comes at once in recovery mode", () => {
    const a = new Subject(records(), { mode: "recovery", held: undefined, secrets: "none" });
    expect(a.state.phase.kind).toBe("reading");
  });

  it("does not come while the group has a leader", () => {
    const a = new Subject();
    a.wait(9);
    a.observes({ group: live });
    a.wait(100);
    expect(a.state.phase.kind).toBe("watching");
    expect(nextDeadline(a.state)).toBeUndefined();
  });

  it("is taken back when a leader is found again before the vote", () => {
    const a = new Subject();
    a.gather();
    a.observes({ group: live });
    expect(a.state.phase.kind).toBe("watching");
  });
});

describe("a head read", () => {
  it("comes before the own claim leaves, and is repeated while the store is down", () => {
    const a = new Subject();
    a.wait(10);
    a.answer({ kind: "unavailable" });
    expect(a.state.waiting).toBe("store-unavailable");
    expect(a.kinds()).toEqual(["report"]);
    a.wait(RETRY);
    expect(a.kinds()).toEqual(["read-head"]);
    a.answerRead("g2");
    expect(a.kinds()).toEqual(["report", "send claim", "send claim"]);
    expect(a.state.waiting).toBeUndefined();
  });

  it("of an earlier attempt counts for nothing", () => {
    const a = new Subject();
    a.wait(10);
    const old = a.state.requests;
    a.hears(claim(), 2);
    expect(a.state.attempt).toBe(2);
    const observation = a.ledger.observe(hash("g2"), hash("g2"), () => true);
    a.give({ kind: "head", request: old, observation });
    expect(a.state.phase.kind).toBe("reading");
  });

  it("that shows a fork stops everything until another one shows something else", () => {
    const a = new Subject();
    a.wait(10);
    a.answer({ kind: "fork" });
    a.wait(1000);
    expect(a.state).toMatchObject({ waiting: "fork", phase: { kind: "reading" } });
    a.answerRead("g2");
    expect(a.state.phase.kind).toBe("gathering");
  });

  it("that shows nothing usable leaves a newcomer waiting, but not one that holds a record", () => {
    const newcomer = new Subject(records(), { mode: "recovery", held: undefined });
    newcomer.answer({ kind: "damaged", token: hash("rubbish") });
    expect(newcomer.state.waiting).toBe("store-damaged");
    const survivor = new Subject();
    survivor.wait(10);
    survivor.answer({ kind: "damaged", token: hash("rubbish") });
    expect(survivor.state.phase).toMatchObject({
      kind: "gathering",
      base: { record: { hash: "g2" }, token: "rubbish", reasserted: true },
    });
  });
});

describe("a decision", () => {
  let a: Subject;
  beforeEach(() => {
    a = new Subject();
    a.gather();
  });

  it("halts the Raft node first; the vote leaves only after the answer", () => {
    a.hears(claim({ name: "b", instance: instance("b1") }));
    a.hears(claim({ name: "c", instance: instance("c1"), index: 9 }));
    expect(a.kinds()).toEqual(["send claim", "halt"]);
    a.halted();
    expect(a.kinds()).toEqual(["send vote"]);
    expect(a.effects[0]).toMatchObject({
      to: { name: "c", instance: "c1" },
      message: { vote: { name: "a", instance: "a1", configurations: [{ outgoing: [] }] } },
    });
  });

  it("waits for every name, or for the failover timeout and a majority", () => {
    a.hears(claim());
    a.wait(FAILOVER - 1);
    expect(a.state.phase.kind).toBe("gathering");
    a.wait(1);
    expect(a.state.phase).toMatchObject({ kind: "halting", path: "failover" });
  });

  it("does not fall without a majority, and says so", () => {
    a.wait(FAILOVER);
    expect(a.state).toMatchObject({ waiting: "missing-peers", phase: { kind: "gathering" } });
  });

  it("falls as soon as the missing one comes after the failover timeout", () => {
    a.wait(FAILOVER);
    a.hears(claim());
    expect(a.state.phase.kind).toBe("halting");
  });

  it("never falls below the own selectable claim", () => {
    a.hears(claim({ index: 1 }));
    a.hears(claim({ name: "c", instance: instance("c1"), index: 2 }));
    expect(a.state.phase).toMatchObject({ candidate: { claim: { name: "a" } } });
  });

  it("is repeated with the claim until somebody opens, unchanged", () => {
    a.hears(claim());
    a.wait(FAILOVER);
    a.halted();
    a.wait(RETRY);
    expect(a.kinds()).toEqual(["send claim", "send claim", "send vote"]);
    a.hears(claim({ name: "c", instance: instance("c1"), index: 99 }));
    expect(a.state.phase).toMatchObject({ candidate: { claim: { name: "b" } } });
  });

  it("is void after the attempt timeout, and the head is read again before the next one", () => {
    a.hears(claim());
    a.wait(FAILOVER);
    a.halted();
    a.wait(ATTEMPT);
    expect(a.state.attempt).toBe(2);
    expect(a.kinds()).toContain("read-head");
    expect(a.state.finalized).toBeDefined();
  });
});

describe("a decision that can't fall", () => {
  it("is declared: nobody holds secrets", () => {
    const a = new Subject(records(), { mode: "recovery", held: undefined, secrets: "none" });
    a.answerRead("g2");
    for (const name of ["b", "c"]) {
      a.hears(claim({ name, instance: instance(`${name}1`), secrets: "none" }));
    }
    expect(a.state.waiting).toBe("no-selectable-claim");
    a.wait(ATTEMPT);
    expect(a.state.attempt).toBe(2);
  });

  it("is declared: the manifest says off", () => {
    const a = new Subject(records("off"));
    a.gather();
    a.hears(claim());
    a.wait(FAILOVER);
    expect(a.state).toMatchObject({ waiting: "policy-off", phase: { kind: "gathering" } });
  });

  it("is declared: the failover timer is off and a name is missing", () => {
    const a = new Subject(records(), {}, 0);
    a.gather();
    a.hears(claim());
    a.wait(1000);
    expect(a.state).toMatchObject({ waiting: "missing-peers", attempt: 1 });
  });

  it("is declared: the newest manifest does not name this coordinator", () => {
    const ledger = records();
    const without = ledger.update(hash("g2"), ["b", "c", "d"]);
    const a = new Subject(ledger);
    a.gather(without);
    a.hears(claim());
    a.wait(FAILOVER);
    expect(a.state.waiting).toBe("not-named");
    expect(a.kinds()).not.toContain("halt");
  });
});

describe("whoever is heard", () => {
  let a: Subject;
  beforeEach(() => {
    a = new Subject();
    a.gather();
  });

  it("first under a name is counted, and a later instance is answered with it", () => {
    a.hears(claim());
    a.hears(claim({ instance: instance("b2") }));
    expect(a.effects).toMatchObject([
      { kind: "send", to: { instance: "b2" }, message: { kind: "refused", counted: "b1" } },
    ]);
  });

  it("under the own name comes second, for the own claim is counted first", () => {
    a.hears(claim({ name: "a", instance: instance("a2") }));
    expect(a.effects).toMatchObject([{ message: { kind: "refused", counted: "a1" } }]);
  });

  it("under a name that the manifest lacks is refused", () => {
    a.hears(claim({ name: "d", instance: instance("d1") }));
    expect(a.effects).toMatchObject([{ message: { kind: "refused", counted: undefined } }]);
  });

  it("at a later attempt takes this process along; at an earlier one it is told", () => {
    a.hears(claim(), 5);
    expect(a.state).toMatchObject({ attempt: 5, phase: { kind: "reading" } });
    a.answerRead("g2");
    a.hears(claim(), 4);
    expect(a.effects).toMatchObject([{ message: { kind: "claim", header: { attempt: 5 } } }]);
  });

  it("in another's name, of another lineage or beyond the bounds is ignored", () => {
    const before = a.state;
    const message = { kind: "claim", header: a.header(1), claim: claim() } as const;
    a.receives("c", "c1", message);
    a.receives("b", "b1", { ...message, header: { ...a.header(1), lineage: hash("other") } });
    a.receives("b", "b1", { ...message, header: a.header(HEALING_ATTEMPT_MAX + 1) });
    a.receives("b", "b1", { ...message, header: a.header(0) });
    a.receives("b", "b1", { ...message, claim: claim({ term: -1 }) });
    const configurations = Array.from({ length: HEALING_CONFIGURATIONS_MAX + 1 }, () => ({
      voters: [],
      outgoing: [],
    }));
    const vote = { name: "b", instance: instance("b1"), candidate: hash("x"), group: undefined };
    a.receives("b", "b1", { kind: "vote", header: a.header(1), vote: { ...vote, configurations } });
    expect(a.state).toBe(before);
  });

  it("and proves a live group of the newest head ends healing, also after the vote", () => {
    a.hears(claim());
    a.wait(FAILOVER);
    a.halted();
    a.hears(claim({ name: "c", instance: instance("c1"), live: true }), 77);
    expect(a.effects).toMatchObject([{ kind: "recover", record: { hash: "g2" }, renew: true }]);
  });

  it("says that it is live under an older head is not chosen, and blocks nobody", () => {
    a.hears(claim({ index: 99, live: true, record: hash("g1") }));
    a.wait(FAILOVER);
    expect(a.state.phase).toMatchObject({ kind: "halting", candidate: { claim: { name: "a" } } });
  });
});

describe("a member of a live group", () => {
  it("answers those who heal, and not other members", () => {
    const a = new Subject(records(), { group: live });
    a.hears(claim(), 8);
    expect(a.effects).toMatchObject([
      { to: { instance: "b1" }, message: { header: { attempt: 8 }, claim: { live: true } } },
    ]);
    a.hears(claim({ live: true }), 8);
    expect(a.effects).toEqual([]);
  });
});

describe("the chosen one", () => {
  let a: Subject;
  beforeEach(() => {
    a = new Subject();
    a.gather();
    a.hears(claim({ index: 1 }));
    a.hears(claim({ name: "c", instance: instance("c1"), index: 2 }));
    a.halted();
  });

  it("opens with a majority of the names: one swap with a key, the votes and the path", () => {
    a.isVotedForBy("b");
    expect(a.effects).toMatchObject([
      {
        kind: "swap",
        plan: { epoch: 2, meshCaKey: 1, path: "all-heard", fenced: true, base: { token: "g2" } },
      },
    ]);
  });

  it("counts a name once, the instance that it heard, and only this attempt", () => {
    a.isVotedForBy("b", "b2");
    a.isVotedForBy("b", "b1", 7);
    expect(a.state.phase.kind).not.toBe("opening");
  });

  it("repeats the identical swap until the answer is definite", () => {
    a.isVotedForBy("b");
    const first = a.effects[0];
    a.give({ kind: "swapped", request: a.state.requests, outcome: { kind: "unknown" } });
    a.wait(RETRY);
    const second = a.effects[0];
    if (first?.kind !== "swap" || second?.kind !== "swap") throw new Error("no swap");
    expect(second.plan).toEqual(first.plan);
    expect(second.request).not.toBe(first.request);
    a.wait(10 * ATTEMPT);
    expect(a.state.phase.kind).toBe("opening");
  });

  it("ignores the answer to a request that it has given up", () => {
    a.isVotedForBy("b");
    const request = a.state.requests;
    a.give({ kind: "swapped", request, outcome: { kind: "unknown" } });
    const record = a.ledger.view(hash("g2"), true);
    a.give({ kind: "swapped", request, outcome: { kind: "committed", record } });
    expect(a.state.phase.kind).toBe("opening");
  });

  it("swaps again under the same votes, with a new key, if only the generation rose", () => {
    a.isVotedForBy("b");
    const g3 = a.ledger.update(hash("g2"));
    const observation = a.ledger.observe(g3, hash("g2"), () => true);
    a.give({
      kind: "swapped",
      request: a.state.requests,
      outcome: { kind: "conflict", observation },
    });
    expect(a.effects).toMatchObject([
      { kind: "swap", plan: { meshCaKey: 2, epoch: 2, base: { record: { hash: g3 } } } },
    ]);
  });

  it("gives up if the newer generation excludes it", () => {
    a.isVotedForBy("b");
    const g3 = a.ledger.update(hash("g2"));
    const observation = a.ledger.observe(g3, hash("g2"), () => false);
    a.give({
      kind: "swapped",
      request: a.state.requests,
      outcome: { kind: "conflict", observation },
    });
    expect(a.state).toMatchObject({ attempt: 2, phase: { kind: "reading" } });
  });

  it("gives up if the votes are no majority of the newer generation's names", () => {
    a.isVotedForBy("b");
    const g3 = a.ledger.update(hash("g2"), ["a", "c", "d", "e"]);
    const observation = a.ledger.observe(g3, hash("g2"), () => true);
    a.give({
      kind: "swapped",
      request: a.state.requests,
      outcome: { kind: "conflict", observation },
    });
    expect(a.state.phase.kind).toBe("reading");
  });

  it("re-asserts its base if the store fell back meanwhile, and reports it", () => {
    a.isVotedForBy("b");
    const observation = a.ledger.observe(hash("g1"), hash("g2"), () => true);
    a.give({
      kind: "swapped",
      request: a.state.requests,
      outcome: { kind: "conflict", observation },
    });
    expect(a.effects).toMatchObject([
      { kind: "report", event: { kind: "rollback", base: "g2", found: "g1" } },
      { kind: "swap", plan: { base: { token: "g1", reasserted: true, record: { hash: "g2" } } } },
    ]);
  });
});

describe("a higher epoch", () => {
  /** g2 healed by an instance. */
  function healed(a: Subject, name: string, by: string) {
    const base = { record: a.ledger.view(hash("g2"), true), token: hash("g2"), reasserted: false };
    const votes: never[] = [];
    const plan = {
      base,
      epoch: 2 as never,
      path: "failover",
      fenced: false,
      votes,
      meshCaKey: 1,
    } as const;
    return a.ledger.heal(plan, { name, instance: instance(by) });
  }

  it("is followed after the store has confirmed it", () => {
    const a = new Subject();
    a.gather();
    const record = healed(a, "b", "b1");
    a.receives("b", "b1", { kind: "opened", header: a.header(1, record) });
    expect(a.kinds()).toEqual(["read-head"]);
    a.receives("b", "b1", { kind: "opened", header: a.header(1, record) });
    expect(a.kinds()).toEqual([]);
    a.answerRead(record);
    expect(a.effects).toMatchObject([{ kind: "recover", record: { epoch: 2 }, renew: true }]);
  });

  it("is joined as the same instance by a newcomer that has not voted", () => {
    const a = new Subject(records(), { mode: "recovery", held: undefined, group: undefined });
    a.answerRead("g2");
    a.receives("b", "b1", { kind: "opened", header: a.header(1, healed(a, "b", "b1")) });
    a.answerRead(healed(a, "b", "b1"));
    expect(a.effects).toMatchObject([{ kind: "recover", renew: false }]);
  });

  it("that the store does not show changes nothing", () => {
    const a = new Subject();
    a.gather();
    const record = healed(a, "b", "b1");
    a.receives("b", "b1", { kind: "opened", header: a.header(1, record) });
    a.answerRead("g2");
    expect(a.state.phase.kind).toBe("gathering");
  });

  it("opened by another process of the own name ends it with a clear error", () => {
    const a = new Subject();
    a.wait(10);
    a.answerRead(healed(a, "a", "a2"));
    expect(a.effects).toMatchObject([{ kind: "end", error: { code: "conflict" } }]);
    a.wait(1000);
    expect(a.effects).toEqual([]);
  });

  it("that nobody lets it into is built upon, and the recovery dropped", () => {
    const a = new Subject();
    a.wait(10);
    const record = healed(a, "b", "b1");
    a.answerRead(record);
    a.wait(ATTEMPT);
    expect(a.kinds()).toEqual(["stop-recovering", "report", "read-head"]);
    a.answerRead(record);
    expect(a.state.phase).toMatchObject({ kind: "gathering", base: { record: { epoch: 2 } } });
  });

  it("is told to those who do not know it", () => {
    const a = new Subject();
    a.wait(10);
    a.answerRead(healed(a, "b", "b1"));
    a.hears(claim());
    expect(a.effects).toMatchObject([
      { message: { kind: "opened", header: { base: { epoch: 2 } } } },
    ]);
  });
});

describe("a fault of the driver", () => {
  it("is an answer that nobody asked for", () => {
    expect(() => new Subject().halted()).toThrow(AssertionError);
  });

  it("is a new instance in the middle of an attempt", () => {
    const a = new Subject();
    a.gather();
    expect(() => a.observes({ instance: instance("a9") })).toThrow(AssertionError);
  });

  it("is time that goes back", () => {
    const a = new Subject();
    a.wait(5);
    expect(() => a.wait(-1)).toThrow(AssertionError);
  });
});
