/** Makes the next record of a history, with everything that belongs to it. Nothing here is visible until the store's head is swapped. */
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import {
  encodeShares,
  type Finding,
  genesisRecord,
  type HistoryRecord,
  parseShares,
  type RecordAuthor,
  recordSigningBytes,
  recoveryRecord,
  sealRecord,
  sharesFit,
  updateRecord,
  verifyNext,
} from "../core/history/index.ts";
import { HISTORY_PAGE_BYTES_MAX } from "../core/limits.ts";
import type { CheckedApproval, Manifest } from "../core/manifest/index.ts";
import { unwrap } from "../core/result.ts";
import {
  encryptShare,
  importShareOwnerKey,
  keyIdOf,
  type SeedEngine,
  sha256,
  splitSeed,
} from "../crypto/index.ts";
import { pageBytes, referencesOf, VerifiedHistory } from "../history/verified-history.ts";
import { createRootCertificate, MeshCa } from "../pki/index.ts";
import { type Enforced, enforce } from "./enforced.ts";

/** A record that is ready to be swapped in. */
export interface Prepared {
  /** The state that it was computed from; `undefined` for a genesis or a recovery. */
  readonly base: Enforced | undefined;
  /** The state once the record is the head. */
  readonly next: Enforced;
  /** Documents that must be in the store before the swap. */
  readonly documents: readonly Uint8Array[];
}

/** What every new record needs. */
export interface Making {
  readonly author: RecordAuthor;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly allowDevelopment: boolean;
}

/** A manifest that was validated and approved. */
export interface ApprovedManifest {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  /** The approvals document. */
  readonly approvals: Uint8Array;
  /** What became of checking them. */
  readonly checked: readonly CheckedApproval[];
  /** Policy documents of its policies. */
  readonly policyDocuments: readonly Uint8Array[];
}

/** The first record of a new lineage. Takes over `engine`. @throws QuorateError `too-large` */
export function prepareGenesis(
  approved: ApprovedManifest,
  engine: SeedEngine,
  making: Making,
): Promise<Prepared> {
  return owning(engine, () => genesis(approved, engine, making));
}

async function genesis(
  approved: ApprovedManifest,
  engine: SeedEngine,
  making: Making,
): Promise<Prepared> {
  const { manifest } = approved;
  const mesh = { trustDomain: manifest.trustDomain, lineage: engine.lineage };
  const root = await createRootCertificate(mesh, engine.rootKey, making.now);
  const meshCa = await makeMeshCa(engine, root, manifest, { generation: 1, epoch: 1 }, making.now);
  const shares = await splitShares(manifest, engine);
  const record = genesisRecord({
    ...manifestPart(approved, shares),
    ...commonPart(engine, meshCa, making),
    lineage: engine.lineage,
    historyKey: engine.historyKey.spki,
  });
  return prepared(undefined, undefined, record, { approved, shares, engine, meshCa }, making);
}

/** A new manifest on top of the state in force. @throws QuorateError `too-large` */
export async function prepareUpdate(
  base: Enforced,
  approved: ApprovedManifest,
  making: Making,
): Promise<Prepared> {
  const { engine, history } = base;
  const generation = history.record.generation + 1;
  const meshCa = await makeMeshCa(
    engine,
    base.meshCa.certificates.root,
    approved.manifest,
    { generation, epoch: history.record.epoch },
    making.now,
  );
  const shares = await nextShares(history, approved.manifest, engine);
  const record = updateRecord(history.head.head, {
    ...manifestPart(approved, shares),
    ...commonPart(engine, meshCa, making),
  });
  return prepared(base, history, record, { approved, shares, engine, meshCa }, making);
}

/**
 * A takeover by share owners: the same manifest, a fresh mesh CA, the next epoch. Takes over `engine`.
 *
 * @throws QuorateError `verification-failed` if the history's root certificate is not that of the seed
 */
export function prepareRecovery(
  history: VerifiedHistory,
  engine: SeedEngine,
  making: Making,
): Promise<Prepared> {
  return owning(engine, () => recovery(history, engine, making));
}

async function recovery(
  history: VerifiedHistory,
  engine: SeedEngine,
  making: Making,
): Promise<Prepared> {
  const root = history.documentOf(history.record.rootCaCertificate);
  const epoch = history.record.epoch + 1;
  const meshCa = await makeMeshCa(
    engine,
    root,
    history.manifest,
    { generation: history.record.generation, epoch },
    making.now,
  );
  const record = recoveryRecord(history.head.head, {
    ...commonPart(engine, meshCa, making),
    // Nobody voted: whether an old coordinator still runs is not known.
    fenced: false,
  });
  return prepared(
    undefined,
    history,
    record,
    { approved: undefined, shares: undefined, engine, meshCa },
    making,
  );
}

/** The seed is not kept where no record came about that needs it. */
async function owning(engine: SeedEngine, make: () => Promise<Prepared>): Promise<Prepared> {
  try {
    return await make();
  } catch (cause) {
    engine.dispose();
    throw cause;
  }
}

function makeMeshCa(
  engine: SeedEngine,
  rootCertificate: Uint8Array,
  manifest: Manifest,
  numbers: { readonly generation: number; readonly epoch: number },
  now: number,
): Promise<MeshCa> {
  const mesh = {
    trustDomain: manifest.trustDomain,
    lineage: engine.lineage,
    generation: numbers.generation as HistoryRecord["generation"],
    epoch: numbers.epoch as HistoryRecord["epoch"],
  };
  return MeshCa.create(mesh, { certificate: rootCertificate, privateKey: engine.rootKey }, now);
}

function manifestPart(approved: ApprovedManifest, shares: Uint8Array | undefined) {
  return {
    manifest: sha256(approved.bytes),
    approvals: sha256(approved.approvals),
    shares: shares === undefined ? null : sha256(shares),
  };
}

function commonPart(engine: SeedEngine, meshCa: MeshCa, making: Making) {
  const { root, meshCa: mesh } = meshCa.certificates;
  return {
    rootCaKey: keyIdOf(engine.rootPublicKey),
    meshCaKey: meshCa.keyId,
    rootCaCertificate: sha256(root),
    meshCaCertificate: sha256(mesh.selfSigned),
    meshCaIntermediate: sha256(mesh.intermediate),
    createdAt: new Date(making.now).toISOString(),
    author: making.author,
  };
}

/** An update whose share owners and threshold stay repeats the shares: the owners' files remain good. */
async function nextShares(
  history: VerifiedHistory,
  manifest: Manifest,
  engine: SeedEngine,
): Promise<Uint8Array | undefined> {
  const { shares } = history.record;
  if (shares !== null && manifest.shareOwners !== undefined) {
    const bytes = history.documentOf(shares);
    if (sharesFit(unwrap(parseShares(bytes)), manifest.shareOwners)) return bytes;
  }
  return splitShares(manifest, engine);
}

async function splitShares(
  manifest: Manifest,
  engine: SeedEngine,
): Promise<Uint8Array | undefined> {
  const { shareOwners } = manifest;
  if (shareOwners === undefined) return undefined;
  const secret = engine.exportSeedAndSalt();
  const shares = await splitSeed(secret, shareOwners.threshold, shareOwners.keys.length);
  try {
    const entries = await Promise.all(
      shareOwners.keys.map(async ({ name, spki }, index) => {
        const share = shares[index];
        assert(share !== undefined, "there is a share for every owner");
        const encrypted = await encryptShare(
          share,
          unwrap(importShareOwnerKey(spki)),
          engine.lineage,
        );
        return { name, ...unwrap(encrypted) };
      }),
    );
    return encodeShares({ threshold: shareOwners.threshold, shares: entries });
  } finally {
    for (const share of shares) share.dispose();
    secret.dispose();
  }
}

interface Parts {
  readonly approved: ApprovedManifest | undefined;
  readonly shares: Uint8Array | undefined;
  readonly engine: SeedEngine;
  readonly meshCa: MeshCa;
}

async function prepared(
  base: Enforced | undefined,
  before: VerifiedHistory | undefined,
  record: HistoryRecord,
  parts: Parts,
  making: Making,
): Promise<Prepared> {
  const { approved, shares, engine, meshCa } = parts;
  const document = sealRecord(
    record,
    await engine.historyKey.sign(recordSigningBytes(record)),
    sha256,
  );
  const { root, meshCa: mesh } = meshCa.certificates;
  const documents = [
    ...(approved === undefined
      ? []
      : [approved.bytes, approved.approvals, ...approved.policyDocuments]),
    ...(shares === undefined ? [] : [shares]),
    ...[root, mesh.selfSigned, mesh.intermediate],
  ];
  const link = verifyNext(before?.head, {
    document,
    signatureValid: true,
    manifest: found(record.manifest, approved?.manifest),
    approvals: found(record.approvals, approved?.checked),
  });
  assert(link.ok, "a record that is made here follows the rules");
  const entries = documents.map((bytes) => [sha256(bytes), bytes] as const);
  const history =
    before === undefined
      ? new VerifiedHistory([link.value], new Map(entries))
      : before.append(link.value, entries);
  requireReadable(history);
  return { base, next: enforce(history, { engine, meshCa }, making), documents };
}

/** A record that no page of the history could carry would end the history for everybody who reads it. */
function requireReadable({ head, documents }: VerifiedHistory): void {
  const parts = referencesOf(head).map((hash) => documents.get(hash));
  const bytes = pageBytes([head.head.bytes, ...parts.filter((part) => part !== undefined)]);
  if (bytes <= HISTORY_PAGE_BYTES_MAX) return;
  throw new QuorateError(
    "too-large",
    `the manifest with its policy documents, approvals and shares takes ${bytes} bytes; at most ${HISTORY_PAGE_BYTES_MAX} can be set`,
    { hint: "shorten the policy documents, or name fewer policies" },
  );
}

/** Takeovers have neither manifest nor approvals of their own, and nobody asks for them. */
function found<T>(hash: Sha256 | null, value: T | undefined): Finding<T> {
  return hash === null || value === undefined
    ? { kind: "missing" }
    : { kind: "found", hash, value };
}
