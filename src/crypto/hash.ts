/** SHA-256 in the two forms that the project uses: the branded hex of names and references, and plain bytes. */
import { createHash } from "node:crypto";
import type { Sha256 } from "../core/brand.ts";

/** SHA-256 of `bytes` as 64 lower-case hex digits: how documents, keys and records are named. */
export function sha256(bytes: Uint8Array): Sha256 {
  return createHash("sha256").update(bytes).digest("hex") as Sha256;
}

/** SHA-256 of `bytes` as 32 bytes. */
export function sha256Bytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
