import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256 } from "../../../src/crypto/index.ts";
import { etcdMissing } from "../store/etcd-process.ts";
import { Cluster } from "./cluster.ts";
import { delay, rounds } from "./effort.ts";
import { isUncertain } from "./owners.ts";

const KILLS = rounds({ short: 4, long: 40 });
const KILL_MILLIS_MAX = 15_000;
/** Without a leader etcd writes nothing for an election timeout, one second by default. */
const ELECTION_MILLIS_MIN = 500;

describe.skipIf(etcdMissing())("three coordinators over an etcd of three members", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ etcdSize: 3 });
  });
  afterAll(() => cluster.close());

  it(
    `neither lose nor double an update while etcd's leader is killed ${KILLS} times in the middle of it`,
    { timeout: 60_000 + KILLS * KILL_MILLIS_MAX },
    async () => {
      const outcomes = { acknowledged: 0, inForceUnheard: 0, repeated: 0, delayed: 0 };
      const setMillis = await duration(() => cluster.advance(cluster.member(0), 1_000));
      for (let kill = 0; kill < KILLS; kill++) {
        const member = cluster.member(kill % cluster.members.length);
        const before = await cluster.history();
        const manifest = await cluster.manifest(1 + kill);
        const proposal = { manifest, lineage: before.lineage, previous: before.lastSet.hash };
        const leader = cluster.etcd.leader();

        const began = performance.now();
        const setting = cluster.owners.set(member, proposal).catch((cause: unknown) => {
          // What is certain would be a verdict about the update, and nothing is wrong with it.
          if (!isUncertain(cause)) throw cause;
          return undefined;
        });
        // In turn before anything is written, and anywhere.
        await delay(kill % 2 === 0 ? 0 : Math.random() * setMillis);
        await cluster.etcd.kill(leader);
        const answer = await setting;
        if (performance.now() - began > ELECTION_MILLIS_MIN) outcomes.delayed++;

        if (answer === undefined) {
          const now = await cluster.history();
          outcomes[now.recordHash === before.recordHash ? "repeated" : "inForceUnheard"]++;
        } else outcomes.acknowledged++;
        // Any coordinator takes the repeat, and answers it with the one record that there is.
        const again = cluster.members.toReversed();
        const { recordHash } = await cluster.owners.setUntilCertain(again, proposal);
        if (answer !== undefined) expect(recordHash).toBe(answer.recordHash);
        cluster.etcd.startMember(leader);
        await cluster.etcd.untilHealthy();
        await cluster.allReady(recordHash);

        const { links, record } = await cluster.history();
        expect(record.generation).toBe(before.record.generation + 1);
        expect(links.at(-1)?.head.hash).toBe(recordHash);
        expect(links.filter(({ head }) => head.record.manifest === sha256(manifest))).toHaveLength(
          1,
        );
      }
      // Kills that came too late to be felt would have shown nothing.
      expect(outcomes.delayed).toBeGreaterThan(0);
      await cluster.requireOneMesh();
      for (const member of cluster.members)
        expect(await cluster.verify(member)).toMatchObject({ generation: KILLS + 2, epoch: 1 });
      console.info(`etcd's leader was killed ${KILLS} times: ${JSON.stringify(outcomes)}`);
    },
  );
});

async function duration(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
