import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Mode } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { etcdMissing } from "../store/etcd-process.ts";
import { Cluster } from "./cluster.ts";
import { delay } from "./effort.ts";
import { show } from "./forger.ts";
import { Member } from "./member.ts";
import { choosePorts } from "./ports.ts";
import type { Certificate } from "./workload.ts";

const SETTLED_MILLIS = 500;

describe.skipIf(etcdMissing())("three coordinators over etcd", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.advance(cluster.member(0), 1);
    await cluster.allReady();
  });
  afterAll(() => cluster.close());

  it("wait for share owners when all of them were killed, and follow the one that is recovered", async () => {
    const before = await cluster.requireOneMesh();
    const history = await cluster.history();
    await Promise.all(cluster.members.map((each) => each.kill()));
    for (const member of cluster.members) member.start();
    for (const member of cluster.members)
      await member.until(
        "awaits recovery",
        ({ mode, recovery }) =>
          mode === Mode.AWAITING_RECOVERY && recovery?.lastVerifiedGeneration === 2n,
      );
    await delay(SETTLED_MILLIS);
    for (const member of cluster.members) {
      const seen = await cluster.verify(member);
      expect(seen).toMatchObject({ mode: "awaiting-recovery", record: history.recordHash });
      await expect(cluster.workload.obtainFrom(member)).rejects.toMatchObject({
        code: "recovery-needed",
      });
    }
    const one = cluster.member(1);
    const first = await cluster.owners.submitShare(one, "alice", history);
    expect(first).toMatchObject({ received: 1, threshold: 2, recovered: false });
    // Shares at two instances do not add up.
    const elsewhere = await cluster.owners.submitShare(cluster.member(2), "bob", history);
    expect(elsewhere).toMatchObject({ received: 1, recovered: false });
    const second = await cluster.owners.submitShare(one, "carol", history);
    expect(second).toMatchObject({ received: 2, recovered: true });
    const record = await cluster.allReady();
    const givers: string[] = [];
    for (const follower of cluster.others(one)) {
      const { head, lastRecovery } = await follower.status();
      expect(head).toMatchObject({ generation: 2n, epoch: 2n, recoveryCount: 1n });
      expect(lastRecovery).toMatchObject({ recordHash: record });
      givers.push(lastRecovery!.from);
    }
    // The second one may have asked the first one that followed.
    expect(givers).toContain(one.name);
    expect(givers).not.toContain("");
    const after = await cluster.requireOneMesh();
    expect(after.secret).toBe(before.secret);
    requireBothTrusted(before, after);
    for (const member of cluster.members)
      expect(await cluster.verify(member)).toMatchObject({ mode: "ready", epoch: 2 });
  });

  it("follow a recovery that happened while they were frozen, and issue nothing of before", async () => {
    const before = await cluster.requireOneMesh();
    const history = await cluster.history();
    const [one, ...frozen] = [cluster.member(2), cluster.member(0), cluster.member(1)] as const;
    for (const each of frozen) each.pause();
    let answer: Promise<unknown>;
    try {
      await one.kill();
      one.start();
      await one.until("awaits recovery", ({ mode }) => mode === Mode.AWAITING_RECOVERY);
      await cluster.owners.submitShare(one, "alice", history);
      // It can't be durable while nobody else is there.
      answer = cluster.owners.submitShare(one, "bob", history).catch((cause: unknown) => cause);
      await one.until("opened an epoch", ({ head }) => head?.epoch === 3n);
    } finally {
      for (const each of frozen) each.resume();
    }
    const waking = await Promise.allSettled(
      frozen.map((each) => cluster.workload.obtainFrom(each)),
    );
    const { recordHash } = await cluster.history();
    for (const each of waking)
      if (each.status === "fulfilled") expect(each.value.recordHash).toBe(recordHash);
    await answer;
    await cluster.allReady(recordHash);
    requireBothTrusted(before, await cluster.requireOneMesh());
  });

  it("refuse share owners while a ready one is in reach, unless they insist", async () => {
    // One that sees an older store than the others can't be given their secrets.
    const old = await cluster.history();
    const copy = cluster.storeAt("copy");
    await show(copy, old);
    await copy.close();
    const record = await cluster.advance(cluster.member(0), 2);
    await cluster.allReady(record);
    const [user, mesh, admin, peer] = (await choosePorts(4)).map((port) => `127.0.0.1:${port}`);
    const lonely = new Member(cluster.world, {
      name: "coordinator-2",
      addresses: { user: user!, mesh: mesh!, admin: admin!, peer: peer! },
      store: `etcd://${cluster.etcd.endpoints.join(",")}/copy`,
      peers: [0, 1].map((index) => cluster.member(index).addresses.peer),
    });
    lonely.start();
    try {
      await lonely.until(
        "sees the others",
        ({ mode, peers }) =>
          mode === Mode.AWAITING_RECOVERY && peers.every((each) => each.mode === Mode.READY),
      );
      await expect(cluster.owners.submitShare(lonely, "alice", old)).rejects.toMatchObject({
        code: "already-exists",
      });
      await cluster.owners.submitShare(lonely, "alice", old, { force: true });
      // It becomes the head of that store, though nobody else can hold its secrets: the others follow their own.
      const answer = cluster.owners.submitShare(lonely, "bob", old, { force: true });
      const unheard = answer.catch(() => undefined);
      await lonely.until(
        "opened an epoch",
        ({ head }) => head?.epoch === BigInt(old.record.epoch + 1),
      );
      await delay(SETTLED_MILLIS);
      await cluster.allReady(record);
      await lonely.kill();
      expect(await unheard).toBeUndefined();
    } finally {
      lonely.close();
    }
    await cluster.requireOneMesh();
  });
});

/** A recovery changes the mesh CA, and leaves what was issued before trusted. */
function requireBothTrusted(before: Certificate, after: Certificate): void {
  expect(after.meshCa.raw).not.toEqual(before.meshCa.raw);
  const trusted = after.trustBundle.map(({ raw }) => raw.toString("base64"));
  expect(trusted).toContain(before.meshCa.raw.toString("base64"));
  expect(after.trustBundle.some((ca) => before.leaf.verify(ca.publicKey))).toBe(true);
}
