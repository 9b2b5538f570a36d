import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { parseManifest } from "../../../src/core/manifest/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import { parseOwnerKey, parseShareOwnerKey, sha256 } from "../../../src/crypto/index.ts";
import type { VerifiedHistory } from "../../../src/history/verified-history.ts";
import { LEAF_BACKDATE_MS } from "../../../src/pki/profile.ts";
import { etcdMissing } from "../store/etcd-process.ts";
import { Cluster } from "./cluster.ts";
import { rounds } from "./effort.ts";
import type { Certificate } from "./workload.ts";

const ROUNDS = rounds({ short: 5, long: 30 });
const STORM_SETS = rounds({ short: 6, long: 30 });
const ROUND_MILLIS_MAX = 10_000;
/** The coordinator gives the others some time to come back. */
const REFUSED_WITHIN_MILLIS = 12_000;

describe.skipIf(etcdMissing())("three coordinators over etcd", () => {
  let cluster: Cluster;
  /** Every manifest of this file is another one. */
  let variant = 0;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster.close());

  it(
    "let exactly one of several concurrent updates win, and tell the others the new head",
    { timeout: 60_000 + ROUNDS * ROUND_MILLIS_MAX },
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const place = await cluster.place();
        const outcomes = await Promise.all(
          cluster.members.map(async (member) => {
            const proposal = { manifest: await cluster.manifest(++variant), ...place };
            return cluster.owners.setUntilCertain([member], proposal).then(
              ({ recordHash }) => ({ won: recordHash, lost: undefined }),
              (lost: unknown) => ({ won: undefined, lost }),
            );
          }),
        );
        const winners = outcomes.filter(({ won }) => won !== undefined);
        expect(winners, JSON.stringify(outcomes)).toHaveLength(1);
        const head = winners[0]!.won;
        for (const { lost } of outcomes.filter(({ won }) => won === undefined))
          expect(lost).toMatchObject({ code: "head-moved", details: { head } });
        await cluster.allReady(head);
      }
      await cluster.requireOneMesh();
    },
  );

  it(
    "keep one history through a storm of updates, and nobody sees a mixture of two records",
    { timeout: 60_000 + STORM_SETS * ROUND_MILLIS_MAX },
    async () => {
      const before = (await cluster.history()).links.length;
      const stop = cluster.workload.keepObtaining(cluster.members, 5);
      const won: string[] = [];
      const counts = { lost: 0 };
      await Promise.all(
        cluster.members.map(async (member) => {
          for (let set = 0; set < STORM_SETS; set++) {
            const proposal = {
              manifest: await cluster.manifest(++variant),
              ...(await cluster.place()),
            };
            try {
              won.push((await cluster.owners.setUntilCertain([member], proposal)).recordHash);
            } catch (cause) {
              expect(cause).toMatchObject({ code: "head-moved" });
              counts.lost++;
            }
          }
        }),
      );
      const { certificates, failed } = await stop();
      const { recordHash } = await cluster.requireOneMesh();
      const history = await cluster.history();
      // Every update that was acknowledged is in the history, and nothing else is.
      const made = history.links.slice(before).map(({ head }) => head.hash);
      expect(new Set(made)).toEqual(new Set(won));
      expect(won).toHaveLength(made.length);
      expect(history.recordHash).toBe(recordHash);
      expect(counts.lost).toBeGreaterThan(0);
      expect(failed).toEqual([]);
      expect(new Set(certificates.map((each) => each.recordHash)).size).toBeGreaterThan(2);
      for (const each of certificates) requireNoMixture(each, history);
      for (const member of cluster.members)
        expect(await cluster.verify(member)).toMatchObject({ record: recordHash });
      console.info(
        `${won.length} updates won, ${counts.lost} lost, ${certificates.length} certificates meanwhile`,
      );
    },
  );

  it("refuse an update without a majority, saying who is missing; one alone goes on issuing", async () => {
    const [alive, ...down] = cluster.members as [Cluster["members"][0], ...Cluster["members"]];
    await Promise.all(down.map((each) => each.kill()));
    const proposal = { manifest: await cluster.manifest(++variant), ...(await cluster.place()) };
    const before = await cluster.store.readHead();
    const began = Date.now();
    const refusal: unknown = await cluster.owners
      .set(alive, proposal)
      .catch((cause: unknown) => cause);
    expect(Date.now() - began).toBeLessThan(REFUSED_WITHIN_MILLIS);
    expect(refusal).toMatchObject({ code: "no-quorum" });
    for (const { name } of down) expect((refusal as QuorateError).message).toContain(name);
    expect(await cluster.store.readHead()).toEqual(before);
    await cluster.workload.obtainFrom(alive);
    const { peers } = await alive.status();
    expect(peers.map(({ problem }) => problem)).not.toContain("");

    down[0]!.start();
    await down[0]!.ready();
    const { recordHash } = await cluster.owners.setUntilCertain([alive], proposal);
    down[1]!.start();
    await cluster.allReady(recordHash);
    await cluster.requireOneMesh();
  });

  it("give no secret to one that runs other code, and name it in the status", async () => {
    const other = cluster.member(2);
    await other.kill();
    other.start("--dev-measurement", "other");
    const { peer } = other.addresses;
    const { peers } = await cluster
      .member(0)
      .until("names the stranger", (status) =>
        status.peers.some(
          ({ address, problem }) => address === peer && problem.includes("not accepted"),
        ),
      );
    expect(peers.filter(({ problem }) => problem === "")).toHaveLength(1);
    // It never gets a state, whatever it tries, and does not stand in the way of an update.
    const record = await cluster.advance(cluster.member(1), ++variant);
    await cluster.member(0).ready(record);
    await expect(cluster.workload.obtainFrom(other)).rejects.toBeInstanceOf(QuorateError);
    expect((await other.status()).lastRecovery).toBeUndefined();
    await other.kill();
    other.start();
    await cluster.allReady(record);
    await cluster
      .member(0)
      .until("sees all well", (status) => status.peers.every(({ problem }) => problem === ""));
  });
});

/** The record's own mesh CA signed it, and it lives as long as the record's manifest says. */
function requireNoMixture(
  { leaf, meshCa, recordHash }: Certificate,
  history: VerifiedHistory,
): void {
  const link = history.links.find(({ head }) => head.hash === recordHash)!;
  const { record } = link.head;
  expect(sha256(meshCa.raw)).toBe(record.meshCaCertificate);
  const bytes = history.documents.get(record.manifest)!;
  const manifest = unwrap(parseManifest(bytes, { parseOwnerKey, parseShareOwnerKey }));
  const seconds = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 1000;
  expect(seconds - manifest.certificates.leafLifetimeSeconds).toBe(LEAF_BACKDATE_MS / 1000);
}
