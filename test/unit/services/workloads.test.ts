/** Sessions whose collateral changes after they were opened. The vendor keeps its root's key, so it can revoke. */
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import {
  Appraiser,
  type Collateral,
  type DevelopmentVendor,
  NO_COLLATERAL,
} from "../../../src/attestation/index.ts";
import type { Authority } from "../../../src/authority/authority.ts";
import { toHex } from "../../../src/core/bytes.ts";
import { unwrap } from "../../../src/core/result.ts";
import { Metrics } from "../../../src/observability/metrics.ts";
import { workloadVerifier } from "../../../src/services/workloads.ts";
import { failureOf, MeshWorld, policyHash } from "../../fixtures/mesh.ts";
import {
  connectWorkload,
  newRequest,
  setOverApi,
  startCoordinator,
} from "../../fixtures/running.ts";
import { ScriptedStore } from "../../fixtures/scripted-store.ts";
import {
  makeEvidence,
  makeRevocationList,
  type VendorKeys,
  vendorKeys,
} from "../../support/attestation/snp-vendor.ts";

const DAY = 86_400_000;
/** Of the intermediate that signs every endorsement key. */
const ASK_SERIAL = 2;
const REPORT_DATA = new Uint8Array(64).fill(0x5e);
const validity = { notBefore: Date.now() - DAY, notAfter: Date.now() + 10 * DAY };

let keys: VendorKeys;
let world: MeshWorld;
let collateral: Collateral;
/** What the source answers; by default the collateral of the moment, at once. */
let ask: () => Promise<Collateral>;

beforeAll(async () => {
  keys = await vendorKeys();
  world = MeshWorld.over(await revocableVendor());
  return () => world.close();
});
beforeEach(() => {
  collateral = NO_COLLATERAL;
  ask = () => Promise.resolve(collateral);
  world.now = Date.now();
});

async function revocableVendor(): Promise<DevelopmentVendor> {
  const { root } = await makeEvidence(keys);
  return {
    rootFingerprint: root,
    async issue({ measurement, policyHash: hostData, reportData }) {
      const report = { measurement, hostData, reportData: toHex(reportData) };
      const made = await makeEvidence(keys, {
        report,
        ark: validity,
        ask: validity,
        leaf: validity,
      });
      return made.evidence;
    },
  };
}

/** A new object with a list of the vendor's root. */
async function listing(serials: readonly number[], nextUpdate = world.now + DAY) {
  const dates = { thisUpdate: world.now - 1_000, nextUpdate };
  const list = await makeRevocationList(keys.ark.privateKey, { serials, ...dates });
  return { ...NO_COLLATERAL, revocationLists: [list] };
}

/** A judged workload without a network, the state that admits it, and the verifications that it has cost so far. */
async function workload() {
  const { authority } = await world.ready();
  const { verifier, verifications, metrics } = judge(authority);
  const evidence = await world.quoter("web").quote(REPORT_DATA);
  const subject = unwrap(
    await verifier.verify(evidence, REPORT_DATA, new AbortController().signal),
  );
  const state = await authority.confirm();
  const admit = (under = state) => subject.admit(under, world.now);
  return { subject, state, admit, authority, verifications, metrics };
}

function judge(authority: Authority) {
  const appraiser = new Appraiser();
  const appraise = vi.spyOn(appraiser, "appraise");
  const metrics = new Metrics();
  const source = () => ask();
  const ports = { authority, appraiser, collateral: source, metrics, now: () => world.now };
  const verifications = () => appraise.mock.calls.length;
  return { verifier: workloadVerifier(ports), appraise, verifications, metrics };
}

describe("a live session", () => {
  async function session() {
    const source = () => ask();
    const started = await startCoordinator(world, new ScriptedStore(), { collateral: source });
    await setOverApi(started, world.manifest({ workloads: ["web", "db"] }));
    const { mesh, channel } = await connectWorkload(world, started, "web");
    return { started, mesh, channel };
  }

  it("gets no certificate once a list revokes its platform, and hears why", async () => {
    const { mesh } = await session();
    const request = await newRequest();
    const before = await mesh.newMeshCert(request);
    expect(before.certificateChain).toHaveLength(2);
    collateral = await listing([ASK_SERIAL]);
    const error = await failureOf(mesh.newMeshCert(request));
    expect(error.code).toBe("attestation-failed");
    expect(error.faults.map(({ path }) => path)).toContain("certificate-revoked");
    // Refused for good, not for the one call.
    expect((await failureOf(mesh.newMeshCert(request))).code).toBe("attestation-failed");
  });

  it("goes on once a list says that nothing is revoked", async () => {
    const { mesh } = await session();
    const request = await newRequest();
    await mesh.newMeshCert(request);
    collateral = await listing([7]);
    expect((await mesh.newMeshCert(request)).certificateChain).toHaveLength(2);
  });
});

describe("admission", () => {
  it("verifies nothing again while neither state nor collateral has changed", async () => {
    const { admit, verifications } = await workload();
    const identities = await Promise.all(Array.from({ length: 50 }, () => admit()));
    expect(new Set(identities.map((identity) => identity.policyHash))).toEqual(
      new Set([policyHash("web")]),
    );
    expect(verifications()).toBe(1);
  });

  it("takes microtasks while the collateral is unchanged", async () => {
    const { admit } = await workload();
    const later = new Promise((resolve) => setImmediate(resolve, "later"));
    expect(await Promise.race([admit(), later])).toMatchObject({ role: "workload" });
  });

  it("verifies once for all who ask after a change, and then knows the verdict", async () => {
    const { admit, verifications, metrics } = await workload();
    collateral = await listing([ASK_SERIAL]);
    const errors = await Promise.all(Array.from({ length: 20 }, () => failureOf(admit())));
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["attestation-failed"]));
    await failureOf(admit());
    expect(verifications()).toBe(2);
    expect(await metrics.registry.metrics()).toContain(
      'quorate_appraisals_total{result="refused",reason="certificate-revoked"} 1',
    );
  });

  it("lets a revoked workload in again when a newer list takes that back", async () => {
    const { admit } = await workload();
    collateral = await listing([ASK_SERIAL]);
    await failureOf(admit());
    collateral = await listing([]);
    expect(await admit()).toMatchObject({ role: "workload" });
  });

  it("is what the synchronous judgement under a later state builds on", async () => {
    const { subject, admit, authority } = await workload();
    collateral = await listing([ASK_SERIAL]);
    await failureOf(admit());
    const later = { ...(await authority.confirm()) };
    expect(() => subject.identityUnder(later, world.now)).toThrow("does not admit");
  });

  it("compares the report data again with every verification", async () => {
    const { authority } = await workload();
    const { verifier, appraise } = judge(authority);
    const evidence = await world.quoter("web").quote(REPORT_DATA);
    const other = new Uint8Array(64).fill(1);
    const refused = await verifier.verify(evidence, other, new AbortController().signal);
    expect(refused).toMatchObject({ ok: false, error: { code: "attestation-failed" } });

    const reportData = REPORT_DATA.slice();
    const subject = unwrap(
      await verifier.verify(evidence, reportData, new AbortController().signal),
    );
    collateral = await listing([]);
    // The session has copies: whoever reuses the buffers that they came in changes nothing.
    reportData.fill(0);
    evidence.quote.fill(0);
    await expect(subject.admit(await authority.confirm(), world.now)).resolves.toBeDefined();
    const [, context] = appraise.mock.lastCall ?? [];
    expect(context).toMatchObject({ collateral, expectedReportData: REPORT_DATA });
  });

  it.each<[string, () => Promise<Collateral>]>([
    ["takes long", () => new Promise(() => undefined)],
    ["fails", () => Promise.reject(new Error("away"))],
  ])("keeps the last verdict while collateral %s", async (_name, source) => {
    const { admit, verifications } = await workload();
    collateral = await listing([], world.now + DAY);
    await admit();
    ask = source;
    await expect(admit()).resolves.toBeDefined();
    expect(verifications()).toBe(2);
  });

  it("does not outlive the certificates under the evidence, whatever the source does", async () => {
    const { admit } = await workload();
    ask = () => Promise.reject(new Error("away"));
    world.now = validity.notAfter + 1_000;
    const error = await failureOf(admit());
    expect(error.faults.map(({ path }) => path)).toContain("certificate-expired");
  });

  it("waits for collateral once the list under the last verdict has expired", async () => {
    const { admit, verifications } = await workload();
    const nextUpdate = Math.floor(world.now / 1_000) * 1_000 + 60_000;
    collateral = await listing([], nextUpdate);
    await admit();
    world.now = nextUpdate + 1_000;
    const revoking = await listing([ASK_SERIAL], nextUpdate + DAY);
    ask = () => new Promise((resolve) => setTimeout(resolve, 20, revoking));
    const error = await failureOf(admit());
    expect(error.faults.map(({ path }) => path)).toContain("certificate-revoked");
    expect(verifications()).toBe(3);
  });

  it("keeps what was judged last when two judgements overlap", async () => {
    const { subject, admit, state } = await workload();
    const good = await listing([]);
    const bad = await listing([ASK_SERIAL]);
    collateral = good;
    const first = admit();
    collateral = bad;
    const second = failureOf(admit());
    await Promise.all([first, second]);
    expect(() => subject.identityUnder(state, world.now)).toThrow("does not admit");
  });
});
