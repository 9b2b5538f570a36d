import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  appraisalPolicy,
  Appraiser,
  type Evidence,
  NO_COLLATERAL,
} from "../../../src/attestation/index.ts";
import { parseManifest } from "../../../src/core/manifest/index.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { unwrap } from "../../../src/core/result.ts";
import { parseOwnerKey, parseShareOwnerKey } from "../../../src/crypto/index.ts";
import {
  coordinatorRefusal,
  PeerEvidence,
  peerEvidenceVerifier,
  unjudgedPeerEvidence,
} from "../../../src/recovery/peer-evidence.ts";
import { failureOf, type ManifestChoices, MeshWorld } from "../../fixtures/mesh.ts";

const REPORT_DATA = new Uint8Array(64).fill(7);
const { signal } = new AbortController();

let world: MeshWorld;
let coordinator: Evidence;
beforeAll(async () => {
  world = await MeshWorld.create();
  coordinator = await world.quoter("coordinator").quote(REPORT_DATA);
});
afterAll(() => world.close());

function policyOf(choices: ManifestChoices = {}, allowDevelopment = true) {
  const keys = { parseOwnerKey, parseShareOwnerKey };
  return appraisalPolicy(unwrap(parseManifest(world.manifest(choices), keys)), {
    allowDevelopment,
  });
}

const ports = () => ({
  appraiser: new Appraiser(),
  collateral: () => Promise.resolve(NO_COLLATERAL),
  now: () => world.now,
});

describe("a peer's evidence", () => {
  it("makes a coordinator of whoever the manifest says is one", async () => {
    const peer = new PeerEvidence(ports(), coordinator, REPORT_DATA);
    await peer.requireCoordinator(policyOf(), "the peer", "the manifest");
    expect(coordinatorRefusal(await peer.judge(policyOf()))).toBeUndefined();
  });

  it("does not count for other report data than its session's", async () => {
    const peer = new PeerEvidence(ports(), coordinator, new Uint8Array(64));
    const refusal = await failureOf(
      peer.requireCoordinator(policyOf(), "the peer", "the manifest"),
    );
    expect(refusal.faults.map(({ path }) => path)).toEqual(["report-data-mismatch"]);
  });

  it("does not count where simulated evidence does not", async () => {
    const peer = new PeerEvidence(ports(), coordinator, REPORT_DATA);
    const refusal = await failureOf(
      peer.requireCoordinator(policyOf({}, false), "the peer", "the manifest"),
    );
    expect(refusal.code).toBe("attestation-failed");
  });

  it("does not make a coordinator of a workload, nor of what was not judged", async () => {
    const web = await world.quoter("web").quote(REPORT_DATA);
    const verdict = await new PeerEvidence(ports(), web, REPORT_DATA).judge(policyOf());
    expect(verdict.accepted).toBe(true);
    expect(coordinatorRefusal(verdict)).toBe("its policy has the role workload");
    expect(coordinatorRefusal(undefined)).toBe("its evidence was not judged");
  });

  it("outlives the buffer that it was read from, report data included", async () => {
    const quote = new Uint8Array(coordinator.quote);
    const reportData = new Uint8Array(REPORT_DATA);
    const peer = new PeerEvidence(ports(), { ...coordinator, quote }, reportData);
    quote.fill(0);
    reportData.fill(0);
    await peer.requireCoordinator(policyOf(), "the peer", "the manifest");
  });

  it("is judged with the collateral and the time of every judgement", async () => {
    let collateral = (): Promise<typeof NO_COLLATERAL> => Promise.resolve(NO_COLLATERAL);
    let now = world.now;
    const live = { appraiser: new Appraiser(), collateral: () => collateral(), now: () => now };
    const peer = new PeerEvidence(live, coordinator, REPORT_DATA);
    expect((await peer.judge(policyOf())).accepted).toBe(true);
    now = world.now + 100 * 365 * 86_400_000;
    expect((await peer.judge(policyOf())).accepted).toBe(false);
    now = world.now;
    collateral = () =>
      Promise.reject(new QuorateError("collateral-unavailable", "the service is away"));
    expect((await failureOf(peer.judge(policyOf()))).code).toBe("collateral-unavailable");
  });
});

describe("the verifier of a peers' port", () => {
  it("refuses who is no coordinator under the newest known manifest, with every reason", async () => {
    const policy = policyOf({ coordinatorPolicy: "coordinator-next" });
    const verifier = peerEvidenceVerifier({ ...ports(), policy: () => policy });
    const outcome = await verifier.verify(coordinator, REPORT_DATA, signal);
    expect(outcome).toMatchObject({
      ok: false,
      error: { code: "attestation-failed", faults: [{ path: "policy-unknown" }] },
    });
  });

  it("lets everybody in while there is no manifest, and asks for it at every handshake", async () => {
    const known: ReturnType<typeof policyOf>[] = [];
    const verifier = peerEvidenceVerifier({ ...ports(), policy: () => known[0] });
    const foreign = new Uint8Array(64);
    const unjudged = unwrap(await verifier.verify(coordinator, foreign, signal));
    known.push(policyOf());
    await expect(unjudged.requireCoordinator(policyOf(), "the peer", "it")).rejects.toThrow(
      QuorateError,
    );
    expect((await verifier.verify(coordinator, foreign, signal)).ok).toBe(false);
    expect((await verifier.verify(coordinator, REPORT_DATA, signal)).ok).toBe(true);
  });

  it("refuses while collateral is missing, and does not hide faults of the program", async () => {
    const missing = new QuorateError("collateral-unavailable", "the service is away");
    const verifying = (error: Error) =>
      peerEvidenceVerifier({
        ...ports(),
        collateral: () => Promise.reject(error),
        policy: () => policyOf(),
      }).verify(coordinator, REPORT_DATA, signal);
    expect(await verifying(missing)).toEqual({ ok: false, error: missing });
    await expect(verifying(new RangeError("a bug"))).rejects.toThrow(RangeError);
  });
});

describe("the verifier of connections to peers", () => {
  it("judges nothing, and keeps what is needed to", async () => {
    const peer = unwrap(
      await unjudgedPeerEvidence(ports()).verify(coordinator, REPORT_DATA, signal),
    );
    await peer.requireCoordinator(policyOf(), "the peer", "the manifest");
    const wrong = unwrap(
      await unjudgedPeerEvidence(ports()).verify(coordinator, new Uint8Array(64), signal),
    );
    await expect(wrong.requireCoordinator(policyOf(), "the peer", "it")).rejects.toThrow(
      QuorateError,
    );
  });
});
