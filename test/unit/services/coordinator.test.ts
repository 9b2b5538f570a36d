/** One whole coordinator, over real attested sessions and plain TLS. */
import { randomBytes, X509Certificate } from "node:crypto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, it } from "vitest";
import { formatAddress } from "../../../src/config/address.ts";
import { parseRecord } from "../../../src/core/history/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus,
} from "../../../src/gen/grpc/health/v1/health_pb.ts";
import { MeshService } from "../../../src/gen/quorate/meshapi/v1/mesh_pb.ts";
import { Mode } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { serviceClient } from "../../../src/transport/grpc-client.ts";
import { ObservedChannel } from "../../../src/transport/observed-channel.ts";
import { failureOf, MeshWorld, policyHash } from "../../fixtures/mesh.ts";
import {
  connectWorkload,
  newRequest,
  type Running,
  setOverApi,
  startCoordinator,
} from "../../fixtures/running.ts";
import { ScriptedStore, unreachable } from "../../fixtures/scripted-store.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
});

const LIFETIME = 600;
const WEB_AND_DB = { workloads: ["web", "db"], leafLifetimeSeconds: LIFETIME };

/** A coordinator that enforces a manifest with web and db. */
async function running(): Promise<Running & { place: { lineage: string; previous: string } }> {
  const started = await startCoordinator(world);
  const { record } = await setOverApi(started, world.manifest(WEB_AND_DB));
  const { hash, record: genesis } = unwrap(parseRecord(record, sha256));
  return { ...started, place: { lineage: genesis.lineage, previous: hash } };
}

const DEADLINE = { timeout: 5_000 };

async function metricsOf({ coordinator }: Running): Promise<string> {
  const { host, port } = coordinator.adminAddress!;
  return (await fetch(`http://${host}:${port}/metrics`)).text();
}

describe("NewMeshCert", () => {
  it("gives an attested workload its names, a chain to the root, the bundle and its secret", async () => {
    const started = await running();
    const { mesh } = await connectWorkload(world, started, "web");
    const { key, certificateRequest } = await newRequest();
    const answer = await mesh.newMeshCert({ certificateRequest, wantLineageProof: true });

    const [leaf, intermediate] = answer.certificateChain.map((der) => new X509Certificate(der));
    const [root, meshCa] = answer.trustBundle.map((der) => new X509Certificate(der));
    expect(leaf!.checkPrivateKey(key)).toBe(true);
    expect(leaf!.subjectAltName).toContain("URI:spiffe://mesh.example/ns/default/web");
    expect(leaf!.subjectAltName).toContain("DNS:web");
    expect(leaf!.verify(intermediate!.publicKey)).toBe(true);
    expect(leaf!.verify(meshCa!.publicKey)).toBe(true);
    expect(intermediate!.verify(root!.publicKey)).toBe(true);
    expect(answer.trustBundle).toHaveLength(2);

    const notAfter = timestampMs(answer.notAfter!);
    expect(Math.abs(notAfter - world.now - LIFETIME * 1000)).toBeLessThanOrEqual(1_000);
    const renewal = (timestampMs(answer.renewAt!) - world.now) / (LIFETIME * 1000);
    expect(renewal).toBeGreaterThan(0.39);
    expect(renewal).toBeLessThan(0.61);

    expect(answer.recordHash).toBe(started.place.previous);
    expect(sha256(answer.record)).toBe(answer.recordHash);
    expect(sha256(answer.lineageProof!.genesisRecord)).toBe(answer.recordHash);
    expect(answer.workloadSecret).toHaveLength(32);
    const again = await mesh.newMeshCert({ certificateRequest });
    expect(again.workloadSecret).toEqual(answer.workloadSecret);
    expect(again.lineageProof).toBeUndefined();
    expect(started.audited.filter((line) => line.includes("certificate-issued"))).toHaveLength(2);
  });

  it("gives no secret to a workload whose policy names none", async () => {
    const started = await running();
    const { mesh } = await connectWorkload(world, started, "db");
    const answer = await mesh.newMeshCert(await newRequest());
    expect(answer.workloadSecret).toHaveLength(0);
  });

  it.each([new Uint8Array(), new Uint8Array([0x30, 0x00]), new Uint8Array(100_000)])(
    "refuses what is no certificate request",
    async (certificateRequest) => {
      const started = await running();
      const { mesh } = await connectWorkload(world, started, "web");
      expect(await failureOf(mesh.newMeshCert({ certificateRequest }))).toMatchObject({
        code: "invalid-argument",
      });
    },
  );

  it("refuses evidence of the coordinator role", async () => {
    const started = await running();
    const { mesh } = await connectWorkload(world, started, "coordinator");
    const error = await failureOf(mesh.newMeshCert(await newRequest()));
    expect(error.code).toBe("not-authorised");
    expect(error.hint).toContain("role workload");
    expect(started.audited.join()).not.toContain("certificate-issued");
  });

  it.each([
    ["whose policy is not in the manifest", "cache", "cache", "policy-unknown"],
    ["whose measurement is another", "web", "db", "measurement-mismatch"],
  ])("never reaches a workload %s, which is told why", async (_name, policy, measurement, why) => {
    const started = await running();
    const { mesh } = await connectWorkload(world, started, policy, measurement);
    const error = await failureOf(mesh.newMeshCert(await newRequest()));
    expect(error.code).toBe("attestation-failed");
    expect(error.faults.map(({ path }) => path)).toContain(why);
    await expect
      .poll(() => started.audited.join("\n"), DEADLINE)
      .toContain('"event":"attestation-refused"');
  });

  it("is not to be had before a manifest was set", async () => {
    const started = await startCoordinator(world);
    const { mesh } = await connectWorkload(world, started, "web");
    expect(await failureOf(mesh.newMeshCert(await newRequest()))).toMatchObject({
      code: "not-ready",
    });
  });

  it("is not to be had over plain TLS", async () => {
    const started = await running();
    const channel = new ObservedChannel({
      address: formatAddress(started.coordinator.meshAddress),
    });
    const mesh = serviceClient(MeshService, channel);
    const error = await failureOf(mesh.newMeshCert(await newRequest(), { timeoutMs: 5_000 }));
    channel.close();
    expect(["unreachable", "protocol"]).toContain(error.code);
  });

  it("waits for the store, and fails when it can't be read", async () => {
    const started = await running();
    const { mesh } = await connectWorkload(world, started, "web");
    started.store.onReadHead = unreachable;
    expect(await failureOf(mesh.newMeshCert(await newRequest()))).toMatchObject({
      code: "store-unavailable",
    });
    expect(await metricsOf(started)).toContain("quorate_issuing_suspended 1");
    started.store.onReadHead = undefined;
    await mesh.newMeshCert(await newRequest());
    expect(await metricsOf(started)).toContain("quorate_issuing_suspended 0");
  });

  it("fails over a fork, which status, probes and health say", async () => {
    const started = await running();
    const { mesh } = await connectWorkload(world, started, "web");
    const head = started.store.backing.head!.value;
    const other = await world.ready();
    started.store.backing.setHead(other.store.backing.head!.value);
    expect(await failureOf(mesh.newMeshCert(await newRequest()))).toMatchObject({ code: "fork" });
    expect(await failureOf(started.user.attest({ nonce: randomBytes(32) }))).toMatchObject({
      code: "fork",
    });
    const status = await started.user.getStatus({});
    expect(status.suspended).toContain("fork");
    expect(status.hint).not.toBe("");
    const { host, port } = started.coordinator.adminAddress!;
    expect((await fetch(`http://${host}:${port}/readyz`)).status).toBe(503);
    const health = new ObservedChannel({ address: formatAddress(started.coordinator.userAddress) });
    const { status: serving } = await serviceClient(Health, health).check({});
    health.close();
    expect(serving).toBe(HealthCheckResponse_ServingStatus.NOT_SERVING);
    started.store.backing.setHead(head);
    await mesh.newMeshCert(await newRequest());
  });
});

describe("An update", () => {
  it("ends the sessions of workloads that it excludes, and leaves the others", async () => {
    const started = await running();
    const web = await connectWorkload(world, started, "web");
    const db = await connectWorkload(world, started, "db");
    await Promise.all([web, db].map(async ({ mesh }) => mesh.newMeshCert(await newRequest())));
    const seen: string[] = [];
    const watching = expect(
      (async () => {
        for await (const { recordHash } of db.mesh.watchTrust({})) seen.push(recordHash);
      })(),
    ).rejects.toThrow();
    await expect.poll(() => seen.length, DEADLINE).toBe(1);
    await setOverApi(started, world.manifest({ workloads: ["web"] }), started.place);
    await watching;
    // A new attempt is refused with the reason.
    const error = await failureOf(db.mesh.newMeshCert(await newRequest()));
    expect(["attestation-failed", "unavailable", "unreachable"]).toContain(error.code);
    await web.mesh.newMeshCert(await newRequest());
    await expect.poll(() => metricsOf(started), DEADLINE).toContain("quorate_attested_sessions 1");
  });

  it("is told by WatchTrust at once and whenever it happens, and renewal gives the new CA", async () => {
    const started = await running();
    const { mesh } = await connectWorkload(world, started, "web");
    const before = await mesh.newMeshCert(await newRequest());
    const abort = new AbortController();
    const seen: { recordHash: string; generation: bigint }[] = [];
    const watching = (async () => {
      for await (const each of mesh.watchTrust({}, { signal: abort.signal })) seen.push(each);
    })();
    await expect.poll(() => seen.length, DEADLINE).toBe(1);
    const { recordHash } = await setOverApi(started, world.manifest(), started.place);
    await expect.poll(() => seen.length, DEADLINE).toBe(2);
    expect(seen).toMatchObject([
      { recordHash: started.place.previous, generation: 1n },
      { recordHash, generation: 2n },
    ]);
    abort.abort();
    await expect(watching).rejects.toMatchObject({ code: "cancelled" });
    const after = await mesh.newMeshCert(await newRequest());
    expect(after.recordHash).toBe(recordHash);
    expect(after.trustBundle[0]).toEqual(before.trustBundle[0]);
    expect(after.trustBundle[1]).not.toEqual(before.trustBundle[1]);
    expect(after.trustBundle).toHaveLength(2);
  });

  it("excludes a workload whose evidence was judged before and whose session opens after it", async () => {
    const started = await running();
    const connecting = Array.from({ length: 4 }, () => connectWorkload(world, started, "db"));
    const clients = await Promise.all(connecting);
    // Handshakes and the update run at the same time, in whatever order.
    const calls = clients.map(async ({ mesh }) =>
      mesh.newMeshCert(await newRequest()).then(
        ({ recordHash }) => recordHash,
        (cause: unknown) => cause,
      ),
    );
    await setOverApi(started, world.manifest({ workloads: ["web"] }), started.place);
    for (const outcome of await Promise.all(calls)) {
      if (typeof outcome === "string") expect(outcome).toBe(started.place.previous);
      else expect(outcome).toBeInstanceOf(Error);
    }
    await expect.poll(() => metricsOf(started), DEADLINE).toContain("quorate_attested_sessions 0");
  });
});

describe("The user port", () => {
  it("shows status, history and evidence from uninitialized to ready", async () => {
    const started = await startCoordinator(world);
    const { user } = started;
    const empty = await user.getStatus({});
    expect(empty).toMatchObject({ mode: Mode.UNINITIALIZED, version: "0.0.0-test" });
    expect(empty.head).toBeUndefined();
    expect(empty.platform?.development).toBe(true);
    expect(empty.hint).toContain("quorate set");
    expect(await failureOf(user.getManifests({}))).toMatchObject({ code: "not-ready" });

    const set = await setOverApi(started, world.manifest());
    const status = await user.getStatus({});
    expect(status).toMatchObject({ mode: Mode.READY, suspended: "", hint: "" });
    expect(status.head).toMatchObject({ recordHash: set.recordHash, generation: 1n, epoch: 1n });
    const page = await user.getManifests({});
    expect(page.records.map((bytes) => sha256(bytes))).toEqual([set.recordHash]);
    expect(page.documents.map((bytes) => sha256(bytes))).toContain(policyHash("web"));
    const attested = await user.attest({ nonce: randomBytes(32) });
    expect(sha256(attested.headRecord)).toBe(set.recordHash);
    expect(set.shares.length).toBeGreaterThan(0);
    expect(set.caCertificates?.root.length).toBeGreaterThan(0);
  });

  it.each([0, 31, 33, 64])("refuses a nonce of %i bytes", async (length) => {
    const { user } = await startCoordinator(world);
    expect(await failureOf(user.attest({ nonce: new Uint8Array(length) }))).toMatchObject({
      code: "invalid-argument",
    });
  });

  it("refuses more approvals than there can be owners, and key ids of another form", async () => {
    const { user } = await startCoordinator(world);
    const approvals = Array.from({ length: 65 }, () => ({ keyId: "a".repeat(64) }));
    expect(await failureOf(user.setManifest({ approvals }))).toMatchObject({ code: "too-large" });
    expect(await failureOf(user.setManifest({ approvals: [{ keyId: "x" }] }))).toMatchObject({
      code: "invalid-argument",
    });
  });

  it("answers status while the store is out of reach", async () => {
    const started = await running();
    started.store.onReadHead = unreachable;
    const status = await started.user.getStatus({});
    expect(status.mode).toBe(Mode.READY);
    expect(status.suspended).toContain("out of reach");
    expect(status.store?.condition).toContain("out of reach");
  });

  it("logs what is our fault, and tells the caller only where to look", async () => {
    const started = await running();
    started.store.onReadHead = () => Promise.reject(new TypeError("a bug with internals"));
    const error = await failureOf(started.user.attest({ nonce: randomBytes(32) }));
    expect(error.code).toBe("internal");
    expect(error.message).not.toContain("internals");
    expect(started.logged.some((line) => line.includes(error.details["requestId"]!))).toBe(true);
    const status = await started.user.getStatus({});
    expect(status.suspended).not.toContain("internals");
  });
});

describe("A restarted coordinator", () => {
  it("says that it awaits recovery, and how far it verified", async () => {
    const first = await running();
    const { backing } = first.store;
    await first.coordinator.stop();
    const started = await startCoordinator(world, new ScriptedStore(backing));
    const status = await started.user.getStatus({});
    expect(status.mode).toBe(Mode.AWAITING_RECOVERY);
    expect(status.recovery).toMatchObject({
      lastVerifiedGeneration: 1n,
      sharesReceived: 0,
      sharesThreshold: 2,
    });
    expect(status.hint).toContain("quorate recover");
    const { mesh } = await connectWorkload(world, started, "web");
    expect(await failureOf(mesh.newMeshCert(await newRequest()))).toMatchObject({
      code: "recovery-needed",
    });
  });

  it("stops twice, and gives its ports back", async () => {
    const { coordinator } = await startCoordinator(world);
    await Promise.all([coordinator.stop(), coordinator.stop()]);
    const { host, port } = coordinator.adminAddress!;
    await expect(fetch(`http://${host}:${port}/readyz`)).rejects.toThrow();
  });
});
