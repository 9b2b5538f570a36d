import { describe, expect, it } from "vitest";
import { AssertionError } from "../../../../src/core/assert.ts";
import type { Message } from "../../../../src/core/raft/index.ts";
import { Cluster, type ClusterOptions } from "../../../support/raft/cluster.ts";

/** A group of three that `a` leads. */
function ledByA(options: ClusterOptions = {}): Cluster {
  const cluster = new Cluster(["a", "b", "c"], options);
  cluster.elect("a");
  return cluster;
}

/** Forwards `text` from b to a; the message is under way, and returned to be sent again. */
function forwarded(cluster: Cluster, text: string): Message {
  cluster.propose("b", text);
  cluster.flush("b");
  const message = cluster.network.find(({ type }) => type === "propose");
  if (message === undefined) throw new Error("nothing was forwarded");
  return message;
}

/** Steps `message` at its receiver and returns the answers to forwarded proposals. */
function answersTo(cluster: Cluster, message: Message): Message[] {
  cluster.network = [];
  const stepped = cluster.node(message.to).step(message);
  if (!stepped.ok) throw stepped.error;
  cluster.flush(message.to);
  return cluster.network.filter(({ type }) => type === "propose-answer");
}

/** Makes `a` step down without another term: it hears nobody. */
function deposeA(cluster: Cluster): void {
  for (let ticks = 0; ticks < 20; ticks++) cluster.node("a").tick();
  cluster.flush("a");
  expect([cluster.node("a").role, cluster.node("a").term]).toEqual(["follower", 1]);
}

describe("a forwarded proposal", () => {
  it("that is lost on the way ends as unknown within two election timeouts", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    const id = cluster.propose("b", "lost");
    cluster.lost = ({ type }) => type === "propose";
    cluster.settle();
    cluster.run(22);
    expect(cluster.member("b").proposals).toEqual([{ id, outcome: "unknown" }]);
  });

  it("that the leader refuses ends as not proposed, with the leader", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.isolate("c");
    cluster.node("a").transferLeadership("c");
    const id = cluster.propose("b", "not now");
    cluster.settle();
    expect(cluster.member("b").proposals).toEqual([
      { id, outcome: "not-proposed", reason: "transferring", leader: "a" },
    ]);
  });

  it("whose answer comes after its entry was applied ends as committed all the same", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    const id = cluster.propose("b", "quick");
    cluster.flush("b");
    cluster.deliver();
    cluster.flush("a");
    const late = cluster.network.filter(({ type }) => type === "propose-answer");
    cluster.network = cluster.network.filter(({ type }) => type !== "propose-answer");
    cluster.settle();
    expect(cluster.texts("b")).toEqual(["quick"]);
    expect(cluster.member("b").proposals).toEqual([]);
    cluster.network.push(...late, ...late);
    cluster.settle();
    expect(cluster.member("b").proposals).toMatchObject([{ id, outcome: "committed" }]);
  });
});

describe("a forwarded proposal that the network repeats", () => {
  it("is appended once, and every copy is told the same place", () => {
    const cluster = ledByA();
    const copy = forwarded(cluster, "once");
    const first = answersTo(cluster, copy);
    expect(first).toMatchObject([{ appended: { term: 1, index: 3 } }]);
    expect(answersTo(cluster, copy)).toEqual(first);
    cluster.run(1);
    expect(answersTo(cluster, copy)).toEqual(first);
    cluster.run(1);
    expect(cluster.texts("c")).toEqual(["once"]);
  });

  it("stays refused, though the leader would append it by now", () => {
    const cluster = ledByA();
    cluster.isolate("c");
    cluster.node("a").transferLeadership("c");
    const copy = forwarded(cluster, "refused");
    cluster.settle();
    expect(cluster.member("b").proposals).toMatchObject([{ outcome: "not-proposed" }]);
    cluster.run(10);
    cluster.heal();
    expect(answersTo(cluster, copy)).toMatchObject([{ reason: "transferring" }]);
    cluster.propose("b", "appended");
    cluster.settle();
    cluster.run(1);
    expect(cluster.texts("b")).toEqual(["appended"]);
  });

  it("overtakes another one without harm", () => {
    const cluster = ledByA();
    const first = forwarded(cluster, "first");
    cluster.network = [];
    const second = forwarded(cluster, "second");
    for (const copy of [second, first, second, first]) answersTo(cluster, copy);
    cluster.run(1);
    expect(cluster.texts("b")).toEqual(["second", "first"]);
  });

  it("has no answer and no entry once its first answer is forgotten", () => {
    const cluster = ledByA({ limits: { answersKeptMax: 1 } });
    const copy = forwarded(cluster, "old");
    expect(answersTo(cluster, copy)).toHaveLength(1);
    expect(answersTo(cluster, forwarded(cluster, "new"))).toHaveLength(1);
    expect(answersTo(cluster, copy)).toEqual([]);
    cluster.run(1);
    expect(cluster.texts("a")).toEqual(["old", "new"]);
    expect(cluster.node("a").status().counters).toMatchObject({ proposalsIgnored: 1 });
  });

  it("is told the truth by a leader that has stepped down", () => {
    const cluster = ledByA();
    const known = forwarded(cluster, "known");
    const appended = answersTo(cluster, known);
    const late = forwarded(cluster, "late");
    deposeA(cluster);
    expect(answersTo(cluster, known)).toEqual(appended);
    expect(answersTo(cluster, late)).toMatchObject([{ reason: "no-leader" }]);
  });

  it("means nothing to its leader in a later term, whether that leads or not", () => {
    const cluster = ledByA();
    const known = forwarded(cluster, "known");
    cluster.settle();
    const late = forwarded(cluster, "late");
    cluster.network = [];
    cluster.run(10);
    cluster.node("a").transferLeadership("c");
    cluster.settle();
    expect(answersTo(cluster, known)).toHaveLength(1);
    cluster.node("c").transferLeadership("a");
    cluster.settle();
    expect([cluster.node("a").role, cluster.node("a").term]).toEqual(["leader", 3]);
    expect([known, late].map((copy) => answersTo(cluster, copy))).toEqual([[], []]);
    expect(cluster.texts("a")).toEqual(["known"]);
    // Its proposer never heard of it: that is unknown, not refused.
    expect(cluster.member("b").proposals[1]).toMatchObject({ outcome: "unknown" });
  });

  it("has no answer and no entry once its proposer is removed", () => {
    const cluster = ledByA();
    const copy = forwarded(cluster, "before");
    cluster.settle();
    cluster.node("a").proposeConfigChange(cluster.nextId(), {
      transition: "auto",
      steps: [{ kind: "remove", node: "b" }],
      context: new Uint8Array(),
    });
    cluster.settle();
    expect(answersTo(cluster, copy)).toEqual([]);
    expect(cluster.texts("c")).toEqual(["before"]);
  });

  it("does not stand for the same number of the next instance", () => {
    const cluster = ledByA();
    const copy = forwarded(cluster, "of b");
    cluster.settle();
    const next = { ...copy, from: "b2" };
    expect(answersTo(cluster, next)).toEqual([]);
    cluster.add("b2");
    cluster.node("a").proposeConfigChange(cluster.nextId(), {
      transition: "auto",
      steps: [{ kind: "add-learner", node: "b2" }],
      context: new Uint8Array(),
    });
    cluster.settle();
    expect(answersTo(cluster, next)).toMatchObject([{ to: "b2", appended: { term: 1 } }]);
  });

  it("names a term that its receiver led, else no correct node sent it", () => {
    const cluster = ledByA();
    const copy = forwarded(cluster, "x");
    const stepped = cluster.node("a").step({ ...copy, term: 2 });
    expect(!stepped.ok && stepped.error.code).toBe("protocol");
    expect(cluster.node("c").step({ ...copy, to: "c" }).ok).toBe(false);
  });
});

describe("a proposal's number", () => {
  it("is above those of all before, so that no late answer can be meant for it", () => {
    const node = ledByA().node("b");
    expect(node.propose(5, new Uint8Array(1)).kind).toBe("pending");
    for (const id of [5, 4, -1, 6.5, Number.NaN]) {
      expect(() => node.propose(id, new Uint8Array(1))).toThrow(AssertionError);
    }
    expect(node.propose(6, new Uint8Array(1)).kind).toBe("pending");
  });
});
