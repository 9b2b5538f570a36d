import { describe, expect, it } from "vitest";
import { NO_DATA } from "../../../../src/core/raft/index.ts";
import { Cluster } from "../../../support/raft/cluster.ts";

describe("CheckQuorum", () => {
  it("makes a leader without a quorum step down in its term, with its vote, and say so", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.lost = ({ to }) => to === "a";
    cluster.run(20);
    const { role, term, vote, leader, counters } = cluster.node("a").status();
    expect({ role, term, vote, leader }).toEqual({
      role: "follower",
      term: 1,
      vote: "a",
      leader: undefined,
    });
    expect(counters).toMatchObject({ checkQuorumStepDowns: 1, announcedStepDowns: 1 });
  });

  it("counts no learner", () => {
    const cluster = new Cluster(["a", "b", "c", "d"], { learners: ["d"] });
    cluster.elect("a");
    cluster.isolate("b", "c");
    cluster.run(20);
    expect(cluster.node("a").role).toBe("follower");
  });

  it("takes a refusal for a sign of life", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.lost = ({ to, type }) => to !== "a" || type !== "append-refused";
    for (let tick = 0; tick < 40; tick++) {
      cluster.node("a").tick();
      cluster.node("a").step({
        type: "append-refused",
        groupId: "group",
        from: "b",
        to: "a",
        term: 1,
        refused: 1,
        hint: { term: 0, index: 0 },
      });
      cluster.settle();
    }
    expect(cluster.node("a").role).toBe("leader");
  });

  it("takes progress of a long transfer for a sign of life", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.lost = () => true;
    for (let tick = 0; tick < 40; tick++) {
      cluster.node("a").tick();
      cluster.node("a").reportProgress("c");
      cluster.settle();
    }
    expect(cluster.node("a").role).toBe("leader");
  });
});

describe("shutdown", () => {
  it("hands over to the most caught-up voter, the lowest id on a tie", () => {
    const cluster = new Cluster(["a", "b", "c", "d"]);
    cluster.elect("a");
    cluster.isolate("b");
    cluster.propose("a", "b lacks this");
    cluster.settle();
    cluster.heal();
    cluster.node("a").shutdown();
    cluster.settle();
    expect(cluster.leaders()).toEqual(["c"]);
    expect(cluster.node("a").status()).toMatchObject({ role: "follower", retiring: true });
  });

  it("passes over a voter that has fallen silent", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.isolate("b");
    cluster.run(15);
    cluster.node("a").shutdown();
    cluster.settle();
    expect(cluster.leaders()).toEqual(["c"]);
  });

  it("ends within an election timeout though nobody can take over", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.isolate("a");
    cluster.propose("a", "nobody has this");
    cluster.settle();
    cluster.node("a").shutdown();
    cluster.run(10);
    expect(cluster.node("a").role).toBe("follower");
  });

  it("steps down at once without another voter, and never campaigns again", () => {
    const cluster = new Cluster(["a"]);
    cluster.elect("a");
    cluster.node("a").shutdown();
    expect(cluster.node("a").role).toBe("follower");
    cluster.run(100);
    expect(cluster.node("a").role).toBe("follower");
    expect(cluster.node("a").propose(1, NO_DATA)).toMatchObject({ reason: "retiring" });
  });
});

describe("an announced step-down", () => {
  it("is heeded only from the leader that is followed", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    const stepDown = { type: "step-down", groupId: "group", to: "b", term: 1 } as const;
    cluster.node("b").step({ ...stepDown, from: "c" });
    expect(cluster.node("b").leader).toBe("a");
    cluster.node("b").step({ ...stepDown, from: "a" });
    expect(cluster.node("b").leader).toBeUndefined();
    expect(cluster.node("b").status()).toMatchObject({
      term: 1,
      vote: "a",
      electionElapsedTicks: 10,
    });
  });
});

describe("a hand-over", () => {
  it("that meets an unapplied configuration change waits until it is applied", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    const { raft } = cluster.member("b");
    cluster.node("a").proposeConfigChange(cluster.nextId(), {
      transition: "auto",
      steps: [{ kind: "add-learner", node: "d" }],
      context: NO_DATA,
    });
    cluster.flush("a");
    cluster.deliver();
    cluster.flush("b");
    cluster.flush("c");
    cluster.deliver();
    cluster.flush("a");
    // b hears of the commit, and before it applies the change, that it shall lead.
    cluster.deliver(({ to }) => to === "b");
    raft.step({ type: "timeout-now", groupId: "group", from: "a", to: "b", term: 1 });
    expect(raft.role).toBe("follower");
    raft.advance(raft.ready());
    expect(raft.role).toBe("candidate");
  });
});

describe("a candidate", () => {
  it.each(["remove", "add-learner"] as const)(
    "gives up when a refusal tells it that it is no voter any more (%s)",
    (kind) => {
      const cluster = new Cluster(["a", "b", "c", "d"], { preVote: false });
      cluster.elect("a");
      const node = cluster.node("d");
      // The change reaches d, the word that it is committed does not.
      cluster.lost = (message) =>
        message.to === "d" && "commit" in message && Number(message.commit) > 2;
      cluster.node("a").proposeConfigChange(cluster.nextId(), {
        transition: "auto",
        steps: [{ kind, node: "d" }],
        context: new Uint8Array(),
      });
      cluster.settle();
      expect([cluster.node("a").applied, node.applied]).toEqual([3, 2]);
      node.campaign();
      cluster.flush("d");
      expect(node.role).toBe("candidate");
      const answer = { type: "vote-answer", groupId: "group", to: "d", term: 2 } as const;
      const commit = { term: 1, index: 3 };
      for (const from of ["a", "b", "c"]) {
        expect(node.step({ ...answer, from, granted: from !== "a", commit }).ok).toBe(true);
        cluster.flush("d");
        expect([node.role, node.term]).toEqual(["follower", 2]);
      }
    },
  );
});

describe("a learner", () => {
  it("that does not know that it was made a voter learns it from a candidate that it refuses", () => {
    const cluster = new Cluster(["a", "b", "c", "d"], { learners: ["d"] });
    cluster.elect("a");
    const node = cluster.node("d");
    // Everything reaches d but the word that its promotion is committed; and what comes after it reaches nobody else.
    cluster.lost = (message) =>
      message.to === "d" && "commit" in message && Number(message.commit) > 2;
    cluster.node("a").proposeConfigChange(cluster.nextId(), {
      transition: "auto",
      steps: [{ kind: "add-voter", node: "d" }],
      context: new Uint8Array(),
    });
    cluster.settle();
    expect(node.status().configuration.learners).toContain("d");
    node.step({
      type: "pre-vote",
      groupId: "group",
      from: "b",
      to: "d",
      term: 2,
      last: { term: 1, index: 2 },
      commit: { term: 1, index: 3 },
    });
    cluster.flush("d");
    expect(node.status().configuration.learners).not.toContain("d");
  });
});

describe("a halted node", () => {
  it("says nothing more, not even what it had ready, and ends its requests as unknown", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    const id = cluster.propose("a", "too late");
    const { raft } = cluster.member("a");
    raft.halt();
    const ready = raft.ready();
    expect(ready).toMatchObject({
      messages: [],
      entries: [],
      committedEntries: [],
      hardState: undefined,
    });
    expect(ready.proposals).toEqual([{ id, outcome: "unknown" }]);
    raft.advance(ready);
    expect(raft.hasReady()).toBe(false);
    cluster.elect("b");
    cluster.run(50);
    expect(raft.status()).toMatchObject({ halted: true, term: 1 });
    expect(raft.hasReady()).toBe(false);
    expect(raft.propose(99, NO_DATA)).toMatchObject({ reason: "halted" });
    expect(raft.readIndex(99)).toMatchObject({ reason: "halted" });
  });

  it("answers no vote, no append and no heartbeat, and tells no other group anything", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.node("b").halt();
    const envelope = { groupId: "group", from: "a", to: "b", term: 9 } as const;
    const { raft } = cluster.member("b");
    raft.step({
      ...envelope,
      type: "vote",
      last: { term: 9, index: 99 },
      commit: { term: 0, index: 0 },
      transfer: true,
    });
    raft.step({ ...envelope, type: "heartbeat", commit: 0, readRound: 1, minimumMatch: 0 });
    raft.step({ ...envelope, groupId: "other", type: "higher-term" });
    expect(raft.hasReady()).toBe(false);
    expect(raft.term).toBe(1);
  });
});
