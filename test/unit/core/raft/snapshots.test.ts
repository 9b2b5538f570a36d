import { describe, expect, it } from "vitest";
import type { Message } from "../../../../src/core/raft/index.ts";
import { Cluster } from "../../../support/raft/cluster.ts";

const isSnapshot = (message: Message): boolean => message.type === "snapshot";

/** `c` lacks entries that `a`, the leader, has dropped; its first answer has just made `a` send a snapshot. */
function behind(): Cluster {
  const cluster = new Cluster(["a", "b", "c"]);
  cluster.elect("a");
  cluster.isolate("c");
  cluster.propose("a", "x");
  cluster.propose("a", "y");
  cluster.settle();
  cluster.node("a").compact(cluster.node("a").applied);
  cluster.heal();
  while (!cluster.network.some(isSnapshot)) {
    cluster.node("a").tick();
    for (const id of cluster.members.keys()) cluster.flush(id);
    if (!cluster.network.some(isSnapshot)) cluster.deliver();
  }
  return cluster;
}

function state(cluster: Cluster): string {
  return cluster
    .node("a")
    .status()
    .progress.find(({ id }) => id === "c")!.state;
}

describe("a snapshot", () => {
  it("stops appends until it is acknowledged, then they stream", () => {
    const cluster = behind();
    expect(state(cluster)).toBe("snapshot");
    cluster.settle();
    expect(state(cluster)).toBe("replicate");
    expect(new TextDecoder().decode(cluster.member("c").state)).toBe("xy");
  });

  it("that is lost is sent again once its receiver has answered heartbeats for an election timeout", () => {
    const cluster = behind();
    cluster.network = cluster.network.filter((message) => !isSnapshot(message));
    cluster.run(8);
    expect(state(cluster)).toBe("snapshot");
    cluster.run(4);
    expect(state(cluster)).toBe("replicate");
    expect(cluster.node("a").status().counters.snapshotsSent).toBe(2);
  });

  it("whose transfer moves is waited for", () => {
    const cluster = behind();
    const slow = cluster.network.filter(isSnapshot);
    cluster.network = cluster.network.filter((message) => !isSnapshot(message));
    for (let tick = 0; tick < 50; tick++) {
      cluster.run(1);
      cluster.node("a").reportProgress("c");
    }
    cluster.network.push(...slow);
    cluster.settle();
    expect(state(cluster)).toBe("replicate");
    expect(cluster.node("a").status().counters.snapshotsSent).toBe(1);
  });

  it("ends the proposals that it covers as unknown: what stood at their places is never told", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.elect("a");
    cluster.lost = ({ type, to }) => to === "c" && type !== "propose-answer";
    const id = cluster.propose("c", "x");
    cluster.settle();
    cluster.node("a").compact(cluster.node("a").applied);
    cluster.heal();
    cluster.run(3);
    expect(cluster.node("c").status().counters.snapshotsInstalled).toBe(1);
    expect(cluster.member("c").proposals).toEqual([{ id, outcome: "unknown" }]);
  });

  it("that the log has left behind meanwhile is followed by another one", () => {
    const cluster = behind();
    const slow = cluster.network.filter(isSnapshot);
    cluster.network = cluster.network.filter((message) => !isSnapshot(message));
    cluster.propose("a", "z");
    cluster.propose("a", "!");
    cluster.settle();
    cluster.node("a").compact(cluster.node("a").applied);
    cluster.network.push(...slow);
    cluster.settle();
    expect(state(cluster)).toBe("replicate");
    expect(new TextDecoder().decode(cluster.member("c").state)).toBe("xyz!");
    expect(cluster.node("a").status().counters.snapshotsSent).toBe(2);
  });

  it("that the transport reports as failed, or as delivered, is followed by a probe at the next heartbeat", () => {
    const failed = behind();
    failed.network = failed.network.filter((message) => !isSnapshot(message));
    failed.node("a").reportSnapshot("c", "failed");
    failed.run(2);
    expect(state(failed)).toBe("replicate");
    expect(failed.node("a").status().counters.snapshotsSent).toBe(2);
    const delivered = behind();
    delivered.deliver(isSnapshot);
    delivered.flush("c");
    delivered.network = [];
    delivered.node("a").reportSnapshot("c", "delivered");
    delivered.run(2);
    expect(state(delivered)).toBe("replicate");
    expect(delivered.node("a").status().counters.snapshotsSent).toBe(1);
  });

  it("is not sent to a member that does not answer", () => {
    const cluster = new Cluster(["a", "b", "c"]);
    cluster.isolate("c");
    cluster.elect("a");
    cluster.propose("a", "x");
    cluster.settle();
    cluster.node("a").compact(cluster.node("a").applied);
    cluster.run(20);
    expect(cluster.node("a").status().counters.snapshotsSent).toBe(0);
  });
});
