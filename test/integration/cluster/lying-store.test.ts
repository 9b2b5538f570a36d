import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Mode } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import type { VerifiedHistory } from "../../../src/history/verified-history.ts";
import { eventually } from "../service/processes.ts";
import { etcdMissing } from "../store/etcd-process.ts";
import { Cluster } from "./cluster.ts";
import { delay } from "./effort.ts";
import { Forger, show, showHead } from "./forger.ts";

/** A coordinator that wrote where it must not would have done so by then. */
const PATIENCE_OF_LIARS_MILLIS = 600;

/** What "Reading the store" (DESIGN section 8) calls each lie. */
describe.skipIf(etcdMissing())("three coordinators over an etcd whose host lies", () => {
  let cluster: Cluster;
  let forger: Forger;
  /** The truth, when a test begins. */
  let truth: VerifiedHistory;
  let variant = 0;
  beforeAll(async () => {
    cluster = await Cluster.start();
    forger = new Forger(cluster.owners);
    for (let update = 0; update < 2; update++) await cluster.advance(cluster.member(0), ++variant);
  });
  beforeEach(async () => {
    await cluster.allReady();
    truth = await cluster.history();
  });
  afterAll(() => cluster.close());

  const wipe = (): void => {
    expect(cluster.etcd.etcdctl(0, "del", "--prefix", "mesh/")).toBeDefined();
  };

  const reassertions = async (shown: string): Promise<number> => {
    const events = await Promise.all(
      cluster.members.map((each) => each.audited("store-reasserted")),
    );
    return events.flat().filter((each) => each["shown"] === shown).length;
  };

  /** They put everything back, say so, and go on. */
  async function requireReasserted(shown: string, before: number): Promise<void> {
    await eventually("the newest record as head", async () => {
      const head = await cluster.store.readHead();
      return head !== undefined && Buffer.from(truth.head.head.bytes).equals(head.value);
    });
    expect((await cluster.history()).links).toHaveLength(truth.links.length);
    await cluster.allReady(truth.recordHash);
    await eventually(`word of a ${shown}`, async () => (await reassertions(shown)) > before);
    await requireOneWorkingMesh();
  }

  async function requireOneWorkingMesh(): Promise<void> {
    await cluster.requireOneMesh();
    for (const member of cluster.members)
      expect(await cluster.verify(member)).toMatchObject({ mode: "ready" });
  }

  /** Nobody issues, proves or writes anything while the store shows this head. */
  async function requireFork(reason: RegExp): Promise<void> {
    const shown = await cluster.store.readHead();
    for (const member of cluster.members) {
      const { store } = await member.until("sees the fork", ({ suspended }) =>
        reason.test(suspended),
      );
      expect(store?.condition).toMatch(reason);
      await expect(cluster.workload.obtainFrom(member)).rejects.toMatchObject({ code: "fork" });
      const verify = await cluster.tryVerify(member);
      expect(verify.code).not.toBe(0);
      expect(verify.stderr).toMatch(reason);
      expect(await member.audited("store-fork")).not.toHaveLength(0);
    }
    const proposal = {
      ...{ manifest: await cluster.manifest(++variant), lineage: truth.lineage },
      previous: truth.lastSet.hash,
    };
    await expect(cluster.owners.set(cluster.member(1), proposal)).rejects.toMatchObject({
      code: "fork",
    });
    await delay(PATIENCE_OF_LIARS_MILLIS);
    expect(await cluster.store.readHead()).toEqual(shown);
  }

  async function requireEndOfFork(): Promise<void> {
    await showHead(cluster.store, truth.head.head.bytes);
    await cluster.allReady(truth.recordHash);
    await requireOneWorkingMesh();
  }

  describe("put back what they hold", () => {
    it("when everything is gone", async () => {
      const before = await reassertions("rollback");
      wipe();
      await requireReasserted("rollback", before);
    });

    it("when etcd is restored from an older snapshot", async () => {
      const snapshot = cluster.etcd.temporaryFile("snapshot");
      expect(cluster.etcd.etcdctl(0, "snapshot", "save", snapshot)).toBeDefined();
      for (let update = 0; update < 2; update++)
        await cluster.advance(cluster.member(update), ++variant);
      await cluster.allReady();
      truth = await cluster.history();
      const before = await reassertions("rollback");
      await cluster.etcd.kill(0);
      cluster.etcd.restore(snapshot);
      cluster.etcd.startMember(0);
      await cluster.etcd.untilHealthy();
      await requireReasserted("rollback", before);
      // The history goes on from there.
      const record = await cluster.advance(cluster.member(2), ++variant);
      await cluster.allReady(record);
    });

    it("when the head is no record, or badly signed", async () => {
      const before = await reassertions("corruption");
      await showHead(cluster.store, utf8("no record"));
      await requireReasserted("corruption", before);
      const broken = truth.head.head.bytes.slice();
      broken[broken.length - 1]! ^= 1;
      await showHead(cluster.store, broken);
      await requireReasserted("corruption", before + 1);
    });

    it("when the head is another update of the same epoch, which the group never made", async () => {
      const before = await reassertions("branch");
      const parent = truth.upTo(truth.record.previous!);
      const sibling = await forger.update(parent, await cluster.manifest(++variant));
      await show(cluster.store, sibling.next.history);
      await requireReasserted("branch", before);
    });
  });

  describe("leave the store alone", () => {
    it("while one of them is alone, and put everything back once a majority agrees", async () => {
      const [alone, ...others] = cluster.members as [Cluster["members"][0], ...Cluster["members"]];
      const before = await reassertions("rollback");
      for (const each of others) each.pause();
      try {
        wipe();
        await alone.until("sees the rollback", ({ suspended }) => suspended !== "");
        await delay(PATIENCE_OF_LIARS_MILLIS);
        expect(await cluster.store.readHead()).toBeUndefined();
        await expect(cluster.workload.obtainFrom(alone)).rejects.toMatchObject({
          code: "rollback",
        });
        expect(await alone.status()).toMatchObject({ mode: Mode.READY });
      } finally {
        for (const each of others) each.resume();
      }
      await requireReasserted("rollback", before);
    });

    it("while the one that holds the newest record is the only one that was not restarted", async () => {
      const [alone, ...others] = cluster.members as [Cluster["members"][0], ...Cluster["members"]];
      await Promise.all(others.map((each) => each.kill()));
      wipe();
      await alone.until("sees the rollback", ({ suspended }) => suspended !== "");
      // They come back to an empty store, and must not take it for the beginning.
      for (const each of others) each.start();
      for (const each of others) await each.until("answers", ({ mode }) => mode !== Mode.READY);
      await alone.until("sees them", ({ peers }) =>
        peers.every(({ mode }) => mode !== Mode.UNSPECIFIED),
      );
      const genesis = cluster.owners.genesis(others[0]!, await cluster.manifest(++variant));
      await expect(genesis).rejects.toMatchObject({ code: "already-exists" });
      await delay(PATIENCE_OF_LIARS_MILLIS);
      expect(await cluster.store.readHead()).toBeUndefined();
      // The operator restores the store: nobody else is needed.
      await show(cluster.store, truth);
      await cluster.allReady(truth.recordHash);
      await requireOneWorkingMesh();
    });

    it("when it shows another lineage, although the same owners founded it", async () => {
      const { next } = await forger.genesis(await cluster.manifest(++variant));
      await show(cluster.store, next.history);
      await requireFork(/another lineage/);
      await requireEndOfFork();
    });

    it("when it shows the head of another lineage without its documents", async () => {
      const { next } = await forger.genesis(await cluster.manifest(++variant));
      await showHead(cluster.store, next.history.head.head.bytes);
      await requireFork(/cannot be verified/);
      await requireEndOfFork();
    });

    it("when it shows an epoch that was opened on an older record", async () => {
      const parent = truth.upTo(truth.record.previous!);
      const { next } = await forger.recovery(parent);
      await show(cluster.store, next.history);
      await requireFork(/left the one that was verified/);
      await requireEndOfFork();
    });
  });

  describe("issue nothing more, and are recovered by share owners,", () => {
    const recoverable = async (shown: VerifiedHistory): Promise<void> => {
      await show(cluster.store, shown);
      for (const member of cluster.members) {
        await member.until("is stale", ({ mode }) => mode === Mode.STALE);
        await expect(cluster.workload.obtainFrom(member)).rejects.toMatchObject({
          code: "recovery-needed",
        });
        expect(await cluster.verify(member)).toMatchObject({ record: shown.recordHash });
      }
      const [first] = cluster.members;
      await cluster.owners.submitShare(first!, "alice", shown);
      const { recovered } = await cluster.owners.submitShare(first!, "carol", shown);
      expect(recovered).toBe(true);
      await cluster.allReady();
      expect((await cluster.history()).record.epoch).toBe(shown.record.epoch + 1);
      await requireOneWorkingMesh();
    };

    it("when a valid update appears that none of them made", async () => {
      const { next } = await forger.update(truth, await cluster.manifest(++variant));
      await recoverable(next.history);
    });

    it("when a later epoch appears that none of them opened", async () => {
      const { next } = await forger.recovery(truth);
      await recoverable(next.history);
    });
  });
});
