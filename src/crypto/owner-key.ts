/** Keys of manifest owners, and the signatures that they approve manifests with. */
import { createPublicKey, sign, type KeyObject } from "node:crypto";
import type { Sha256 } from "../core/brand.ts";
import { equalBytes, toHex } from "../core/bytes.ts";
import type { QuorateError } from "../core/errors.ts";
import type { OwnerAlgorithm } from "../core/manifest/manifest.ts";
import { err, ok, type Result } from "../core/result.ts";
import { parseEllipticSpki } from "./elliptic-key.ts";
import { sha256 } from "./hash.ts";
import { publicKeyDer, publicKeyFault } from "./public-key-text.ts";
import { verifySignature } from "./signature.ts";

/** A manifest owner's public key. ECDSA signatures are DER, as openssl and HSMs emit them; Ed25519's are 64 bytes. */
export interface OwnerKey {
  readonly algorithm: OwnerAlgorithm;
  /** SPKI DER in its one accepted form. */
  readonly spki: Uint8Array;
  /** SHA-256 of the SPKI. */
  readonly keyId: Sha256;
  readonly keyObject: KeyObject;
}

/**
 * Parses an owner's key from PEM or base64 SPKI. Fails with `invalid-argument` for everything but P-256, P-384 and
 * Ed25519 in canonical form.
 *
 * **Security:** one key has one id, so an owner can't be counted twice; keys under which anybody can sign (Ed25519
 * points of small order) are refused.
 */
export function parseOwnerKey(text: string): Result<OwnerKey, QuorateError> {
  const der = publicKeyDer(text);
  return der.ok ? importOwnerKey(der.value) : der;
}

/** The owner key in SPKI DER; fails like {@link parseOwnerKey}. */
export function importOwnerKey(spki: Uint8Array): Result<OwnerKey, QuorateError> {
  const key = ownerKeyFromSpki(spki);
  return key === undefined
    ? err(publicKeyFault("an owner's key is P-256, P-384 (uncompressed, named curve) or Ed25519"))
    : ok(key);
}

/** True if `signature` over `signed` is the owner's. Runs in the thread pool, never rejects. */
export async function verifyOwnerSignature(
  owner: OwnerKey,
  signed: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (signature.length > SIGNATURE_BYTES_MAX) return false;
  return verifySignature(owner.algorithm, owner.keyObject, signed, signature);
}

/** Signs as an owner, with a private key of this algorithm. */
export function signAsOwner(
  privateKey: KeyObject,
  algorithm: OwnerAlgorithm,
  signed: Uint8Array,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    sign(HASHES[algorithm], signed, privateKey, (error, signature) => {
      if (error !== null) reject(error);
      else resolve(new Uint8Array(signature));
    });
  });
}

const HASHES = { "ecdsa-sha256": "sha256", "ecdsa-sha384": "sha384", ed25519: null } as const;

/** The longest accepted form, ECDSA P-384 in DER, has 104 bytes. */
const SIGNATURE_BYTES_MAX = 104;

/** SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING } up to the key's first byte (RFC 8410). */
const ED25519_PREFIX = Uint8Array.from([
  0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
]);
const ED25519_BYTES = 32;
const ED25519_FIELD = (1n << 255n) - 19n;

/** Little-endian y of the eight points whose order divides eight, without the sign bit of x. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  ED25519_FIELD - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
]);

function ownerKeyFromSpki(spki: Uint8Array): OwnerKey | undefined {
  const elliptic = parseEllipticSpki(spki);
  if (elliptic !== undefined) {
    const algorithm = elliptic.curve === "P-256" ? "ecdsa-sha256" : "ecdsa-sha384";
    const { keyObject } = elliptic;
    return { algorithm, spki: elliptic.spki, keyId: sha256(elliptic.spki), keyObject };
  }
  if (!isSoundEd25519(spki)) return undefined;
  const own = spki.slice();
  const keyObject = createPublicKey({ key: Buffer.from(own), format: "der", type: "spki" });
  return { algorithm: "ed25519", spki: own, keyId: sha256(own), keyObject };
}

/** OpenSSL imports any 32 bytes, so the range of y and the order of the point are checked here. */
function isSoundEd25519(spki: Uint8Array): boolean {
  const prefix = ED25519_PREFIX.length;
  if (spki.length !== prefix + ED25519_BYTES) return false;
  if (!equalBytes(spki.subarray(0, prefix), ED25519_PREFIX)) return false;
  const bigEndian = spki.slice(prefix).reverse();
  bigEndian[0] = (bigEndian[0] ?? 0) & 0x7f;
  const y = BigInt(`0x${toHex(bigEndian)}`);
  return y < ED25519_FIELD && !SMALL_ORDER_Y.has(y);
}
