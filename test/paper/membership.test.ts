/** Ongaro's thesis: cluster membership changes. Each test proves its section. */
import { describe, expect, it } from "vitest";
import {
  NO_DATA,
  type ConfigChange,
  type ConfigChangeStep,
  type RequestOutcome,
} from "../../src/core/raft/index.ts";
import { Cluster } from "../support/raft/cluster.ts";

function change(
  cluster: Cluster,
  node: string,
  steps: readonly ConfigChangeStep[],
  transition: ConfigChange["transition"] = "auto",
): RequestOutcome {
  const wanted: ConfigChange = { transition, steps, context: NO_DATA };
  return cluster.node(node).proposeConfigChange(cluster.nextId(), wanted);
}

describe("4.1 Safety", () => {
  it("a second change is refused until the first one is applied", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    expect(change(cluster, "a", [{ kind: "add-voter", node: "d" }]).kind).toBe("pending");
    expect(change(cluster, "a", [{ kind: "add-voter", node: "e" }])).toMatchObject({
      reason: "change-in-flight",
    });
    cluster.add("d");
    cluster.settle();
    expect(change(cluster, "a", [{ kind: "add-learner", node: "e" }]).kind).toBe("pending");
  });

  it("a new leader waits for whatever change its predecessor may have left behind", () => {
    const cluster = new Cluster(["a", "b", "c"], { preVote: false, checkQuorum: false });
    cluster.elect("a");
    cluster.propose("a", "on b and c, and committed nowhere");
    cluster.flush("a");
    cluster.deliver();
    cluster.flush("b");
    cluster.flush("c");
    cluster.network = [];
    cluster.isolate("a");
    cluster.node("b").campaign();
    while (cluster.node("b").role !== "leader") {
      cluster.deliver();
      for (const id of ["c", "b"]) cluster.flush(id);
    }
    const learner: ConfigChangeStep[] = [{ kind: "add-learner", node: "d" }];
    expect(change(cluster, "b", learner)).toMatchObject({ reason: "change-in-flight" });
    cluster.settle();
    expect(change(cluster, "b", learner).kind).toBe("pending");
  });

  it("a change takes effect when it is applied, not before", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    change(cluster, "a", [{ kind: "add-voter", node: "d" }]);
    cluster.flush("a");
    expect(cluster.node("a").status().configuration.voters).toEqual(["a", "b", "c"]);
    cluster.add("d");
    cluster.settle();
    for (const id of ["a", "b", "c", "d"]) {
      expect(cluster.node(id).status().configuration.voters).toEqual(["a", "b", "c", "d"]);
    }
  });
});

describe("4.2.1 Catching up new servers", () => {
  it("a learner receives the log and counts for nothing", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.propose("a", "before it came");
    cluster.settle();
    cluster.node("a").compact(cluster.node("a").applied);
    cluster.add("d");
    change(cluster, "a", [{ kind: "add-learner", node: "d" }]);
    cluster.settle();
    cluster.run(2);
    expect(new TextDecoder().decode(cluster.member("d").state)).toBe("before it came");
    // With b and c gone, a and d are no majority.
    cluster.isolate("b", "c");
    const { commit } = cluster.node("a");
    cluster.propose("a", "not enough");
    cluster.settle();
    expect(cluster.node("a").commit).toBe(commit);
    cluster.run(100);
    expect(cluster.node("d").role).toBe("follower");
  });
});

describe("4.2.2 Removing the current leader", () => {
  it("a leader that removes itself commits that without counting itself, hands over and steps down", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    change(cluster, "a", [{ kind: "remove", node: "a" }]);
    cluster.settle();
    expect(cluster.node("a").status()).toMatchObject({ role: "follower", removed: true });
    expect(cluster.leaders()).toEqual(["b"]);
    cluster.propose("b", "goes on");
    cluster.settle();
    expect(cluster.texts("c")).toEqual(["goes on"]);
    cluster.run(100);
    expect(cluster.leaders()).toEqual(["b"]);
  });
});

describe("4.2.3 Disruptive servers", () => {
  it("a removed server learns that it is out and stops campaigning", () => {
    const cluster = new Cluster(["a", "b", "c", "d"]);
    cluster.elect("a");
    cluster.isolate("d");
    change(cluster, "a", [{ kind: "remove", node: "d" }]);
    cluster.settle();
    cluster.run(30);
    expect(cluster.node("d").status().removed).toBe(false);
    cluster.heal();
    cluster.run(30);
    expect(cluster.node("d").status()).toMatchObject({ removed: true, role: "follower" });
    expect([cluster.leaders(), cluster.node("a").term]).toEqual([["a"], 1]);
    expect(cluster.node("a").status().departing).toEqual([]);
  });

  it("a new leader goes on telling it", () => {
    const cluster = new Cluster(["a", "b", "c", "d"]);
    cluster.elect("a");
    cluster.isolate("d");
    change(cluster, "a", [{ kind: "remove", node: "d" }]);
    cluster.settle();
    cluster.node("a").transferLeadership("b");
    cluster.settle();
    cluster.heal();
    cluster.run(30);
    expect(cluster.leaders()).toEqual(["b"]);
    expect(cluster.node("d").status().removed).toBe(true);
  });

  it("nobody is told for ever", () => {
    const cluster = new Cluster(["a", "b", "c", "d"]);
    cluster.elect("a");
    cluster.isolate("d");
    change(cluster, "a", [{ kind: "remove", node: "d" }]);
    cluster.settle();
    cluster.run(101);
    expect(cluster.node("a").status().departing).toEqual([]);
    cluster.heal();
    cluster.run(200);
    expect([cluster.leaders(), cluster.node("a").term]).toEqual([["a"], 1]);
  });
});

describe("4.3 Arbitrary configuration changes using joint consensus", () => {
  const replaceTwo: ConfigChangeStep[] = [
    { kind: "add-voter", node: "d" },
    { kind: "add-voter", node: "e" },
    { kind: "remove", node: "b" },
    { kind: "remove", node: "c" },
  ];

  it("several voters change through a joint configuration, which is left by itself", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.add("d");
    cluster.add("e");
    change(cluster, "a", replaceTwo);
    cluster.settle();
    cluster.run(3);
    for (const id of ["a", "d", "e"]) {
      const { configuration, counters } = cluster.node(id).status();
      expect(configuration).toMatchObject({ voters: ["a", "d", "e"], votersOutgoing: [] });
      expect(counters.jointConfigurationsEntered).toBe(1);
    }
    expect(cluster.node("b").status().removed).toBe(true);
  });

  it.each([
    { half: "the old", unreachable: ["b", "c"] },
    { half: "the new", unreachable: ["d", "e"] },
  ])("while joint, nothing is committed without a majority of $half half", ({ unreachable }) => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.add("d");
    cluster.add("e");
    change(cluster, "a", replaceTwo, "explicit");
    cluster.settle();
    cluster.run(3);
    cluster.isolate(...unreachable);
    const { commit } = cluster.node("a");
    cluster.propose("a", "half of them");
    cluster.settle();
    expect(cluster.node("a").commit).toBe(commit);
    cluster.heal();
    cluster.run(3);
    expect(cluster.node("a").commit).toBe(commit + 1);
  });

  it("while joint, an election needs a majority of both halves", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.add("d");
    cluster.add("e");
    change(cluster, "a", replaceTwo, "explicit");
    cluster.settle();
    cluster.run(3);
    // b and c are the old half's majority; of the new half they reach nobody.
    cluster.isolate("b", "c");
    cluster.run(200);
    expect(cluster.leaders()).toEqual([]);
    cluster.heal();
    cluster.run(50);
    expect(cluster.leaders()).toHaveLength(1);
  });
});

describe("4.4 System integration: replacing a server", () => {
  it("a successor takes its predecessor's place by one change, once that was silent for long", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.add("d");
    change(cluster, "a", [{ kind: "add-learner", node: "d" }]);
    cluster.settle();
    const replace = (): RequestOutcome =>
      cluster.node("a").proposeReplacement(cluster.nextId(), { predecessor: "c", successor: "d" });
    expect(replace()).toMatchObject({ kind: "refused", reason: "predecessor-heard" });
    cluster.isolate("c");
    cluster.run(29);
    expect(replace()).toMatchObject({ kind: "refused", reason: "predecessor-heard" });
    cluster.run(1);
    expect(replace().kind).toBe("pending");
    cluster.settle();
    cluster.run(3);
    expect(cluster.node("d").status().configuration.voters).toEqual(["a", "b", "d"]);
  });
});
