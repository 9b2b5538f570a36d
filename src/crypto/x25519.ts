/** X25519 public keys between their raw form (RFC 7748, 32 bytes) and SPKI (RFC 8410). */
import type { KeyObject } from "node:crypto";
import { assert } from "../core/assert.ts";
import { concat } from "../core/bytes.ts";

/** Length of a raw X25519 key. */
export const X25519_BYTES = 32;

/** SEQUENCE { SEQUENCE { 1.3.101.110 }, BIT STRING } up to the key's first byte. */
const SPKI_PREFIX = Uint8Array.from([
  0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00,
]);

/** SPKI DER of a raw key. */
export function x25519Spki(raw: Uint8Array): Uint8Array {
  assert(raw.length === X25519_BYTES, "a raw X25519 key has 32 bytes");
  return concat(SPKI_PREFIX, raw);
}

/** The raw key of an X25519 public `KeyObject`. */
export function rawX25519(publicKey: KeyObject): Uint8Array {
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  return spki.slice(SPKI_PREFIX.length);
}
