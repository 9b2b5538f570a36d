/** What a ready coordinator holds: one record with the manifest, keys and certificates that belong to it. */
import { type AppraisalPolicy, appraisalPolicy } from "../attestation/index.ts";
import type { Sha256 } from "../core/brand.ts";
import type { Manifest } from "../core/manifest/index.ts";
import { QuorateError } from "../core/errors.ts";
import { err, ok, type Result } from "../core/result.ts";
import { keyIdOf, type Secret, type SeedEngine } from "../crypto/index.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import { MeshCa } from "../pki/index.ts";

/** Immutable: a later record is a new object. */
export interface Enforced {
  /** Its head is the record that is enforced. */
  readonly history: VerifiedHistory;
  readonly recordHash: Sha256;
  readonly manifest: Manifest;
  readonly engine: SeedEngine;
  readonly meshCa: MeshCa;
  readonly policy: AppraisalPolicy;
  /** Mesh CAs of the records below the takeovers on top. */
  readonly earlierMeshCas: readonly TrustedUntil[];
}

/** A CA certificate (DER) that is trusted for a while longer. */
export interface TrustedUntil {
  readonly certificate: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
}

/** The state that enforces the head of `history`. */
export function enforce(
  history: VerifiedHistory,
  keys: { readonly engine: SeedEngine; readonly meshCa: MeshCa },
  options: { readonly allowDevelopment: boolean },
): Enforced {
  const { recordHash, manifest } = history;
  return {
    history,
    recordHash,
    manifest,
    engine: keys.engine,
    meshCa: keys.meshCa,
    policy: appraisalPolicy(manifest, options),
    earlierMeshCas: earlierMeshCas(history),
  };
}

/**
 * The same, in a coordinator that did not make the record: with the mesh CA key that another one gave.
 *
 * Fails with `verification-failed` unless the engine is the lineage's and the key is the record's.
 *
 * @param meshCaKey PKCS#8; stays the caller's.
 */
export async function enforceWithKey(
  history: VerifiedHistory,
  engine: SeedEngine,
  meshCaKey: Secret,
  options: { readonly allowDevelopment: boolean },
): Promise<Result<Enforced, QuorateError>> {
  const { record } = history;
  // **Security:** a peer that lies about the seed could make this coordinator sign records of another lineage.
  if (engine.lineage !== record.lineage || keyIdOf(engine.rootPublicKey) !== record.rootCaKey) {
    return err(new QuorateError("verification-failed", "the seed does not belong to this history"));
  }
  const mesh = { trustDomain: history.manifest.trustDomain, generation: record.generation };
  const certificates = {
    root: history.documentOf(record.rootCaCertificate),
    meshCa: {
      selfSigned: history.documentOf(record.meshCaCertificate),
      intermediate: history.documentOf(record.meshCaIntermediate),
    },
  };
  const { rootCaKey, meshCaKey: keyId } = record;
  const parts = { privateKey: meshCaKey, certificates, rootCaKey, meshCaKey: keyId };
  const meshCa = await MeshCa.load(mesh, parts);
  return meshCa.ok ? ok(enforce(history, { engine, meshCa: meshCa.value }, options)) : meshCa;
}

/** Root, mesh CA, and the mesh CAs that a takeover left trusted for one leaf lifetime (DER). @param now milliseconds */
export function trustBundle(state: Enforced, now: number): readonly Uint8Array[] {
  const { root, meshCa } = state.meshCa.certificates;
  const earlier = state.earlierMeshCas
    .filter(({ until }) => now < until)
    .map(({ certificate }) => certificate);
  return [root, meshCa.selfSigned, ...earlier];
}

/**
 * After an update the old mesh CA is out at once. After a takeover, where the manifest did not change, the one before it
 * stays for a leaf lifetime: the leaves that it signed are as good as before.
 */
function earlierMeshCas(history: VerifiedHistory): readonly TrustedUntil[] {
  const trusted: TrustedUntil[] = [];
  const lifetime = history.manifest.certificates.leafLifetimeSeconds * 1000;
  for (let index = history.links.length - 1; index > 0; index--) {
    const taken = history.links[index]?.head.record;
    const before = history.links[index - 1]?.head.record;
    if (taken === undefined || before === undefined || !isTakeover(taken.kind)) break;
    const certificate = history.documents.get(before.meshCaCertificate);
    if (certificate === undefined) break;
    trusted.push({ certificate, until: Date.parse(taken.createdAt) + lifetime });
  }
  return trusted;
}

function isTakeover(kind: string): boolean {
  return kind === "recovery" || kind === "heal";
}
