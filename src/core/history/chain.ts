/**
 * Verification of a lineage's history, one record at a time from its genesis on.
 *
 * The shell fetches documents and does the cryptography in the thread pool; what it found comes in as facts. A
 * progress is a value: it can be kept (a later head continues from it), shown ("last verified generation") and paged.
 *
 *     let progress = undefined
 *     for each record document, oldest first:
 *       duty = approvalDuty(progress, record, manifest)   // whose signatures over which bytes to check, if any
 *       progress = verifyNext(progress, { document, signatureValid, manifest, approvals })
 */
import type { Sha256 } from "../brand.ts";
import {
  authorize,
  type CheckedApproval,
  genesisApprovalBytes,
  updateApprovalBytes,
} from "../manifest/authorize.ts";
import type { Manifest, OwnerSet } from "../manifest/manifest.ts";
import { err, ok, type Result } from "../result.ts";
import { linkFault, type LinkFaultCode } from "./link.ts";
import type { RecordDocument } from "./record-document.ts";

/** A document that a record names by hash, as the shell found it. */
export type Finding<T> =
  | { readonly kind: "found"; readonly hash: Sha256; readonly value: T }
  | { readonly kind: "missing" }
  /** There, but not parsable. `message` says why. */
  | { readonly kind: "invalid"; readonly message: string };

/** What the shell found out about one record. */
export interface LinkFacts {
  readonly document: RecordDocument;
  /** Whether the record's signature verifies under its own history key, in the one accepted form. */
  readonly signatureValid: boolean;
  /**
   * The record's manifest. Only read for genesis and update records; takeovers repeat their predecessor's.
   *
   * **Security:** `hash` is computed over the bytes that `value` was parsed from.
   */
  readonly manifest: Finding<Manifest>;
  /**
   * The record's approvals, each checked against the keys and bytes of {@link approvalDuty}. Only read for genesis
   * and update records. **Security:** `hash` is computed over the document's bytes.
   */
  readonly approvals: Finding<readonly CheckedApproval[]>;
}

/** A history that is verified up to and including `head`. */
export interface ChainProgress {
  readonly head: RecordDocument;
  /** The manifest that `head` enforces. */
  readonly manifest: Manifest;
  /** Hash of the last genesis or update record: what the next update's approvals name. */
  readonly lastApproved: Sha256;
  /** Hash of the record that opened the head's epoch: the id of the group that works under it. */
  readonly group: Sha256;
}

/** Why a history ends before its head. */
export type ChainFaultCode =
  | LinkFaultCode
  | "signature-invalid"
  | "manifest-missing"
  | "manifest-invalid"
  | "manifest-mismatch"
  | "approvals-missing"
  | "approvals-invalid"
  | "approvals-mismatch"
  | "approvals-insufficient"
  | "shares-mismatch";

/** The first record that is not as it should be. */
export interface ChainFault {
  readonly code: ChainFaultCode;
  /** Hash, generation and epoch of the record that failed. */
  readonly record: Sha256;
  readonly generation: number;
  readonly epoch: number;
  /** One sentence without a final full stop. */
  readonly message: string;
}

/** Whose approvals over which bytes a record needs. */
export interface ApprovalDuty {
  readonly owners: OwnerSet;
  readonly signed: Uint8Array;
}

/**
 * What the shell has to check for a record's approvals: an update needs the owners that its predecessor's manifest
 * names, a genesis its own. `undefined` for takeovers, and where the chain breaks anyway.
 */
export function approvalDuty(
  progress: ChainProgress | undefined,
  document: RecordDocument,
  manifest: Finding<Manifest>,
): ApprovalDuty | undefined {
  const { record } = document;
  if (record.kind === "genesis" && manifest.kind === "found") {
    return { owners: manifest.value.owners, signed: genesisApprovalBytes(record.manifest) };
  }
  if (record.kind === "update" && progress !== undefined) {
    const { lineage } = progress.head.record;
    const predecessor = progress.lastApproved;
    const signed = updateApprovalBytes({ lineage, predecessor, manifest: record.manifest });
    return { owners: progress.manifest.owners, signed };
  }
  return undefined;
}

/**
 * Adds one record to a verified history; without `progress` it must be a genesis. The proof, in order: signature,
 * link to the predecessor, manifest, shares, approvals. Times decide nothing.
 *
 * **Security:** success means that the history key signed this record on top of exactly this history, and, for a new
 * manifest, that enough of the owners in charge approved it. Which lineage it is, is for the caller to judge.
 */
export function verifyNext(
  progress: ChainProgress | undefined,
  facts: LinkFacts,
): Result<ChainProgress, ChainFault> {
  const { document } = facts;
  const { record, hash } = document;
  const fault = (code: ChainFaultCode, message: string): Result<ChainProgress, ChainFault> => {
    const { generation, epoch } = record;
    return err({ code, record: hash, generation, epoch, message });
  };

  if (!facts.signatureValid) {
    return fault("signature-invalid", "the history key did not sign this record");
  }
  const broken = linkFault(progress?.head, record);
  if (broken !== undefined) return fault(broken.code, broken.message);

  if (record.kind === "recovery" || record.kind === "heal") {
    // Without a predecessor the link was broken.
    return progress === undefined
      ? fault("not-genesis", "a takeover has no predecessor here")
      : ok({ ...progress, head: document, group: hash });
  }

  const manifest = named("manifest", facts.manifest, record.manifest);
  if (!manifest.ok) return fault(manifest.error.code, manifest.error.message);
  if ((manifest.value.shareOwners === undefined) !== (record.shares === null)) {
    return fault("shares-mismatch", "a record has shares exactly if its manifest has share owners");
  }
  const approvals = named("approvals", facts.approvals, record.approvals);
  if (!approvals.ok) return fault(approvals.error.code, approvals.error.message);
  const owners = (progress?.manifest ?? manifest.value).owners;
  const authorization = authorize(owners, approvals.value);
  if (!authorization.authorised) return fault("approvals-insufficient", authorization.message);

  const group = progress?.group ?? hash;
  return ok({ head: document, manifest: manifest.value, lastApproved: hash, group });
}

/** The document that the record names, or which fault it is that it is not there. */
function named<T, Name extends "manifest" | "approvals">(
  name: Name,
  finding: Finding<T>,
  expected: Sha256 | null,
): Result<T, { code: `${Name}-${"missing" | "invalid" | "mismatch"}`; message: string }> {
  switch (finding.kind) {
    case "missing":
      return err({ code: `${name}-missing`, message: `the record's ${name} can't be found` });
    case "invalid":
      return err({
        code: `${name}-invalid`,
        message: `the record's ${name} can't be read: ${finding.message}`,
      });
    case "found":
      if (finding.hash === expected) return ok(finding.value);
      return err({
        code: `${name}-mismatch`,
        message: `the ${name} found has another hash than the record names`,
      });
  }
}
