import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import type { Head } from "../../../src/store/store.ts";
import { etcdMissing } from "../store/etcd-process.ts";
import { Cluster } from "./cluster.ts";
import { delay, rounds } from "./effort.ts";

const DEATHS = rounds({ short: 6, long: 60 });
const DEATH_MILLIS_MAX = 10_000;
/** When the setter dies, in turn: somewhere in its work, when the head moves, or right after its answer. */
const MOMENTS = ["work", "head", "answer"] as const;

describe.skipIf(etcdMissing())("three coordinators over etcd", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster.close());

  it(
    `need nobody when the one that sets dies in the middle of it, ${DEATHS} times`,
    { timeout: 60_000 + DEATHS * DEATH_MILLIS_MAX },
    async () => {
      const { lineage } = await cluster.history();
      const outcomes = { acknowledged: 0, inForceUnheard: 0, nowhere: 0 };
      const setMillis = await duration(() => cluster.advance(cluster.member(1), 1_000));
      const stop = cluster.workload.keepObtaining(cluster.members, 50);
      for (let death = 0; death < DEATHS; death++) {
        // In time each moment at each coordinator.
        const round = Math.floor(death / MOMENTS.length);
        const setter = cluster.member((death + round) % cluster.members.length);
        const survivors = cluster.others(setter);
        // On the heels of another one's update: what is known of it has just arrived, or has not.
        const previous = (await cluster.advance(survivors[0]!, 2_000 + death)) as Sha256;
        const manifest = await cluster.manifest(1 + death);
        const proposal = { manifest, lineage, previous };

        const moment = MOMENTS[death % MOMENTS.length]!;
        const before = await cluster.store.readHead();
        const answer = cluster.owners.set(setter, proposal).then(
          ({ recordHash }) => recordHash,
          () => undefined,
        );
        if (moment === "work") await delay(Math.random() * setMillis);
        else if (moment === "head") await Promise.race([headAfter(cluster, before), answer]);
        else await answer;
        await setter.kill();
        const acknowledged = await answer;

        // In force at both survivors, or at none.
        const { recordHash } = await cluster.history();
        await Promise.all(survivors.map((each) => each.ready(recordHash)));
        const isInForce = recordHash !== previous;
        if (acknowledged !== undefined) {
          outcomes.acknowledged++;
          expect(recordHash).toBe(acknowledged);
        } else outcomes[isInForce ? "inForceUnheard" : "nowhere"]++;

        const repeated = await cluster.owners.setUntilCertain(survivors, proposal);
        if (isInForce) expect(repeated.recordHash).toBe(recordHash);
        setter.start();
        await cluster.allReady(repeated.recordHash);
        const { links, record } = await cluster.history();
        expect(record).toMatchObject({ previous, epoch: 1 });
        expect(links).toHaveLength(record.generation);
      }
      expect((await stop()).failed).toEqual([]);
      await cluster.requireOneMesh();
      expect(await cluster.verify(cluster.member(0))).toMatchObject({ generation: 2 * DEATHS + 2 });
      // Deaths that all fell on one side of the answer would have shown nothing.
      expect(outcomes.acknowledged).toBeGreaterThan(0);
      expect(outcomes.inForceUnheard + outcomes.nowhere).toBeGreaterThan(0);
      console.info(`the setter died ${DEATHS} times: ${JSON.stringify(outcomes)}`);
    },
  );
});

async function headAfter(cluster: Cluster, before: Head | undefined): Promise<void> {
  while ((await cluster.store.readHead())?.version === before?.version);
}

async function duration(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
