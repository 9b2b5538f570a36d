import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { etcdMissing } from "../store/etcd-process.ts";
import { Cluster } from "./cluster.ts";
import { rounds } from "./effort.ts";
import type { Tally } from "./workload.ts";

const RESTARTS = Number(process.env["QUORATE_TEST_RESTARTS"] ?? rounds({ short: 6, long: 50 }));
const RESTART_MILLIS_MAX = 10_000;

describe.skipIf(etcdMissing())("three coordinators over etcd", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ genesis: false });
  });
  afterAll(() => cluster.close());

  it("are all ready after a first manifest at one of them", async () => {
    const set = await cluster.owners.genesis(cluster.member(0), await cluster.manifest());
    await cluster.allReady(set.recordHash);
    await cluster.requireOneMesh();
  });

  it("issue nothing under the old manifest once a set at any of them was answered", async () => {
    for (const [index, member] of cluster.members.entries()) {
      const record = await cluster.advance(member, index + 1);
      const answers = await Promise.allSettled(
        cluster.members.map((each) => cluster.workload.obtainFrom(each)),
      );
      const issued = answers.filter((each) => each.status === "fulfilled");
      // Whoever was not given the new key may have to ask for it first.
      expect(issued.length).toBeGreaterThanOrEqual(2);
      for (const { value } of issued) expect(value.recordHash).toBe(record);
      await cluster.allReady(record);
    }
    await cluster.requireOneMesh();
    for (const member of cluster.members)
      expect(await cluster.verify(member)).toMatchObject({ generation: 4, epoch: 1 });
  });

  it(
    `lose no call of a client that retries, while one is killed and restarted ${RESTARTS} times`,
    { timeout: 60_000 + RESTARTS * RESTART_MILLIS_MAX },
    async () => {
      const before = await cluster.requireOneMesh();
      const stop = cluster.workload.keepObtaining(cluster.members);
      const recoveries: number[] = [];
      try {
        for (let restart = 0; restart < RESTARTS; restart++) {
          const member = cluster.member(restart % cluster.members.length);
          await member.kill();
          // Every third one comes back to a history that went on.
          if (restart % 3 === 2) await cluster.advance(cluster.others(member)[0]!, 10 + restart);
          member.start();
          const { recordHash } = await cluster.history();
          const { lastRecovery } = await member.ready(recordHash);
          expect(lastRecovery).toMatchObject({ recordHash });
          expect(lastRecovery?.from).toMatch(/^coordinator-[012]/);
          recoveries.push(lastRecovery!.millis);
        }
      } finally {
        requireServed(await stop());
      }
      const after = await cluster.requireOneMesh();
      expect(after.secret).toBe(before.secret);
      expect(await cluster.verify(cluster.member(0))).toMatchObject({ epoch: 1 });
      console.info(`peer recoveries took ${summary(recoveries)} ms`);
    },
  );

  it("say in quorate status who the others are, and who gave them their secrets", async () => {
    const record = await cluster.allReady();
    for (const member of cluster.members) {
      const names = cluster.others(member).map(({ name }) => name);
      await member.until("sees the others", ({ peers }) =>
        peers.every(({ heldRecord, problem }) => heldRecord === record && problem === ""),
      );
      const { code, stdout } = await cluster.command(member, "status", "--check");
      expect(code).toBe(0);
      const status = JSON.parse(stdout) as { peers: { name: string }[] };
      expect(status).toMatchObject({ mode: "ready", name: member.name, head: { record } });
      expect(status.peers).toMatchObject([{ mode: "ready" }, { mode: "ready" }]);
      expect(status.peers.map(({ name }) => name).toSorted()).toEqual(names);
      expect(status).toMatchObject({
        lastRecovery: { from: expect.stringMatching(names.join("|")) as unknown },
      });
    }
  });

  it("go on through a rolling restart that nobody attends to, with the same mesh CA", async () => {
    const before = await cluster.requireOneMesh();
    const stop = cluster.workload.keepObtaining(cluster.members);
    const instances = new Set<string>();
    for (const member of cluster.members) {
      expect(await member.stop()).toBe(0);
      member.start();
      const { instance } = await member.ready();
      instances.add(instance!.id);
    }
    const tally = await stop();
    requireServed(tally);
    expect(instances.size).toBe(3);
    const after = await cluster.requireOneMesh();
    expect(after.meshCa.raw).toEqual(before.meshCa.raw);
    for (const each of tally.certificates) expect(each.meshCa.raw).toEqual(before.meshCa.raw);
  });
});

/** Every call got a certificate, every coordinator gave some, and the faults were felt. */
function requireServed({ certificates, failed, retries, millisMax }: Tally): void {
  expect(failed).toEqual([]);
  expect(new Set(certificates.map(({ by }) => by)).size).toBe(3);
  expect(retries).toBeGreaterThan(0);
  console.info(
    `${certificates.length} certificates, ${retries} attempts in vain, longest call ${millisMax} ms`,
  );
}

function summary(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)]} (median), ${sorted.at(-1)} (longest)`;
}
