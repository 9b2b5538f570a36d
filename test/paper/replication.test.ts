/** Ongaro's thesis: replication, commitment, compaction and clients. Each test proves its section. */
import { describe, expect, it } from "vitest";
import type { Append, Message } from "../../src/core/raft/index.ts";
import { Cluster } from "../support/raft/cluster.ts";

const PLAIN = { preVote: false, checkQuorum: false };

function isAppend(message: Message): message is Append {
  return message.type === "append";
}

describe("3.5 Log replication", () => {
  it("an entry is applied everywhere, in order, once a majority has it", () => {
    const cluster = new Cluster(["a", "b", "c", "d", "e"]);
    cluster.elect("a");
    cluster.lost = ({ to }) => to === "d" || to === "e";
    cluster.propose("a", "one");
    cluster.propose("a", "two");
    cluster.settle();
    for (const id of ["a", "b", "c"]) expect(cluster.texts(id)).toEqual(["one", "two"]);
    expect(cluster.texts("d")).toEqual([]);
    cluster.heal();
    cluster.run(3);
    for (const id of ["d", "e"]) expect(cluster.texts(id)).toEqual(["one", "two"]);
  });

  it("nothing is committed by a minority", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.isolate("a");
    const commit = cluster.node("a").commit;
    cluster.propose("a", "nobody hears this");
    cluster.settle();
    expect(cluster.node("a").commit).toBe(commit);
  });

  it("the consistency check: an append whose predecessor is missing is refused", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.propose("a", "lost on the way to b");
    cluster.flush("a");
    cluster.network = cluster.network.filter(({ to }) => to !== "b");
    cluster.propose("a", "arrives");
    cluster.flush("a");
    cluster.deliver(({ to }) => to === "b");
    cluster.flush("b");
    expect(cluster.network).toContainEqual(
      expect.objectContaining({ type: "append-refused", refused: 3, hint: { term: 1, index: 2 } }),
    );
    cluster.settle();
    expect(cluster.texts("b")).toEqual(["lost on the way to b", "arrives"]);
  });

  it("a follower's conflicting entries are replaced by the leader's", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.elect("a");
    cluster.isolate("a");
    cluster.propose("a", "never committed");
    cluster.settle();
    cluster.elect("b");
    cluster.propose("b", "committed");
    cluster.settle();
    cluster.heal();
    cluster.run(3);
    for (const id of ["a", "b", "c"]) expect(cluster.texts(id)).toEqual(["committed"]);
    expect(cluster.node("a").status().counters.conflictsTruncated).toBe(1);
  });

  it("a leader never overwrites or deletes entries of its own log", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.isolate("a");
    cluster.propose("a", "kept");
    cluster.settle();
    const before = cluster.node("a").logEntries();
    cluster.heal();
    cluster.run(2);
    expect(cluster.node("a").logEntries().slice(0, before.length)).toEqual(before);
  });

  it("a refusal tells where the terms differ, so that the search takes one probe a term", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.elect("a");
    cluster.isolate("a");
    for (let entry = 0; entry < 50; entry++) cluster.propose("a", "tail of term 1");
    cluster.settle();
    cluster.elect("b");
    for (let entry = 0; entry < 50; entry++) cluster.propose("b", "log of term 2");
    cluster.settle();
    cluster.heal();
    let probes = 0;
    cluster.lost = (message) => {
      if (isAppend(message) && message.from === "b" && message.to === "a") probes++;
      return false;
    };
    cluster.node("b").tick();
    cluster.settle();
    expect(cluster.node("a").logEntries()).toEqual(cluster.node("b").logEntries());
    expect(probes).toBeLessThanOrEqual(4);
  });
});

describe("3.6.2 Committing entries from previous terms", () => {
  it("an entry of an old term is not committed by counting, but by one of the own term behind it", () => {
    const cluster = new Cluster(["a", "b", "c", "d", "e"], {
      ...PLAIN,
      limits: { appendBytesMax: 1 },
    });
    cluster.elect("a");
    cluster.lost = ({ to }) => to !== "b";
    cluster.propose("a", "old");
    cluster.flush("a");
    cluster.settle();
    cluster.heal();
    // The entry of term 1 reaches everybody; who has it loses what comes behind it.
    const index = 3;
    const holdsOld = (id: string): boolean =>
      cluster
        .node(id)
        .logEntries()
        .some((entry) => entry.index === index);
    cluster.lost = (message) =>
      message.from === "a" ||
      message.to === "a" ||
      (isAppend(message) && message.previous.index === index && holdsOld(message.to));
    cluster.elect("b");
    cluster.run(5);
    for (const id of ["b", "c", "d", "e"]) {
      expect(cluster.node(id).logEntries()).toContainEqual(
        expect.objectContaining({ index, term: 1 }),
      );
    }
    expect(cluster.node("b").commit).toBeLessThan(index);
    cluster.lost = ({ from, to }) => from === "a" || to === "a";
    cluster.run(5);
    expect(cluster.node("b").commit).toBeGreaterThan(index);
    expect(cluster.texts("c")).toEqual(["old"]);
  });
});

describe("3.7 Follower and candidate crashes", () => {
  it("requests are idempotent: a repeated append changes nothing and is answered", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.propose("a", "once");
    cluster.flush("a");
    const append = cluster.network.find((message) => isAppend(message) && message.to === "b")!;
    cluster.settle();
    for (let time = 0; time < 3; time++) cluster.node("b").step(append);
    cluster.flush("b");
    expect(cluster.network.filter((message) => message.type === "append-accepted")).toHaveLength(3);
    cluster.settle();
    expect(cluster.texts("b")).toEqual(["once"]);
  });
});

describe("5.1 Snapshotting memory-based state machines", () => {
  it("a follower that is behind what the leader dropped gets a snapshot, then the rest", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.isolate("c");
    for (const text of ["x", "y", "z"]) cluster.propose("a", text);
    cluster.settle();
    cluster.node("a").compact(cluster.node("a").applied);
    cluster.propose("a", "!");
    cluster.settle();
    cluster.heal();
    cluster.run(3);
    expect(new TextDecoder().decode(cluster.member("c").state)).toBe("xyz!");
    expect(cluster.node("c").status().counters.snapshotsInstalled).toBe(1);
    expect(cluster.node("c").commit).toBe(cluster.node("a").commit);
  });

  it("the log keeps the term of the last dropped entry for the consistency check", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.propose("a", "x");
    cluster.settle();
    for (const id of ["a", "b", "c"]) cluster.node(id).compact(cluster.node(id).applied);
    cluster.propose("a", "y");
    cluster.settle();
    expect(cluster.texts("c")).toEqual(["x", "y"]);
    expect(cluster.node("a").status().counters.snapshotsSent).toBe(0);
  });
});

describe("6.2 Routing requests to the leader", () => {
  it("a follower forwards a proposal, and learns how it ended", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    const id = cluster.propose("b", "through b");
    cluster.settle();
    expect(cluster.texts("c")).toEqual(["through b"]);
    expect(cluster.member("b").proposals).toMatchObject([{ id, outcome: "committed" }]);
  });

  it("a server that knows no leader refuses", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    expect(() => cluster.propose("b", "to whom?")).toThrow("no-leader");
  });
});

describe("6.4 Processing read-only queries more efficiently", () => {
  it("a read sees everything that was committed before it, without an entry in the log", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.propose("a", "written");
    cluster.settle();
    const { commit } = cluster.node("a");
    const { last } = cluster.node("a").status();
    cluster.node("b").readIndex(1);
    cluster.settle();
    expect(cluster.member("b").reads).toEqual([{ context: 1, index: commit }]);
    expect(cluster.node("a").status().last).toEqual(last);
  });

  it("step 1: a leader that has not committed in its term makes reads wait until it has", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.node("a").campaign();
    cluster.flush("a");
    while (cluster.node("a").role !== "leader") {
      cluster.deliver();
      for (const id of ["b", "c", "a"]) cluster.flush(id);
    }
    expect(cluster.node("a").commit).toBe(1);
    cluster.node("a").readIndex(1);
    cluster.flush("a");
    expect(cluster.member("a").reads).toEqual([]);
    cluster.settle();
    expect(cluster.member("a").reads).toEqual([{ context: 1, index: 2 }]);
  });

  it("step 3: a leader that was replaced can't confirm its leadership, so its reads never end in an index", () => {
    const cluster = new Cluster(["a", "b", "c"], PLAIN);
    cluster.elect("a");
    cluster.isolate("a");
    cluster.elect("b");
    cluster.node("a").readIndex(1);
    cluster.run(5);
    expect(cluster.member("a").reads).toEqual([]);
    cluster.heal();
    cluster.run(5);
    expect(cluster.member("a").reads).toEqual([{ context: 1, index: undefined }]);
  });

  it("a single round of heartbeats serves any number of accumulated reads", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    for (let context = 0; context < 100; context++) cluster.node("a").readIndex(context);
    cluster.settle();
    expect(cluster.member("a").reads).toHaveLength(100);
    expect(cluster.node("a").status().counters.readRounds).toBe(1);
  });
});
