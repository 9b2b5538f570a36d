import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Prng } from "../../../src/core/prng.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { etcdMissing } from "../store/etcd-process.ts";
import { Cluster } from "./cluster.ts";
import { delay, rounds } from "./effort.ts";

const FAULTS = rounds({ short: 4, long: 120 });
const FAULT_MILLIS_MAX = 15_000;
const FROZEN_MILLIS_MAX = 2_500;
const SEED = Number(process.env["QUORATE_TEST_SEED"] ?? Math.floor(Math.random() * 1e6));

describe.skipIf(etcdMissing())("three coordinators over an etcd of three members", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ etcdSize: 3 });
  });
  afterAll(() => cluster.close());

  it(
    `keep every acknowledged update, and serve, through ${FAULTS} faults (QUORATE_TEST_SEED=${SEED})`,
    { timeout: 60_000 + FAULTS * FAULT_MILLIS_MAX },
    async () => {
      const random = new Prng(SEED);
      const anyMember = () => random.pick(cluster.members);
      const anyEtcd = (): number => random.int(0, cluster.etcd.endpoints.length - 1);
      const frozenMillis = (): number => random.int(0, FROZEN_MILLIS_MAX);
      const faults = {
        async kill() {
          const member = anyMember();
          await member.kill();
          await delay(random.int(0, 300));
          member.start();
          await member.ready();
        },
        async stop() {
          const member = anyMember();
          expect(await member.stop()).toBe(0);
          member.start();
          await member.ready();
        },
        async freeze() {
          const member = anyMember();
          member.pause();
          await delay(frozenMillis());
          member.resume();
          await member.ready();
        },
        async killEtcd() {
          const index = anyEtcd();
          await cluster.etcd.kill(index);
          await delay(frozenMillis());
          cluster.etcd.startMember(index);
          await cluster.etcd.untilHealthy();
        },
        async freezeEtcd() {
          const index = anyEtcd();
          cluster.etcd.pause(index);
          await delay(frozenMillis());
          cluster.etcd.resume(index);
          await cluster.etcd.untilHealthy();
        },
      };
      const admins = [1, 2].map((admin) => keepSetting(cluster, admin * 10_000));
      const stop = cluster.workload.keepObtaining(cluster.members, 50);
      const happened: string[] = [];
      try {
        for (let fault = 0; fault < FAULTS; fault++) {
          const name = random.pick(Object.keys(faults) as (keyof typeof faults)[]);
          happened.push(name);
          await faults[name]();
        }
      } catch (cause) {
        throw new Error(`after ${happened.join(", ")}`, { cause });
      } finally {
        for (const admin of admins) admin.stop();
      }
      const tally = await stop();
      const acknowledged = (await Promise.all(admins.map(({ done }) => done))).flat();
      expect(tally.failed).toEqual([]);

      const certificate = await cluster.requireOneMesh();
      const { links, record } = await cluster.history();
      // Nobody recovered anything by hand, and nothing but updates was made.
      expect(record.epoch).toBe(1);
      const records = links.map(({ head }) => head.hash);
      for (const each of acknowledged) expect(records).toContain(each);
      const manifests = links.map(({ head }) => head.record.manifest);
      expect(new Set(manifests).size).toBe(manifests.length);
      for (const each of tally.certificates) {
        const link = links.find(({ head }) => head.hash === each.recordHash);
        expect(sha256(each.meshCa.raw)).toBe(link?.head.record.meshCaCertificate);
      }
      expect(acknowledged.length).toBeGreaterThan(FAULTS / 5);
      expect(certificate.recordHash).toBe(records.at(-1));
      console.info(
        `${happened.join(" ")}: ${acknowledged.length} of ${links.length - 1} updates acknowledged to their admins, ` +
          `${tally.certificates.length} certificates, longest call ${tally.millisMax} ms`,
      );
    },
  );
});

/** An admin who sets one manifest after the other at any coordinator, and repeats what is uncertain. */
function keepSetting(cluster: Cluster, firstVariant: number) {
  const state = { stopped: false };
  const run = async (): Promise<readonly string[]> => {
    const acknowledged: string[] = [];
    for (let variant = firstVariant; !state.stopped; variant++) {
      const manifest = await cluster.manifest(variant);
      // etcd may be without a leader for a while.
      const place = await cluster.place().catch(() => undefined);
      if (place === undefined) continue;
      const first = variant % cluster.members.length;
      const members = [...cluster.members.slice(first), ...cluster.members.slice(0, first)];
      try {
        const set = await cluster.owners.setUntilCertain(members, { manifest, ...place });
        acknowledged.push(set.recordHash);
      } catch (cause) {
        // Somebody else's update came first, or on top of this one before it was repeated.
        expect(cause).toMatchObject({ code: "head-moved" });
      }
      await delay(100);
    }
    return acknowledged;
  };
  const done = run();
  // Whoever waits for it hears of a failure; until then it is not unhandled.
  done.catch(() => undefined);
  return {
    done,
    stop: () => {
      state.stopped = true;
    },
  };
}
