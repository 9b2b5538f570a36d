/** Ongaro's thesis, "Consensus: Bridging Theory and Practice" (2014): elections. Each test proves its section. */
import { describe, expect, it } from "vitest";
import { NO_DATA, type Message } from "../../src/core/raft/index.ts";
import { Cluster } from "../support/raft/cluster.ts";

const PLAIN = { preVote: false, checkQuorum: false };

describe("3.3 Raft basics: terms", () => {
  it("a server that sees a larger term takes it over and becomes follower", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.elect("a");
    cluster.isolate("a");
    cluster.elect("b");
    expect(cluster.node("a").role).toBe("leader");
    cluster.heal();
    cluster.run(1);
    expect([cluster.node("a").role, cluster.node("a").term]).toEqual(["follower", 2]);
  });

  it("a request of a stale term is rejected, with the present one", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.elect("a");
    cluster.isolate("a");
    cluster.elect("b");
    cluster.heal();
    cluster.node("a").tick();
    cluster.flush("a");
    cluster.deliver();
    cluster.flush("c");
    expect(cluster.network).toContainEqual(
      expect.objectContaining({ type: "higher-term", from: "c", to: "a", term: 2 }),
    );
  });
});

describe("3.4 Leader election", () => {
  it("a follower that hears nothing for its timeout starts an election and wins it with a majority", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.run(20);
    expect(cluster.leaders()).toHaveLength(1);
  });

  it("heartbeats keep followers from starting elections", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.elect("a");
    cluster.run(200);
    expect([cluster.leaders(), cluster.node("a").term]).toEqual([["a"], 1]);
  });

  it("each server votes for at most one candidate in a term, first come first served", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.node("a").campaign();
    cluster.node("c").campaign();
    cluster.flush("a");
    cluster.flush("c");
    cluster.settle();
    expect(cluster.node("b").status().vote).toBe("a");
    expect(cluster.leaders()).toEqual(["a"]);
    expect(cluster.node("c").term).toBe(1);
  });

  it("a vote that is asked for again is given again", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.node("a").campaign();
    cluster.flush("a");
    const request = cluster.network.find((message) => message.to === "b")!;
    for (let time = 0; time < 2; time++) expect(cluster.node("b").step(request).ok).toBe(true);
    cluster.flush("b");
    const answers = cluster.network.filter((message) => message.type === "vote-answer");
    expect(answers.map((answer) => answer.granted)).toEqual([true, true]);
  });

  it("a candidate that hears from a leader of its term follows it", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.node("a").campaign();
    cluster.node("c").campaign();
    cluster.flush("c");
    cluster.network = [];
    cluster.settle();
    expect(cluster.node("c").status()).toMatchObject({ role: "follower", leader: "a", vote: "c" });
  });

  it("randomized timeouts resolve split votes", () => {
    const cluster = new Cluster(["a", "b", "c", "d"], PLAIN);
    for (const id of ["a", "b", "c", "d"]) cluster.node(id).campaign();
    cluster.settle();
    expect(cluster.leaders()).toEqual([]);
    cluster.run(100);
    expect(cluster.leaders()).toHaveLength(1);
  });

  it("the timeout is drawn anew from [T, 2T - 1] at every role change", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.isolate("a");
    const drawn = new Set<number>();
    for (let change = 0; change < 200; change++) {
      cluster.node("a").campaign();
      drawn.add(cluster.node("a").status().randomizedElectionTimeoutTicks);
    }
    expect([...drawn].sort((x, y) => x - y)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });
});

describe("3.6.1 Election restriction", () => {
  it("a candidate whose log is older is refused, whether by term or by length", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.elect("a");
    cluster.isolate("c");
    cluster.propose("a", "c lacks this");
    cluster.settle();
    cluster.heal();
    cluster.elect("c");
    expect(cluster.leaders()).toEqual([]);
    expect(cluster.elect("b").role).toBe("leader");
  });
});

describe("9.6 Preventing disruptions when a server rejoins the cluster", () => {
  it("a pre-vote changes neither term nor vote of anybody", () => {
    const cluster = new Cluster(["a", "b", "c"], { checkQuorum: false });
    cluster.isolate("c");
    cluster.node("c").campaign();
    cluster.settle();
    cluster.heal();
    const before = cluster.node("b").status();
    cluster.node("b").step({
      type: "pre-vote",
      groupId: "group",
      from: "c",
      to: "b",
      term: 1,
      last: { term: 0, index: 1 },
      commit: { term: 0, index: 0 },
    });
    cluster.flush("b");
    const { term, vote, electionElapsedTicks } = cluster.node("b").status();
    expect({ term, vote, electionElapsedTicks }).toEqual({
      term: before.term,
      vote: before.vote,
      electionElapsedTicks: before.electionElapsedTicks,
    });
    expect(cluster.network).toContainEqual(
      expect.objectContaining({ type: "pre-vote-answer", granted: true, term: 1 }),
    );
  });

  it("a partitioned server comes back in the term that it left with", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.isolate("c");
    cluster.run(500);
    expect(cluster.node("c").term).toBe(1);
    cluster.heal();
    cluster.run(20);
    expect([cluster.leaders(), cluster.node("a").term]).toEqual([["a"], 1]);
  });

  it("a grant carries the asked term, a refusal the responder's own", () => {
    const cluster = new Cluster(["a", "b", "c"], { checkQuorum: false });
    cluster.elect("a");
    const ask = (index: number): Message => ({
      type: "pre-vote",
      groupId: "group",
      from: "c",
      to: "b",
      term: 7,
      last: { term: 1, index },
      commit: { term: 0, index: 0 },
    });
    cluster.node("b").step(ask(9));
    cluster.node("b").step(ask(1));
    cluster.flush("b");
    expect(cluster.network).toMatchObject([
      { granted: true, term: 7 },
      { granted: false, term: 1 },
    ]);
  });
});

describe("4.2.3 Disruptive servers", () => {
  it("a server that heard from a leader within the election timeout ignores votes", () => {
    const cluster = new Cluster(["a", "b", "c"], { preVote: false });
    cluster.elect("a");
    cluster.node("c").campaign();
    cluster.settle();
    expect([cluster.leaders(), cluster.node("a").term, cluster.node("b").term]).toEqual([
      ["a"],
      1,
      1,
    ]);
    expect(cluster.node("b").status().counters.stickyRefusals).toBe(1);
  });

  it("a server that has not heard from it for that long votes again", () => {
    const cluster = new Cluster(["a", "b", "c"], { preVote: false });
    cluster.elect("a");
    cluster.isolate("a");
    cluster.node("b").setRandomizedElectionTimeout(15);
    for (let tick = 0; tick < 10; tick++) cluster.node("b").tick();
    expect(cluster.elect("c").role).toBe("leader");
  });

  it("the mark of a leadership transfer overrides it", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.node("a").transferLeadership("c");
    cluster.settle();
    expect(cluster.leaders()).toEqual(["c"]);
  });
});

describe("3.10 Leadership transfer extension", () => {
  it("the prior leader stops accepting requests, brings the target up to date, and lets it campaign", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.isolate("b");
    cluster.propose("a", "b lacks this");
    cluster.settle();
    cluster.heal();
    cluster.node("a").transferLeadership("b");
    expect(cluster.node("a").propose(99, NO_DATA)).toMatchObject({ reason: "transferring" });
    cluster.settle();
    cluster.run(2);
    expect(cluster.leaders()).toEqual(["b"]);
    expect(cluster.texts("b")).toEqual(["b lacks this"]);
  });

  it("a transfer that is not complete after an election timeout is given up", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.isolate("b");
    cluster.propose("a", "b lacks this");
    cluster.settle();
    cluster.node("a").transferLeadership("b");
    cluster.run(10);
    expect(cluster.node("a").status().transferee).toBeUndefined();
    cluster.propose("a", "goes on");
    cluster.settle();
    expect(cluster.texts("c")).toEqual(["b lacks this", "goes on"]);
  });
});
