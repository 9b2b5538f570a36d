import { describe, expect, it } from "vitest";
import { Cluster } from "../../../support/raft/cluster.ts";

const DATA = new Uint8Array(100);

describe("bounds", () => {
  it("a leader appends only so many bytes before they are committed, and goes on afterwards", () => {
    const cluster = new Cluster(["a", "b", "c"], { limits: { uncommittedBytesMax: 250 } });
    cluster.elect("a");
    const outcomes = [1, 2, 3].map((id) => cluster.node("a").propose(id, DATA));
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(["pending", "pending", "refused"]);
    expect(outcomes[2]).toMatchObject({ reason: "too-much-uncommitted", leader: "a" });
    cluster.settle();
    expect(cluster.node("a").status().uncommittedBytes).toBe(0);
    expect(cluster.node("a").propose(4, DATA).kind).toBe("pending");
  });

  it("the first proposal always fits, also beyond the bound", () => {
    const cluster = new Cluster(["a", "b", "c"], { limits: { uncommittedBytesMax: 1 } });
    cluster.elect("a");
    expect(cluster.node("a").propose(1, DATA).kind).toBe("pending");
  });

  it("a proposal that is too large is refused, on the leader for a follower too", () => {
    const cluster = new Cluster(["a", "b", "c"], { limits: { proposalBytesMax: 99 } });
    cluster.elect("a");
    expect(cluster.node("b").propose(1, DATA)).toMatchObject({ reason: "too-large" });
    cluster.node("a").step({
      type: "propose",
      groupId: "group",
      from: "b",
      to: "a",
      term: 1,
      id: 7,
      payload: { kind: "normal", data: DATA },
    });
    cluster.flush("a");
    expect(cluster.network).toMatchObject([{ type: "propose-answer", id: 7, reason: "too-large" }]);
  });

  it("only so many proposals and reads wait for a result", () => {
    const cluster = new Cluster(["a", "b", "c"], { limits: { waitingMax: 2 } });
    cluster.elect("a");
    for (const id of [1, 2]) {
      expect(cluster.node("a").propose(id, DATA).kind).toBe("pending");
      expect(cluster.node("a").readIndex(id).kind).toBe("pending");
    }
    expect(cluster.node("a").propose(3, DATA)).toMatchObject({ reason: "too-many-waiting" });
    expect(cluster.node("a").readIndex(3)).toMatchObject({ reason: "too-many-waiting" });
    cluster.settle();
    expect(cluster.node("a").readIndex(3).kind).toBe("pending");
  });

  it("appends carry so many bytes, and at least one entry", () => {
    const cluster = new Cluster(["a", "b", "c"], { limits: { appendBytesMax: 250 } });
    cluster.elect("a");
    cluster.isolate("b");
    for (let id = 1; id <= 6; id++) cluster.node("a").propose(id, DATA);
    cluster.settle();
    cluster.heal();
    const sizes: number[] = [];
    cluster.lost = (message) => {
      if (message.type === "append" && message.to === "b") sizes.push(message.entries.length);
      return false;
    };
    cluster.run(2);
    expect(Math.max(...sizes)).toBe(2);
    expect(cluster.member("b").applied).toHaveLength(7);
  });

  it("a long log loses what all voters hold, and when it is too long what is applied", () => {
    const cluster = new Cluster(["a", "b", "c"], { limits: { logEntriesMax: 20 } });
    cluster.elect("a");
    for (let id = 1; id <= 15; id++) cluster.node("a").propose(id, DATA);
    cluster.settle();
    cluster.run(1);
    // Everybody holds everything: the applied part goes as soon as half of the bound is passed.
    for (let id = 16; id <= 17; id++) cluster.node("a").propose(id, DATA);
    cluster.settle();
    expect(cluster.node("a").logEntries().length).toBeLessThan(10);
    // With c gone the smallest match stays where it is, until the bound itself is passed.
    cluster.isolate("c");
    for (let id = 18; id <= 60; id++) {
      cluster.node("a").propose(id, DATA);
      cluster.settle();
      expect(cluster.node("a").logEntries().length).toBeLessThanOrEqual(21);
    }
    cluster.heal();
    cluster.run(3);
    expect(cluster.node("c").status().counters.snapshotsInstalled).toBe(1);
    expect(cluster.node("c").applied).toBe(cluster.node("a").applied);
  });
});
