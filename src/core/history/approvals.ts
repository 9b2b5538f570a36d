/** The approvals document: the owners' signatures that carried a genesis or update record. */
import { toBase64 } from "../base64.ts";
import type { Sha256 } from "../brand.ts";
import { utf8 } from "../bytes.ts";
import { QuorateError } from "../errors.ts";
import {
  base64Bytes,
  FaultSink,
  itemPath,
  list,
  memberPath,
  object,
  oneOf,
  parseCanonical,
  type Reader,
  sha256,
} from "../json/index.ts";
import { OWNER_SIGNATURE_BYTES_MAX, OWNERS_MAX } from "../limits.ts";
import { err, ok, type Result } from "../result.ts";

const FORMAT = "quorate/approvals/v1";
/** Generous for 64 entries of 104 bytes in base64 with their key ids. */
const APPROVALS_BYTES_MAX = 32 * 1024;

/** One owner's signature over what `manifest/authorize.ts` says. */
export interface Approval {
  /** Id of the owner's key. */
  readonly key: Sha256;
  /** ECDSA in DER, or Ed25519's 64 bytes. */
  readonly signature: Uint8Array;
}

/** The canonical document: sorted by key id, one approval a key (the first given). */
export function encodeApprovals(approvals: readonly Approval[]): Uint8Array {
  const byKey = new Map<Sha256, Approval>();
  for (const approval of approvals) {
    if (!byKey.has(approval.key)) byKey.set(approval.key, approval);
  }
  const sorted = [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  return utf8(
    JSON.stringify({
      format: FORMAT,
      approvals: sorted.map(({ key, signature }) => ({ key, signature: toBase64(signature) })),
    }),
  );
}

/** Parses an approvals document; fails with `invalid-argument` and every fault. Verifies no signature. */
export function parseApprovals(bytes: Uint8Array): Result<readonly Approval[], QuorateError> {
  const faults = new FaultSink();
  const approvals = parseCanonical(bytes, APPROVALS_BYTES_MAX, reader, encodeApprovals, faults);
  if (approvals !== undefined) return ok(approvals);
  return err(
    new QuorateError("invalid-argument", "the approvals document is not valid", {
      faults: faults.list(),
    }),
  );
}

const approval: Reader<Approval> = object((fields) => {
  const key = fields.required("key", sha256);
  const signature = fields.required(
    "signature",
    base64Bytes({ min: 1, max: OWNER_SIGNATURE_BYTES_MAX }),
  );
  return key === undefined || signature === undefined ? undefined : { key, signature };
});

const sortedApprovals: Reader<readonly Approval[]> = (value, path, faults) => {
  const read = list(approval, { min: 0, max: OWNERS_MAX })(value, path, faults);
  for (const [index, { key }] of (read ?? []).entries()) {
    const earlier = read?.[index - 1];
    if (earlier === undefined || earlier.key < key) continue;
    faults.add(memberPath(itemPath(path, index), "key"), "must be greater than the one before");
  }
  return read;
};

const reader: Reader<readonly Approval[]> = object((fields) => {
  fields.required("format", oneOf([FORMAT]));
  return fields.required("approvals", sortedApprovals);
});
