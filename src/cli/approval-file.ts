/** An owner's approval as a file: what was approved, by whom, and the signature. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { fromBase64 } from "../core/base64.ts";
import { isSha256, type Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import type { Approval } from "../core/history/index.ts";
import { genesisApprovalBytes, updateApprovalBytes } from "../core/manifest/index.ts";
import { readInputText } from "../config/files.ts";

export const APPROVAL_FORMAT = "quorate/approval/v1";
const APPROVAL_BYTES_MAX = 8 * 1024;
const KEY_BYTES_MAX = 16 * 1024;

/** The place in a history for which a manifest is approved. */
export type ApprovalSubject =
  | { readonly kind: "genesis"; readonly manifest: Sha256 }
  | {
      readonly kind: "update";
      readonly manifest: Sha256;
      readonly lineage: Sha256;
      readonly predecessor: Sha256;
    };

/** One approval, ready to be sent. */
export interface ApprovalFile {
  readonly subject: ApprovalSubject;
  readonly approval: Approval;
}

/** The exact bytes that an owner signs. */
export function bytesToSign(subject: ApprovalSubject): Uint8Array {
  return subject.kind === "genesis"
    ? genesisApprovalBytes(subject.manifest)
    : updateApprovalBytes(subject);
}

/** The file's text. */
export function encodeApprovalFile({ subject, approval }: ApprovalFile): string {
  const signature = Buffer.from(approval.signature).toString("base64");
  return `${JSON.stringify({ format: APPROVAL_FORMAT, ...subject, key: approval.key, signature }, null, 2)}\n`;
}

/** Reads an approval. @throws QuorateError `invalid-argument` */
export async function readApprovalFile(file: string): Promise<ApprovalFile> {
  const text = await readInputText(file, "approval", APPROVAL_BYTES_MAX);
  const wrong = new QuorateError("invalid-argument", `${file} is not an approval`, {
    hint: "make one with quorate approve",
  });
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw wrong;
  }
  const { format, kind, manifest, lineage, predecessor, key, signature } = value;
  const bytes = typeof signature === "string" ? fromBase64(signature) : undefined;
  if (format !== APPROVAL_FORMAT || !isSha256(manifest) || !isSha256(key) || bytes === undefined)
    throw wrong;
  const approval = { key, signature: bytes };
  if (kind === "genesis") return { subject: { kind, manifest }, approval };
  if (kind !== "update" || !isSha256(lineage) || !isSha256(predecessor)) throw wrong;
  return { subject: { kind, manifest, lineage, predecessor }, approval };
}

/** Reads a private key in PEM. @throws QuorateError `invalid-argument`, `not-found` */
export async function readPrivateKey(file: string): Promise<KeyObject> {
  const text = await readInputText(file, "private key", KEY_BYTES_MAX);
  try {
    return createPrivateKey(text);
  } catch {
    throw new QuorateError(
      "invalid-argument",
      `${file} is not a private key in PEM without a passphrase`,
      {
        hint: "give the file that quorate keygen wrote with mode 0600; for a key in an HSM see quorate approve --help",
      },
    );
  }
}
