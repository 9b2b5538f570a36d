import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import type { Head } from "../../../src/store/store.ts";
import { etcdMissing } from "../store/etcd-process.ts";
import { Cluster } from "./cluster.ts";
import { delay, rounds } from "./effort.ts";
import { isUncertain } from "./owners.ts";

const DEATHS = rounds({ short: 6, long: 60 });
const FREEZES = rounds({ short: 3, long: 30 });
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
        if (moment === "work") await delay((Math.random() * setMillis) / 2);
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

  it(
    `let one update win when the one that sets is frozen in the middle of it, ${FREEZES} times`,
    { timeout: 60_000 + FREEZES * DEATH_MILLIS_MAX },
    async () => {
      const outcomes = { won: 0, lost: 0 };
      const setMillis = await duration(() => cluster.advance(cluster.member(1), 3_000));
      for (let freeze = 0; freeze < FREEZES; freeze++) {
        const setter = cluster.member(freeze % cluster.members.length);
        const place = await cluster.place();
        const frozen = { manifest: await cluster.manifest(3_001 + 2 * freeze), ...place };
        const rival = { manifest: await cluster.manifest(3_002 + 2 * freeze), ...place };
        const answer = recordOrError(cluster.owners.set(setter, frozen));
        await delay(Math.random() * setMillis);
        setter.pause();
        let others: string | QuorateError;
        try {
          others = await recordOrError(
            cluster.owners.setUntilCertain(cluster.others(setter), rival),
          );
        } finally {
          setter.resume();
        }
        // What it was about to do is done, or too late.
        let own = await answer;
        if (own instanceof QuorateError && isUncertain(own))
          own = await recordOrError(cluster.owners.setUntilCertain([setter], frozen));
        const answers = [own, others];
        const head = await cluster.allReady();
        expect(answers.filter((each) => each === head)).toHaveLength(1);
        const [lost] = answers.filter((each) => each instanceof QuorateError);
        expect(lost).toMatchObject({ code: "head-moved", details: { head } });
        expect((await cluster.history()).record).toMatchObject({ previous: place.previous });
        outcomes[own === head ? "won" : "lost"]++;
      }
      await cluster.requireOneMesh();
      console.info(`frozen ${FREEZES} times in the middle of a set: ${JSON.stringify(outcomes)}`);
    },
  );
});

async function recordOrError(
  set: Promise<{ readonly recordHash: string }>,
): Promise<string | QuorateError> {
  try {
    return (await set).recordHash;
  } catch (cause) {
    if (cause instanceof QuorateError) return cause;
    throw cause;
  }
}

async function headAfter(cluster: Cluster, before: Head | undefined): Promise<void> {
  while ((await cluster.store.readHead())?.version === before?.version);
}

async function duration(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
