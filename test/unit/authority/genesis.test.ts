import { beforeAll, describe, expect, it } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import { parseApprovals } from "../../../src/core/history/index.ts";
import { genesisApprovalBytes, genesisInstanceBytes } from "../../../src/core/manifest/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import {
  ALICE,
  BOB,
  CAROL,
  DAVE,
  failureOf,
  MeshWorld,
  policyDocument,
  policyHash,
  type TestCoordinator,
} from "../../fixtures/mesh.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
  return () => world.close();
});

function expectUntouched(coordinator: TestCoordinator): void {
  expect(coordinator.store.backing.head).toBeUndefined();
  expect(coordinator.store.backing.documents.size).toBe(0);
  expect(coordinator.authority.lifecycle.kind).toBe("uninitialized");
}

describe("The first SetManifest", () => {
  it("makes a record of generation 1 and epoch 1 with two of three approvals", async () => {
    const coordinator = await world.coordinator();
    const state = await coordinator.genesis(world.manifest());
    const { record } = state.history;
    expect(record).toMatchObject({ kind: "genesis", generation: 1, epoch: 1, recoveryCount: 0 });
    expect(record.author.instance).toBe(coordinator.instance.keys.id);
    expect(await coordinator.authority.confirm()).toBe(state);
    expect(coordinator.store.backing.head?.value).toEqual(state.history.head.head.bytes);
    expect(coordinator.events("manifest-set")).toMatchObject([
      { recordHash: state.recordHash, generation: 1, approvedBy: [ALICE.keyId, BOB.keyId] },
    ]);
  });

  it.each([
    ["no binding", () => Promise.resolve(undefined)],
    [
      "a binding to another instance",
      async (manifest: Uint8Array) => {
        const instanceId = "0".repeat(32);
        const signed = genesisInstanceBytes(sha256(manifest), instanceId as never);
        return { instanceId, approval: await ALICE.approve(signed) };
      },
    ],
  ] as const)("refuses %s", async (_name, bind) => {
    const coordinator = await world.coordinator();
    const manifest = world.manifest();
    const genesisBinding = await bind(manifest);
    const error = await failureOf(coordinator.genesis(manifest, { genesisBinding }));
    expect(error.code).toBe("not-authorised");
    expect(error.message).toContain("not bound to this instance");
    expect(error.hint).toBeDefined();
    expectUntouched(coordinator);
  });

  it.each([
    ["a stranger", DAVE, (hash: never, id: never) => genesisInstanceBytes(hash, id)],
    ["an owner who signed something else", ALICE, (hash: never) => genesisApprovalBytes(hash)],
  ] as const)("refuses a binding that is signed by %s", async (_name, person, bytes) => {
    const coordinator = await world.coordinator();
    const manifest = world.manifest();
    const instanceId = coordinator.instance.keys.id;
    const approval = await person.approve(bytes(sha256(manifest) as never, instanceId as never));
    const genesisBinding = { instanceId, approval };
    const error = await failureOf(coordinator.genesis(manifest, { genesisBinding }));
    expect(error.code).toBe("not-authorised");
    expect(error.message).toContain("not signed by an owner");
    expectUntouched(coordinator);
  });

  it("counts owners, not approvals, and names who is missing", async () => {
    const coordinator = await world.coordinator();
    const manifest = world.manifest();
    const signed = genesisApprovalBytes(sha256(manifest));
    const alice = await ALICE.approve(signed);
    const approvals = [alice, alice, await ALICE.approve(signed), await DAVE.approve(signed)];
    const error = await failureOf(coordinator.genesis(manifest, { approvals }));
    expect(error.code).toBe("not-authorised");
    expect(error.message).toContain("1 of the 2 needed owners approved");
    expect(error.message).toContain("not yet by bob, carol");
    expect(error.message).toContain(DAVE.keyId);
    expectUntouched(coordinator);
    expect(coordinator.events("manifest-refused")).toMatchObject([{ code: "not-authorised" }]);
  });

  it("keeps only the approvals that verify, whatever else is sent under the same key", async () => {
    const coordinator = await world.coordinator();
    const manifest = world.manifest();
    const signed = genesisApprovalBytes(sha256(manifest));
    const good = await Promise.all([ALICE, BOB].map((each) => each.approve(signed)));
    const bad = await ALICE.approve(utf8("something else"));
    const state = await coordinator.genesis(manifest, { approvals: [bad, ...good] });
    const stored = state.history.documentOf(state.history.record.approvals ?? ("" as never));
    expect(unwrap(parseApprovals(stored)).map(({ signature }) => signature)).toEqual(
      expect.arrayContaining(good.map(({ signature }) => signature)),
    );
    // Whoever reads the history afterwards can still verify it.
    const successor = await world.coordinator(coordinator.store);
    expect(successor.authority.problem).toBeUndefined();
    expect(successor.history.recordHash).toBe(state.recordHash);
  });

  it("answers a bad manifest with every fault at once, each with its path", async () => {
    const coordinator = await world.coordinator();
    const manifest = world.manifest({
      workloads: ["web"],
      ownerThreshold: 4,
      extra: { surprise: 1, trustDomain: "NOT VALID", certificates: { leafLifetimeSeconds: 1 } },
    });
    const error = await failureOf(coordinator.genesis(manifest));
    expect(error.code).toBe("manifest-invalid");
    expect(error.faults.map(({ path }) => path).sort()).toEqual(
      [
        "$.certificates.leafLifetimeSeconds",
        "$.owners.threshold",
        "$.surprise",
        "$.trustDomain",
      ].sort(),
    );
    expectUntouched(coordinator);
  });

  it("refuses a manifest that does not name the coordinator", async () => {
    const coordinator = await world.coordinator();
    const coordinators = ["coordinator-1"];
    const error = await failureOf(coordinator.genesis(world.manifest({ coordinators })));
    expect(error).toMatchObject({ code: "manifest-invalid", faults: [{ path: "$.coordinators" }] });
    expect(error.message).toContain("must name the coordinator that sets it");
    expectUntouched(coordinator);
  });

  it("refuses a development manifest where development attestation is not allowed", async () => {
    const coordinator = await world.coordinator(undefined, { allowDevelopment: false });
    const error = await failureOf(coordinator.genesis(world.manifest()));
    expect(error.code).toBe("attestation-failed");
    expect(error.faults.map(({ path }) => path)).toContain("development-not-allowed");
    expectUntouched(coordinator);
  });

  it.each([
    ["whose measurement is another", { measurement: "other" }, "measurement-mismatch"],
    ["whose policy the manifest does not list", { policy: "unknown" }, "policy-unknown"],
  ])("refuses a manifest on a coordinator %s", async (_name, options, reason) => {
    const coordinator = await world.coordinator(undefined, options);
    const error = await failureOf(coordinator.genesis(world.manifest()));
    expect(error.code).toBe("attestation-failed");
    expect(error.faults.map(({ path }) => path)).toContain(reason);
    expectUntouched(coordinator);
  });

  it("refuses a coordinator whose policy has the role workload", async () => {
    const coordinator = await world.coordinator(undefined, { policy: "web", measurement: "web" });
    const error = await failureOf(coordinator.genesis(world.manifest()));
    expect(error.message).toContain("its policy has the role workload");
    expectUntouched(coordinator);
  });

  it("names the policies whose documents are missing", async () => {
    const coordinator = await world.coordinator();
    const error = await failureOf(
      coordinator.genesis(world.manifest(), { policyDocuments: [policyDocument("coordinator")] }),
    );
    expect(error).toMatchObject({
      code: "invalid-argument",
      faults: [{ path: `$.policies["${policyHash("web")}"]` }],
    });
    expectUntouched(coordinator);
  });

  it("keeps no document that the manifest does not name", async () => {
    const coordinator = await world.coordinator();
    await coordinator.genesis(world.manifest({ workloads: ["web"] }));
    expect(coordinator.store.backing.documents.has(policyHash("web"))).toBe(true);
    expect(coordinator.store.backing.documents.has(policyHash("cache"))).toBe(false);
  });

  it("refuses a predecessor where there is no history", async () => {
    const coordinator = await world.coordinator();
    const error = await failureOf(
      coordinator.genesis(world.manifest(), { previousRecord: "a".repeat(64) }),
    );
    expect(error).toMatchObject({ code: "head-moved", details: { head: "none" } });
    expectUntouched(coordinator);
  });

  it("succeeds again when it is repeated, and changes nothing by that", async () => {
    const coordinator = await world.coordinator();
    const request = await coordinator.genesisRequest(world.manifest());
    const first = await coordinator.set(request);
    expect(await coordinator.set(request)).toBe(first);
    expect(coordinator.store.calls.swapHead).toBe(1);
    expect(coordinator.events("manifest-set")).toHaveLength(1);
  });

  it("lets one of two coordinators over one store win, and the other one awaits recovery", async () => {
    const first = await world.coordinator();
    const second = await world.coordinator(first.store);
    const outcomes = await Promise.allSettled(
      [first, second].map((each) => each.genesis(world.manifest())),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const loser = outcomes[0]?.status === "fulfilled" ? second : first;
    const winner = loser === first ? second : first;
    await loser.authority.refresh();
    expect(loser.authority.history?.recordHash).toBe(winner.history.recordHash);
    expect(await failureOf(loser.authority.confirm())).toMatchObject({ code: "recovery-needed" });
  });

  it("refuses what no page of the history could carry, before anything is stored", async () => {
    const coordinator = await world.coordinator();
    const large = Array.from({ length: 70 }, (_, index) =>
      utf8(`${JSON.stringify({ format: "quorate/policy/v1" })}${" ".repeat(60_000)}${index}`),
    );
    const json = JSON.parse(new TextDecoder().decode(world.manifest())) as {
      policies: Record<string, unknown>;
    };
    for (const [index, document] of large.entries())
      json.policies[sha256(document)] = { spiffePath: `/large/${index}` };
    const manifest = utf8(JSON.stringify(json));
    const request = await coordinator.genesisRequest(manifest, [ALICE, CAROL]);
    const policyDocuments = [...request.policyDocuments, ...large];
    const error = await failureOf(coordinator.set({ ...request, policyDocuments }));
    expect(error.code).toBe("too-large");
    expectUntouched(coordinator);
  });
});
