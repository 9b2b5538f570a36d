/** Whether enough owners have approved, and the exact bytes that they sign. */
import type { InstanceId, Sha256 } from "../brand.ts";
import { lengthPrefixedList } from "../bytes.ts";
import type { NamedKey, OwnerAlgorithm, OwnerSet } from "./manifest.ts";

/** What the shell found about one approval: whose key it names, and whether that key's signature verified. */
export interface CheckedApproval {
  readonly keyId: Sha256;
  readonly valid: boolean;
}

/** The decision, with the names for messages and audit. */
export interface Authorization {
  readonly authorised: boolean;
  /** Names of owners with a valid approval, in the manifest's order. */
  readonly approvedBy: readonly string[];
  /** Names of owners without one. */
  readonly missing: readonly string[];
  /** One sentence without a final full stop: who approved, who could still, what was wrong with the rest. */
  readonly message: string;
}

/**
 * Counts the owners with a valid approval against the threshold.
 *
 * **Security:** owners are counted, not approvals: a repeated approval and a key that is no owner's count nothing.
 */
export function authorize(owners: OwnerSet, approvals: readonly CheckedApproval[]): Authorization {
  const valid = new Set(approvals.filter((each) => each.valid).map((each) => each.keyId));
  const approvedBy = owners.keys.filter((key) => valid.has(key.keyId)).map((key) => key.name);
  const missing = owners.keys.filter((key) => !valid.has(key.keyId)).map((key) => key.name);
  const authorised = approvedBy.length >= owners.threshold;
  const parts = [
    `${approvedBy.length} of the ${owners.threshold} needed owners approved`,
    approvedBy.length === 0 ? "" : `approved by ${approvedBy.join(", ")}`,
    authorised || missing.length === 0 ? "" : `not yet by ${missing.join(", ")}`,
    ...rejections(owners, approvals),
  ];
  return {
    authorised,
    approvedBy,
    missing,
    message: parts.filter((part) => part !== "").join("; "),
  };
}

function rejections(owners: OwnerSet, approvals: readonly CheckedApproval[]): readonly string[] {
  const ownerOf = new Map<Sha256, NamedKey<OwnerAlgorithm>>(
    owners.keys.map((key) => [key.keyId, key]),
  );
  const wrong = new Set<string>();
  const strangers = new Set<string>();
  for (const { keyId, valid } of approvals) {
    const owner = ownerOf.get(keyId);
    if (owner === undefined) strangers.add(keyId);
    else if (!valid) wrong.add(owner.name);
  }
  return [
    wrong.size === 0 ? "" : `the signature of ${[...wrong].join(", ")} does not fit this manifest`,
    strangers.size === 0 ? "" : `no owner has the key ${[...strangers].join(", ")}`,
  ];
}

/**
 * What an owner signs to approve an update.
 *
 * **Security:** bound to one lineage and to the last genesis or update record, so an approval can neither be replayed
 * elsewhere nor after another update, and stays valid across heals and recoveries.
 */
export function updateApprovalBytes(subject: {
  readonly lineage: Sha256;
  /** Hash of the chain's last genesis or update record. */
  readonly predecessor: Sha256;
  readonly manifest: Sha256;
}): Uint8Array {
  const { lineage, predecessor, manifest } = subject;
  return lengthPrefixedList("quorate/approve-update/v1", lineage, predecessor, manifest);
}

/** What an owner signs to approve a manifest as the first of a new lineage. */
export function genesisApprovalBytes(manifest: Sha256): Uint8Array {
  return lengthPrefixedList("quorate/approve-genesis/v1", manifest);
}

/**
 * What the one who sets the first manifest signs in addition.
 *
 * **Security:** names the instance whose evidence was verified, so that a host can't hand the request to another one.
 */
export function genesisInstanceBytes(manifest: Sha256, instance: InstanceId): Uint8Array {
  return lengthPrefixedList("quorate/genesis-instance/v1", manifest, instance);
}
