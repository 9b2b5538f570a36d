import { generateKeyPairSync } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { hpkeSeal, Secret, sha256 } from "../../../src/crypto/index.ts";
import { SHARE_BYTES } from "../../../src/crypto/shares.ts";
import { shareSubmissionInfo } from "../../../src/authority/user-recovery.ts";
import { unwrap } from "../../../src/core/result.ts";
import {
  ALICE,
  BOB,
  CAROL,
  DAVE,
  failureOf,
  MeshWorld,
  Person,
  type TestCoordinator,
} from "../../fixtures/mesh.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
  return () => world.close();
});

/** A coordinator that restarted over the store of one that enforced generation 2. */
async function restarted(): Promise<{ before: TestCoordinator; coordinator: TestCoordinator }> {
  const before = await world.ready();
  await before.update(world.manifest({ workloads: ["web", "db"] }));
  return { before, coordinator: await world.coordinator(before.store) };
}

const fakeShare = (): Secret => Secret.random(SHARE_BYTES);

/** Submits any bytes as somebody's share. */
async function submitRaw(coordinator: TestCoordinator, share: Secret, keyId: string) {
  const { id, hpkeKey } = coordinator.instance.keys;
  const info = shareSubmissionInfo(coordinator.history.lineage, id);
  return coordinator.recovery.submit({
    instanceId: id,
    verifiedRecord: coordinator.history.recordHash,
    keyId,
    encryptedShare: unwrap(await hpkeSeal(hpkeKey, info, share)),
    force: false,
  });
}

describe("A restarted coordinator", () => {
  it("has verified the public history, and says what it waits for", async () => {
    const { before, coordinator } = await restarted();
    expect(coordinator.history.recordHash).toBe(before.history.recordHash);
    expect(coordinator.authority.lastVerifiedGeneration).toBe(2);
    expect(coordinator.recovery.progress).toEqual({ received: 0, threshold: 2 });
    const error = await failureOf(coordinator.authority.confirm());
    expect(error.code).toBe("recovery-needed");
    expect(error.hint).toContain("quorate recover");
  });

  it.each([
    [ALICE, BOB],
    [CAROL, ALICE],
    [BOB, CAROL],
  ])("recovers the same seed with any two of three shares", async (...people) => {
    const { before, coordinator } = await restarted();
    const { record: old } = before.history;
    const state = await coordinator.recover(people);
    const { record } = state.history;
    expect(record).toMatchObject({ kind: "recovery", generation: 2, epoch: 2, recoveryCount: 1 });
    expect(record).toMatchObject({ manifest: old.manifest, shares: old.shares, fenced: false });
    expect(record.rootCaCertificate).toBe(old.rootCaCertificate);
    expect(record.meshCaKey).not.toBe(old.meshCaKey);
    const secrets = [before.authority.state!.payload, state].map(({ engine }) =>
      engine.workloadSecret("web").use((bytes) => Buffer.from(bytes).toString("hex")),
    );
    expect(secrets[0]).toBe(secrets[1]);
    expect(coordinator.recovery.progress).toBeUndefined();
  });

  it("serves the CA certificates of before byte for byte", async () => {
    const { before, coordinator } = await restarted();
    const { history } = before;
    const state = await coordinator.recover();
    expect(state.meshCa.certificates.root).toEqual(
      before.authority.state!.payload.meshCa.certificates.root,
    );
    for (const { head } of history.links) {
      const { rootCaCertificate, meshCaCertificate, meshCaIntermediate } = head.record;
      for (const hash of [rootCaCertificate, meshCaCertificate, meshCaIntermediate])
        expect(state.history.documents.get(hash)).toEqual(history.documents.get(hash));
    }
  });

  it("counts recoveries and epochs, one restart after the other", async () => {
    let { coordinator } = await restarted();
    for (const count of [1, 2, 3]) {
      const { record } = (await coordinator.recover([CAROL, BOB])).history;
      expect(record).toMatchObject({ recoveryCount: count, epoch: count + 1, generation: 2 });
      coordinator = await world.coordinator(coordinator.store);
    }
  });

  it("recovers under a manifest whose threshold is one", async () => {
    const before = await world.ready({ shareThreshold: 1, shareOwners: [DAVE] });
    const coordinator = await world.coordinator(before.store);
    const state = await coordinator.recover([DAVE]);
    expect(state.engine.lineage).toBe(before.history.lineage);
  });
});

describe("A share costs nothing if it is refused:", () => {
  /** The refusal, after which two good shares still recover. */
  async function refusal(submit: (coordinator: TestCoordinator) => Promise<unknown>) {
    const { coordinator } = await restarted();
    const { head } = coordinator.store.backing;
    const error = await failureOf(submit(coordinator));
    expect(coordinator.store.backing.head).toBe(head);
    expect(coordinator.recovery.progress).toEqual({ received: 0, threshold: 2 });
    expect(coordinator.events("share-refused")).toMatchObject([{ code: error.code }]);
    await coordinator.recover();
    return error;
  }

  it("random bytes under an owner's name", async () => {
    const error = await refusal((coordinator) =>
      submitRaw(coordinator, fakeShare(), ALICE.shareKeyId),
    );
    expect(error).toMatchObject({ code: "share-invalid" });
    expect(error.message).toContain("alice");
    expect(error.hint).toBeDefined();
  });

  it("a share of another length", async () => {
    const error = await refusal((coordinator) =>
      submitRaw(coordinator, Secret.random(5), ALICE.shareKeyId),
    );
    expect(error.code).toBe("share-invalid");
  });

  it("the key of nobody, with the names of the owners", async () => {
    const error = await refusal((coordinator) =>
      submitRaw(coordinator, fakeShare(), DAVE.shareKeyId),
    );
    expect(error.code).toBe("share-invalid");
    expect(error.hint).toContain("alice, bob, carol");
  });

  it("a key id of any length", async () => {
    const error = await refusal((coordinator) =>
      submitRaw(coordinator, fakeShare(), "x".repeat(100_000)),
    );
    expect(error.code).toBe("share-invalid");
    expect(error.message.length).toBeLessThan(500);
  });

  it("one that was encrypted under another lineage", async () => {
    const error = await refusal((coordinator) =>
      coordinator.submitShare(ALICE, { lineage: sha256(utf8("another")) }),
    );
    expect(error.code).toBe("decryption-failed");
  });

  it.each([0, 31, 47, 48, 200_000])("%i bytes that are no HPKE message", async (length) => {
    const error = await refusal((coordinator) =>
      coordinator.recovery.submit({
        instanceId: coordinator.instance.keys.id,
        verifiedRecord: coordinator.history.recordHash,
        keyId: ALICE.shareKeyId,
        encryptedShare: new Uint8Array(length),
        force: false,
      }),
    );
    expect(error.code).toBe("decryption-failed");
  });

  it("one for another instance", async () => {
    const error = await refusal((coordinator) =>
      coordinator.submitShare(ALICE, { instanceId: "0".repeat(32) }),
    );
    expect(error.code).toBe("not-found");
    expect(error.hint).toContain("restarted");
  });

  it.each(["", "f".repeat(64), "not a hash"])(
    "one whose owner has verified the record %j, which the store does not have",
    async (verifiedRecord) => {
      const error = await refusal((coordinator) =>
        coordinator.submitShare(ALICE, { verifiedRecord }),
      );
      expect(error.code).toBe("rollback");
    },
  );

  it("the same one twice", async () => {
    const { coordinator } = await restarted();
    await coordinator.submitShare(ALICE);
    expect(await failureOf(coordinator.submitShare(ALICE))).toMatchObject({
      code: "share-duplicate",
    });
    expect(coordinator.recovery.progress).toEqual({ received: 1, threshold: 2 });
    expect((await coordinator.submitShare(BOB)).record).toBeDefined();
  });

  it("one of an older split", async () => {
    const before = await world.ready();
    const old = before.history;
    await before.update(world.manifest({ shareThreshold: 3 }));
    const coordinator = await world.coordinator(before.store);
    expect(await failureOf(coordinator.submitShare(ALICE, { from: old }))).toMatchObject({
      code: "share-invalid",
    });
    await coordinator.recover([ALICE, BOB, CAROL]);
  });

  it("one of another lineage with the same owners", async () => {
    const other = await world.ready();
    const { coordinator } = await restarted();
    expect(await failureOf(coordinator.submitShare(ALICE, { from: other.history }))).toMatchObject({
      code: "share-invalid",
    });
  });
});

describe("Recovery is refused", () => {
  it("by a ready coordinator and by one without a history", async () => {
    const { before } = await restarted();
    expect(await failureOf(before.submitShare(ALICE))).toMatchObject({ code: "not-ready" });
    const empty = await world.coordinator();
    const submission = {
      instanceId: empty.instance.keys.id,
      verifiedRecord: "",
      keyId: ALICE.shareKeyId,
      encryptedShare: new Uint8Array(64),
      force: false,
    };
    expect(await failureOf(empty.recovery.submit(submission))).toMatchObject({ code: "not-ready" });
  });

  it("over a store that was rolled back behind what a share owner has verified", async () => {
    const before = await world.ready();
    const old = before.store.backing.head!.value;
    await before.update(world.manifest({ workloads: ["db"] }));
    const verifiedRecord = before.history.recordHash;
    before.store.deaf = true;
    before.store.backing.setHead(old);
    const coordinator = await world.coordinator(before.store);
    const error = await failureOf(coordinator.submitShare(ALICE, { verifiedRecord }));
    expect(error).toMatchObject({
      code: "rollback",
      details: { head: coordinator.history.recordHash },
    });
    expect(coordinator.store.backing.head?.value).toEqual(old);
  });

  it("while the store shows less than this instance has verified already", async () => {
    const { before, coordinator } = await restarted();
    before.store.deaf = true;
    const newest = before.store.backing.head!.value;
    for (const head of [before.history.genesis.bytes, undefined]) {
      before.store.backing.setHead(head);
      const error = await failureOf(coordinator.submitShare(ALICE));
      expect(error.code).toBe("rollback");
      expect(error.hint).toContain("restore the store");
      // A lost head does not make it a place for a new lineage.
      expect(await failureOf(coordinator.genesis(world.manifest()))).toMatchObject({
        code: "rollback",
      });
    }
    before.store.backing.setHead(newest);
    await coordinator.recover();
  });

  it("where the manifest names no share owners", async () => {
    const before = await world.ready({ shareOwners: [] });
    const coordinator = await world.coordinator(before.store);
    const submission = {
      instanceId: coordinator.instance.keys.id,
      verifiedRecord: coordinator.history.recordHash,
      keyId: ALICE.shareKeyId,
      encryptedShare: new Uint8Array(64),
      force: false,
    };
    const error = await failureOf(coordinator.recovery.submit(submission));
    expect(error.code).toBe("unsupported");
    expect(error.hint).toContain("new lineage");
  });

  it("to a coordinator that the manifest does not admit, and the shares stay for one that it does", async () => {
    const before = await world.ready();
    const coordinator = await world.coordinator(before.store, { measurement: "other" });
    await coordinator.submitShare(ALICE);
    const error = await failureOf(coordinator.submitShare(BOB));
    expect(error.code).toBe("attestation-failed");
    expect(error.faults.map(({ path }) => path)).toContain("measurement-mismatch");
    expect(before.store.calls.swapHead).toBe(1);
  });

  it("to a coordinator whose name the manifest does not have, also if it is forced", async () => {
    const before = await world.ready();
    const coordinator = await world.coordinator(before.store, { name: "coordinator-9" });
    before.reachable = false;
    const error = await failureOf(coordinator.submitShare(ALICE, { force: true }));
    expect(error).toMatchObject({ code: "not-authorised" });
    expect(error.hint).toContain("coordinator-0");
    expect(coordinator.recovery.progress).toMatchObject({ received: 0 });
  });
});

describe("A damaged history", () => {
  const kinds = [
    ["an earlier record", (c: TestCoordinator) => c.history.links[0]!.head.hash],
    ["an earlier manifest", (c: TestCoordinator) => c.history.links[0]!.head.record.manifest],
    ["earlier approvals", (c: TestCoordinator) => c.history.links[0]!.head.record.approvals],
    ["the manifest in force", (c: TestCoordinator) => c.history.record.manifest],
    ["the newest approvals", (c: TestCoordinator) => c.history.record.approvals],
    ["the shares", (c: TestCoordinator) => c.history.record.shares],
    ["the root CA certificate", (c: TestCoordinator) => c.history.record.rootCaCertificate],
    ["the mesh CA certificate", (c: TestCoordinator) => c.history.record.meshCaCertificate],
    ["the mesh CA intermediate", (c: TestCoordinator) => c.history.record.meshCaIntermediate],
    ["a policy document", (c: TestCoordinator) => [...c.history.manifest.policies.keys()][0]!],
  ] as const;

  it.each(kinds.flatMap((kind) => ["missing", "damaged"].map((how) => [...kind, how] as const)))(
    "(%s) is refused, overwritten by nothing, and fine again once it is mended",
    async (_name, which, how) => {
      const before = await world.ready();
      await before.update(world.manifest({ workloads: ["web", "db"] }));
      const { backing } = before.store;
      const hash = which(before) as Sha256;
      const good = backing.documents.get(hash)!;
      if (how === "missing") backing.documents.delete(hash);
      else backing.documents.set(hash, utf8("damaged"));
      const contents = new Map(backing.documents);
      const head = backing.head;

      const coordinator = await world.coordinator(before.store);
      const error = await failureOf(coordinator.authority.confirm());
      expect(["verification-failed", "store-corrupt"]).toContain(error.code);
      expect(error.message).toMatch(/missing|can't be found|damaged/);
      expect(coordinator.authority.history).toBeUndefined();
      for (const change of [
        () => coordinator.genesis(world.manifest()),
        () =>
          coordinator.recovery.submit({
            instanceId: coordinator.instance.keys.id,
            verifiedRecord: before.history.recordHash,
            keyId: ALICE.shareKeyId,
            encryptedShare: new Uint8Array(64),
            force: false,
          }),
      ])
        expect((await failureOf(change())).code).toBe(error.code);
      expect(backing.documents).toEqual(contents);
      expect(backing.head).toBe(head);

      backing.documents.set(hash, good);
      expect(await failureOf(coordinator.authority.confirm())).toMatchObject({
        code: "recovery-needed",
      });
      await coordinator.submitShare(ALICE);
    },
  );

  it("whose shares were exchanged for those of another lineage is noticed before a seed is used", async () => {
    const eve = new Person("alice", ALICE.ownerKey, generateKeyPairSync("x25519").privateKey);
    const other = await world.ready({ shareOwners: [eve], shareThreshold: 1 });
    const { coordinator } = await restarted();
    const foreign = other.history.documentOf(other.history.record.shares ?? ("" as never));
    // Documents are named by their hash: the exchanged one is not the one that the record names.
    const { shares } = coordinator.history.record;
    coordinator.store.backing.documents.set(shares ?? ("" as never), foreign);
    const fresh = await world.coordinator(coordinator.store);
    expect(await failureOf(fresh.authority.confirm())).toMatchObject({ code: "store-corrupt" });
  });
});
