/** A mesh for tests: a lineage's root and one record's mesh CA. */
import { generateKeyPairSync } from "node:crypto";
import type { Epoch, Generation, Sha256 } from "../../../src/core/brand.ts";
import { type EllipticPublicKey, parseEllipticSpki } from "../../../src/crypto/elliptic-key.ts";
import { SeedEngine } from "../../../src/crypto/seed-engine.ts";
import { spkiOf } from "../../../src/crypto/spki.ts";
import { createRootCertificate } from "../../../src/pki/root-certificate.ts";
import { MeshCa } from "../../../src/pki/mesh-ca.ts";
import type { LeafIdentity } from "../../../src/pki/subject-alt-name.ts";

export const NOW = Date.parse("2026-03-04T05:06:07.890Z");
export const TRUST_DOMAIN = "mesh.example";
export const EVIDENCE_DIGEST = "5a".repeat(32) as Sha256;
export const GENERATION = 3 as Generation;

export const WEB: LeafIdentity = {
  spiffePath: "/ns/default/web",
  dnsNames: ["web", "web.default.svc"],
  ipAddresses: ["127.0.0.1", "2001:db8::1"],
};

export interface Mesh {
  readonly engine: SeedEngine;
  readonly root: Uint8Array;
  readonly meshCa: MeshCa;
}

export async function createMesh(now: number = NOW): Promise<Mesh> {
  const engine = SeedEngine.generate();
  const mesh = {
    trustDomain: TRUST_DOMAIN,
    lineage: engine.lineage,
    generation: GENERATION,
    epoch: 2 as Epoch,
  };
  const root = await createRootCertificate(mesh, engine.rootKey, now);
  const meshCa = await MeshCa.create(mesh, { certificate: root, privateKey: engine.rootKey }, now);
  return { engine, root, meshCa };
}

export function leafKey(namedCurve: "P-256" | "P-384" = "P-256") {
  const pair = generateKeyPairSync("ec", { namedCurve });
  const publicKey: EllipticPublicKey = parseEllipticSpki(spkiOf(pair.publicKey))!;
  return { ...pair, elliptic: publicKey };
}
