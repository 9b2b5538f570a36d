/** The peers' port itself: who stays connected. */
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { NO_COLLATERAL } from "../../../src/attestation/index.ts";
import { instanceReportData } from "../../../src/attestation/report-data.ts";
import type { Authority } from "../../../src/authority/authority.ts";
import { Prepares } from "../../../src/authority/prepares.ts";
import { type Manifest, parseManifest } from "../../../src/core/manifest/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import { parseOwnerKey, parseShareOwnerKey } from "../../../src/crypto/index.ts";
import { AuditLog } from "../../../src/observability/audit.ts";
import { startPeerPort } from "../../../src/services/peer-port.ts";
import { generateInstance } from "../../../src/transport/instance-identity.ts";
import { instanceProver } from "../../../src/transport/proof.ts";
import { type ManifestChoices, MeshWorld } from "../../fixtures/mesh.ts";
import { eventually, evidencePorts, LINEAGE, openLink } from "./fixture.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
});
afterAll(() => world.close());

const manifestOf = (choices: ManifestChoices): Manifest =>
  unwrap(parseManifest(world.manifest(choices), { parseOwnerKey, parseShareOwnerKey }));

/** An authority that knows a manifest and holds nothing. */
class Knowing {
  readonly prepares = new Prepares();
  readonly lifecycle = { kind: "uninitialized", storeHasHead: true };
  readonly state = undefined;
  history: { readonly manifest: Manifest; readonly lineage: string };
  readonly #listeners = new Set<() => void>();

  constructor(manifest: Manifest) {
    this.history = { manifest, lineage: LINEAGE };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  learn(manifest: Manifest): void {
    this.history = { manifest, lineage: LINEAGE };
    for (const each of this.#listeners) each();
  }
}

/** Starts a port. @param judging called whenever evidence is about to be judged */
async function startPort(authority: Knowing, judging: () => void = () => undefined) {
  const instance = await generateInstance("coordinator-1");
  const quoter = world.quoter("coordinator");
  const evidence = quoter.quote(instanceReportData(instance.keys));
  const server = await startPeerPort({
    ...evidencePorts(world),
    collateral: () => {
      judging();
      return Promise.resolve(NO_COLLATERAL);
    },
    authority: authority as unknown as Authority,
    audit: new AuditLog(new PassThrough(), () => world.now),
    hpke: instance.hpke,
    quoter,
    allowDevelopment: true,
    version: "test",
    address: { host: "127.0.0.1", port: 0 },
    identity: instance.tls,
    prover: instanceProver(instance, () => evidence),
  });
  onTestFinished(() => server.stop(0));
  return `127.0.0.1:${server.address.port}`;
}

describe("The peers' port", () => {
  it("ends the session of a coordinator once a newer manifest excludes it", async () => {
    const authority = new Knowing(manifestOf({}));
    const { link } = await openLink(world, await startPort(authority));
    await eventually("session", () => link.peer());
    authority.learn(manifestOf({ coordinatorPolicy: "coordinator-next" }));
    const problem = await eventually("refusal", () => link.problem);
    expect(["unavailable", "attestation-failed"]).toContain(problem.code);
    await eventually("reason", () => link.problem?.code === "attestation-failed");
  });

  it("does the same if the manifest came while its evidence was being judged by the one before", async () => {
    const authority = new Knowing(manifestOf({}));
    const next = manifestOf({ coordinatorPolicy: "coordinator-next" });
    const address = await startPort(authority, () => {
      if (authority.history.manifest !== next) authority.learn(next);
    });
    const { link } = await openLink(world, address);
    await eventually("reason", () => link.problem?.code === "attestation-failed");
    expect(link.peer()).toBeUndefined();
  });
});
