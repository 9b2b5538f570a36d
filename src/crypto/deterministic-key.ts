/**
 * Deterministic ECDSA P-384 keys: c2sp.org/det-keygen, which is FIPS 186-5 A.2.2 (rejection sampling) over
 * HMAC_DRBG with SHA-256 (SP 800-90A section 10.1.2).
 */
import { createECDH, createHmac, createPrivateKey, type KeyObject } from "node:crypto";
import { assert } from "../core/assert.ts";
import { concat, utf8 } from "../core/bytes.ts";
import {
  derBitString,
  derElement,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
} from "./der-writer.ts";
import { contextTag } from "./der.ts";
import type { Secret } from "./secret.ts";

const SCALAR_BYTES = 48;
const POINT_BYTES = 1 + 2 * SCALAR_BYTES;
/** Between scalar and point: the headers of [1] and of its BIT STRING. */
const BETWEEN_BYTES = 5;
/** PKCS#8 (RFC 5208) around ECPrivateKey (RFC 5915), with zeros for the scalar and the point. */
const PKCS8_TEMPLATE = derSequence(
  derInteger(0),
  derSequence(derOid("1.2.840.10045.2.1"), derOid("1.3.132.0.34")),
  derOctetString(
    derSequence(
      derInteger(1),
      derOctetString(new Uint8Array(SCALAR_BYTES)),
      derElement(contextTag(1), derBitString(new Uint8Array(POINT_BYTES))),
    ),
  ),
);
const PERSONALIZATION = utf8("det ECDSA key gen P-384");

/**
 * The private key that belongs to `seed` (16 bytes at least). The same seed gives the same key for ever.
 *
 * **Security:** for FIPS 186-5 the seed needs 288 bits of entropy. A candidate scalar outside 1 … n−1 has a chance
 * below 2⁻¹⁹⁴; the source demands a fatal error then, because a broken HMAC is likelier.
 */
export function deterministicP384Key(seed: Secret): KeyObject {
  assert(seed.length >= 16, "a deterministic key's seed has 128 bits at least");
  const scalar = seed.use(candidateScalar);
  try {
    return importScalar(scalar);
  } finally {
    scalar.fill(0);
  }
}

/** Steps 2 to 10 of the source: instantiate the generator, then draw the first candidate. */
function candidateScalar(seed: Uint8Array): Uint8Array {
  let key = new Uint8Array(32);
  let value = new Uint8Array(32).fill(1);
  for (const separator of [0, 1]) {
    key = hmac(key, value, Uint8Array.of(separator), seed, PERSONALIZATION);
    value = hmac(key, value);
  }
  const first = hmac(key, value);
  const second = hmac(key, first);
  const scalar = concat(first, second).slice(0, SCALAR_BYTES);
  for (const bytes of [key, value, first, second]) bytes.fill(0);
  return scalar;
}

/**
 * Imports through PKCS#8 rather than JWK: a JWK would leave the scalar in a string, which can't be zeroed.
 * `setPrivateKey` refuses a scalar outside 1 … n−1.
 */
function importScalar(scalar: Uint8Array): KeyObject {
  const ecdh = createECDH("secp384r1");
  ecdh.setPrivateKey(scalar);
  const pkcs8 = Buffer.alloc(PKCS8_TEMPLATE.length);
  pkcs8.set(PKCS8_TEMPLATE);
  pkcs8.set(scalar, pkcs8.length - POINT_BYTES - BETWEEN_BYTES - SCALAR_BYTES);
  pkcs8.set(ecdh.getPublicKey(), pkcs8.length - POINT_BYTES);
  try {
    return createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  } finally {
    pkcs8.fill(0);
  }
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return new Uint8Array(mac.digest());
}
