/** What all stores do with bytes: name them by their hash, check them against it, and refuse what is too large. */
import { createHash } from "node:crypto";
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { DOCUMENT_BYTES_MAX, RECORD_BYTES_MAX } from "../core/limits.ts";
import type { Head, HeadVersion } from "./store.ts";

/** SHA-256 of `bytes` in lower-case hex. */
export function sha256(bytes: Uint8Array): Sha256 {
  return createHash("sha256").update(bytes).digest("hex") as Sha256;
}

/** The head with `value` at the store's own `revision` of it. */
export function headAt(revision: string, value: Uint8Array): Head {
  return { value, version: `${revision}:${sha256(value)}` as HeadVersion };
}

/** The revision that {@link headAt} put into a version. */
export function revisionOf(version: HeadVersion): string {
  return version.slice(0, version.lastIndexOf(":"));
}

/** Refuses a document that is over DOCUMENT_BYTES_MAX with `too-large`. */
export function assertDocumentFits(bytes: Uint8Array): void {
  if (bytes.length > DOCUMENT_BYTES_MAX)
    throw tooLarge("document", bytes.length, DOCUMENT_BYTES_MAX);
}

/** Refuses a record that is over RECORD_BYTES_MAX with `too-large`. */
export function assertRecordFits(bytes: Uint8Array): void {
  assert(bytes.length > 0, "a head's value is not empty");
  if (bytes.length > RECORD_BYTES_MAX) throw tooLarge("record", bytes.length, RECORD_BYTES_MAX);
}

/**
 * `bytes`, if they have this hash; otherwise throws `store-corrupt`.
 *
 * **Security:** the only way by which a stored document reaches the rest of the program.
 */
export function verifiedDocument(hash: Sha256, bytes: Uint8Array): Uint8Array {
  if (sha256(bytes) === hash) return bytes;
  throw new QuorateError("store-corrupt", `the store's copy of document ${hash} is damaged`, {
    hint: "restore it from a backup, or let a coordinator that holds it put it again",
    details: { document: hash },
  });
}

function tooLarge(what: string, bytes: number, bytesMax: number): QuorateError {
  return new QuorateError(
    "too-large",
    `a ${what} of ${bytes} bytes is over the limit of ${bytesMax}`,
  );
}
