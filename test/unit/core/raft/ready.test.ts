import { describe, expect, it } from "vitest";
import { Prng } from "../../../../src/core/prng.ts";
import { NO_DATA, plainConfiguration, RaftNode } from "../../../../src/core/raft/index.ts";
import { Cluster } from "../../../support/raft/cluster.ts";

function single(): RaftNode {
  return new RaftNode({
    id: "a",
    groupId: "group",
    prng: new Prng(1),
    initial: { index: 1, term: 0, configuration: plainConfiguration(["a"]), data: NO_DATA },
    electionTimeoutTicks: 10,
    heartbeatTicks: 1,
    preVote: false,
    snapshotData: () => NO_DATA,
  });
}

describe("a Ready", () => {
  it("keeps a vote for oneself from counting before it is durable", () => {
    const raft = single();
    raft.campaign();
    const ready = raft.ready();
    expect(ready.hardState).toEqual({ term: 1, vote: "a", commit: 1 });
    expect(ready.mustSync).toBe(true);
    expect(raft.role).toBe("candidate");
    raft.advance(ready);
    expect(raft.role).toBe("leader");
  });

  it("keeps an own entry from counting before it is durable", () => {
    const raft = single();
    raft.campaign();
    raft.advance(raft.ready());
    const ready = raft.ready();
    expect(ready.entries).toHaveLength(1);
    expect([ready.committedEntries, raft.commit]).toEqual([[], 1]);
    raft.advance(ready);
    expect(raft.commit).toBe(2);
    const last = raft.ready();
    expect([last.committedEntries.length, last.mustSync]).toEqual([1, false]);
    raft.advance(last);
    expect(raft.hasReady()).toBe(false);
  });

  it("carries promises behind other messages, with the state that they promise", () => {
    const cluster = new Cluster(["a", "b", "c"], { preVote: false, checkQuorum: false });
    cluster.node("a").campaign();
    cluster.flush("a");
    const { raft } = cluster.member("b");
    cluster.deliver(({ to }) => to === "b");
    const ready = raft.ready();
    expect(ready.hardState).toMatchObject({ term: 1, vote: "a" });
    expect(ready.messages).toMatchObject([{ type: "vote-answer", granted: true }]);
    raft.advance(ready);
  });

  it("must be advanced before anything else, and by its own object", () => {
    const raft = single();
    raft.campaign();
    const ready = raft.ready();
    expect(() => raft.tick()).toThrow("invariant");
    expect(() => raft.advance({ ...ready })).toThrow("invariant");
    expect(raft.hasReady()).toBe(false);
    raft.advance(ready);
  });

  it("hands out committed entries in bounded portions, each once and in order", () => {
    const cluster = new Cluster(["a", "b", "c"], {
      limits: { applyEntriesMax: 3, appendBytesMax: 1 },
    });
    cluster.elect("a");
    for (let entry = 0; entry < 20; entry++) cluster.propose("a", String(entry));
    cluster.settle();
    expect(cluster.texts("b")).toEqual(Array.from({ length: 20 }, (_, at) => String(at)));
  });

  it("gives the same sequence for the same seed", () => {
    const trace = (): string => {
      const cluster = new Cluster(["a", "b", "c"]);
      cluster.run(50);
      return JSON.stringify([...cluster.members.values()].map(({ raft }) => raft.status()));
    };
    expect(trace()).toBe(trace());
  });
});

describe("options", () => {
  it("that make no sense are refused", () => {
    const make = (electionTimeoutTicks: number, heartbeatTicks: number): RaftNode =>
      new RaftNode({
        id: "a",
        groupId: "group",
        prng: new Prng(1),
        electionTimeoutTicks,
        heartbeatTicks,
        snapshotData: () => NO_DATA,
      });
    expect(() => make(1, 1)).toThrow("invariant");
    expect(() => make(2.5, 1)).toThrow("invariant");
    expect(() => make(10, 0)).toThrow("invariant");
    expect(make(2, 1).role).toBe("follower");
  });
});
