import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { parseShares } from "../../../src/core/history/index.ts";
import { updateApprovalBytes } from "../../../src/core/manifest/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import {
  ALICE,
  BOB,
  CAROL,
  DAVE,
  ERIN,
  failureOf,
  MeshWorld,
  type Person,
  policyHash,
  type TestCoordinator,
} from "../../fixtures/mesh.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
  return () => world.close();
});

/** Runs `change`, which must leave head and state as they are. */
async function refused(coordinator: TestCoordinator, change: () => Promise<unknown>) {
  const { head } = coordinator.store.backing;
  const { state } = coordinator.authority;
  const error = await failureOf(change());
  expect(coordinator.store.backing.head).toEqual(head);
  expect(coordinator.authority.state).toBe(state);
  return error;
}

describe("A further SetManifest", () => {
  it("makes the next generation of the same epoch, with a mesh CA of its own under the same root", async () => {
    const coordinator = await world.ready();
    const before = await coordinator.authority.confirm();
    const after = await coordinator.update(world.manifest({ workloads: ["web", "db"] }));
    expect(after.history.record).toMatchObject({ kind: "update", generation: 2, epoch: 1 });
    expect(after.history.record.previous).toBe(before.recordHash);
    expect(after.meshCa.keyId).not.toBe(before.meshCa.keyId);
    expect(after.meshCa.certificates.root).toEqual(before.meshCa.certificates.root);
    const root = new X509Certificate(after.meshCa.certificates.root);
    const meshCa = new X509Certificate(after.meshCa.certificates.meshCa.intermediate);
    expect(meshCa.verify(root.publicKey)).toBe(true);
    expect(after.manifest.policies.has(policyHash("db"))).toBe(true);
  });

  it("needs the owners that its predecessor names, not its own", async () => {
    const coordinator = await world.ready();
    const manifest = world.manifest({ owners: [DAVE, ERIN] });
    const byNew = await coordinator.updateRequest(manifest, [DAVE, ERIN]);
    expect(await refused(coordinator, () => coordinator.set(byNew))).toMatchObject({
      code: "not-authorised",
    });
    await coordinator.set(await coordinator.updateRequest(manifest, [BOB, CAROL]));
    // From now on it is the other way round.
    const next = world.manifest({ owners: [DAVE, ERIN], workloads: ["db"] });
    const byOld = await coordinator.updateRequest(next, [BOB, CAROL]);
    expect(await refused(coordinator, () => coordinator.set(byOld))).toMatchObject({
      code: "not-authorised",
    });
    await coordinator.set(await coordinator.updateRequest(next, [DAVE, ERIN]));
    expect(coordinator.history.record.generation).toBe(3);
  });

  it("refuses approvals of an earlier update, also for the same manifest", async () => {
    const coordinator = await world.ready();
    const manifest = world.manifest({ workloads: ["db"] });
    const request = await coordinator.updateRequest(manifest);
    await coordinator.set(request);
    await coordinator.update(world.manifest());
    const replayed = { ...request, previousRecord: coordinator.history.lastSet.hash };
    expect(await refused(coordinator, () => coordinator.set(replayed))).toMatchObject({
      code: "not-authorised",
    });
    expect(await refused(coordinator, () => coordinator.set(request))).toMatchObject({
      code: "head-moved",
      details: { head: coordinator.history.recordHash },
    });
  });

  it("refuses approvals that were given for another lineage", async () => {
    const coordinator = await world.ready();
    const other = await world.ready();
    const manifest = world.manifest({ workloads: ["db"] });
    const { approvals } = await other.updateRequest(manifest);
    const request = { ...(await coordinator.updateRequest(manifest)), approvals };
    expect(await refused(coordinator, () => coordinator.set(request))).toMatchObject({
      code: "not-authorised",
    });
  });

  it.each(["", "f".repeat(64), "not a hash"])(
    "answers the predecessor %j with the current head",
    async (previousRecord) => {
      const coordinator = await world.ready();
      const request = await coordinator.updateRequest(world.manifest({ workloads: ["db"] }));
      const error = await refused(coordinator, () =>
        coordinator.set({ ...request, previousRecord }),
      );
      expect(error).toMatchObject({
        code: "head-moved",
        details: { head: coordinator.history.recordHash },
      });
      expect(error.hint).toBeDefined();
    },
  );

  it("refuses another trust domain", async () => {
    const coordinator = await world.ready();
    const request = await coordinator.updateRequest(
      world.manifest({ trustDomain: "other.example" }),
    );
    expect(await refused(coordinator, () => coordinator.set(request))).toMatchObject({
      code: "manifest-invalid",
      faults: [{ path: "$.trustDomain" }],
    });
  });

  it("refuses to exclude the coordinator that makes it", async () => {
    const coordinator = await world.ready();
    const request = await coordinator.updateRequest(world.manifest({ coordinatorPolicy: "cache" }));
    const error = await refused(coordinator, () => coordinator.set(request));
    expect(error.code).toBe("attestation-failed");
    expect(error.faults.map(({ path }) => path)).toContain("policy-unknown");
  });

  it("knows policy documents of earlier manifests, and asks for new ones", async () => {
    const coordinator = await world.ready();
    const policyDocuments: Uint8Array[] = [];
    await coordinator.update(world.manifest({ leafLifetimeSeconds: 600 }), { policyDocuments });
    const request = await coordinator.updateRequest(world.manifest({ workloads: ["web", "db"] }));
    const error = await refused(coordinator, () =>
      coordinator.set({ ...request, policyDocuments }),
    );
    expect(error).toMatchObject({
      code: "invalid-argument",
      faults: [{ path: `$.policies["${policyHash("db")}"]` }],
    });
  });

  it("keeps the shares while share owners and threshold stay, and splits anew when they change", async () => {
    const coordinator = await world.ready();
    const first = coordinator.history.record.shares;
    await coordinator.update(world.manifest({ workloads: ["db"] }));
    expect(coordinator.history.record.shares).toBe(first);
    const changes: readonly { shareOwners?: readonly Person[]; shareThreshold?: number }[] = [
      { shareThreshold: 3 },
      { shareOwners: [ALICE, BOB, DAVE] },
    ];
    const seen = new Set([first]);
    for (const change of changes) {
      await coordinator.update(world.manifest(change));
      const { shares } = coordinator.history.record;
      expect(seen.has(shares)).toBe(false);
      seen.add(shares);
      const document = unwrap(parseShares(coordinator.history.documentOf(shares ?? ("" as never))));
      const owners = change.shareOwners ?? [ALICE, BOB, CAROL];
      expect(document.shares.map(({ key }) => key)).toEqual(owners.map((each) => each.shareKeyId));
      expect(document.threshold).toBe(change.shareThreshold ?? 2);
    }
    await coordinator.update(world.manifest({ shareOwners: [] }));
    expect(coordinator.history.record.shares).toBeNull();
  });

  it("succeeds again when it is repeated, also below a recovery", async () => {
    const coordinator = await world.ready();
    const request = await coordinator.updateRequest(world.manifest({ workloads: ["web", "db"] }));
    const state = await coordinator.set(request);
    expect(await coordinator.set(request)).toBe(state);

    const successor = await world.coordinator(coordinator.store);
    const recovered = await successor.recover();
    expect(await successor.set(request)).toBe(recovered);
    expect(recovered.history.lastSet.hash).toBe(state.recordHash);

    // Repetition is no way around the approvals.
    const unapproved = { ...request, approvals: request.approvals.slice(1) };
    expect(await refused(successor, () => successor.set(unapproved))).toMatchObject({
      code: "not-authorised",
    });
  });

  it("repeats the genesis below a recovery, on an instance that it was not bound to", async () => {
    const coordinator = await world.coordinator();
    const request = await coordinator.genesisRequest(world.manifest());
    await coordinator.set(request);
    const successor = await world.coordinator(coordinator.store);
    const recovered = await successor.recover();
    expect(await successor.set(request)).toBe(recovered);
  });

  it("takes approvals that were given before a recovery", async () => {
    const coordinator = await world.ready();
    const { lineage, lastSet } = coordinator.history;
    const manifest = world.manifest({ workloads: ["db"] });
    const subject = { lineage, predecessor: lastSet.hash, manifest: sha256(manifest) };
    const approvals = await Promise.all(
      [ALICE, CAROL].map((each) => each.approve(updateApprovalBytes(subject))),
    );
    const successor = await world.coordinator(coordinator.store);
    await successor.recover();
    const state = await successor.update(manifest, { approvals, previousRecord: lastSet.hash });
    expect(state.history.record).toMatchObject({ generation: 2, epoch: 2 });
  });

  it("that nobody approved takes no place from owners while a change is under way", async () => {
    const coordinator = await world.ready();
    const request = await coordinator.updateRequest(world.manifest({ workloads: ["db"] }));
    let land = (): void => undefined;
    coordinator.store.onSwapHead = async (run) => {
      await new Promise<void>((resolve) => (land = resolve));
      return run();
    };
    const first = coordinator.set(request);
    await vi.waitFor(() => expect(coordinator.store.calls.swapHead).toBeGreaterThan(1));
    const strangers = await Promise.all(
      Array.from({ length: 40 }, () => failureOf(coordinator.set({ ...request, approvals: [] }))),
    );
    expect(new Set(strangers.map(({ code }) => code))).toEqual(new Set(["not-authorised"]));
    const unknown = { ...request, previousRecord: "0".repeat(64) };
    expect(await failureOf(coordinator.set(unknown))).toMatchObject({ code: "head-moved" });
    const repeated = coordinator.set(request);
    coordinator.store.onSwapHead = undefined;
    land();
    expect((await repeated).recordHash).toBe((await first).recordHash);
  });
});
