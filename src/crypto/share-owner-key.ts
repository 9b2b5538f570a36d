/** Keys of share owners: what shares of the seed are encrypted to. */
import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Sha256 } from "../core/brand.ts";
import { equalBytes } from "../core/bytes.ts";
import type { QuorateError } from "../core/errors.ts";
import { RSA_BITS_MAX } from "../core/limits.ts";
import type { ShareAlgorithm } from "../core/manifest/manifest.ts";
import { err, ok, type Result } from "../core/result.ts";
import { spkiOf } from "./spki.ts";
import { sha256 } from "./hash.ts";
import { publicKeyDer, publicKeyFault } from "./public-key-text.ts";

/** A share owner's public key. */
export interface ShareOwnerKey {
  readonly algorithm: ShareAlgorithm;
  /** SPKI DER in its one accepted form. */
  readonly spki: Uint8Array;
  /** SHA-256 of the SPKI. */
  readonly keyId: Sha256;
  readonly keyObject: KeyObject;
}

/** Smallest RSA modulus: NIST SP 800-57's floor, and a share of 97 bytes fits its OAEP. */
const RSA_BITS_MIN = 2048;
const RSA_EXPONENT = 65537n;

/**
 * Parses a share owner's key from PEM or base64 SPKI. Fails with `invalid-argument` for everything but X25519 and RSA
 * (2048 to 8192 bits, exponent 65537, plain `rsaEncryption`) in canonical DER.
 *
 * **Security:** one key has one id, so one owner can't be given two shares unseen; a key to which nothing can be
 * encrypted safely (low-order X25519 points, an even modulus) is refused before a share exists.
 */
export function parseShareOwnerKey(text: string): Result<ShareOwnerKey, QuorateError> {
  const der = publicKeyDer(text);
  return der.ok ? importShareOwnerKey(der.value) : der;
}

/** The share owner key in SPKI DER; fails like {@link parseShareOwnerKey}. */
export function importShareOwnerKey(spki: Uint8Array): Result<ShareOwnerKey, QuorateError> {
  let keyObject: KeyObject;
  try {
    keyObject = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  } catch {
    return err(publicKeyFault("the public key can't be read"));
  }
  return equalBytes(spkiOf(keyObject), spki)
    ? shareOwnerKeyOf(keyObject)
    : err(publicKeyFault("the public key is not in canonical DER"));
}

/** The share owner key of a private or public `KeyObject`; fails like {@link parseShareOwnerKey}. */
export function shareOwnerKeyOf(key: KeyObject): Result<ShareOwnerKey, QuorateError> {
  const keyObject = key.type === "private" ? createPublicKey(key) : key;
  const spki = spkiOf(keyObject);
  const keyId = sha256(spki);
  switch (keyObject.asymmetricKeyType) {
    case "x25519":
      return agrees(keyObject)
        ? ok({ algorithm: "x25519-hpke", spki, keyId, keyObject })
        : err(publicKeyFault("the X25519 key is a point of low order"));
    case "rsa": {
      const fault = rsaFault(keyObject);
      return fault === undefined
        ? ok({ algorithm: "rsa-oaep-sha256", spki, keyId, keyObject })
        : err(publicKeyFault(fault));
    }
    default:
      return err(publicKeyFault("a share owner's key is RSA or X25519"));
  }
}

function rsaFault(key: KeyObject): string | undefined {
  const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_BITS_MIN || modulusLength > RSA_BITS_MAX) {
    return `an RSA key has ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits, not ${modulusLength}`;
  }
  if (publicExponent !== RSA_EXPONENT) return `an RSA key's exponent is ${String(RSA_EXPONENT)}`;
  const modulus = Buffer.from(key.export({ format: "jwk" }).n ?? "", "base64url");
  return (modulus.at(-1) ?? 0) % 2 === 1 ? undefined : "the RSA modulus is even";
}

/** OpenSSL refuses to derive the all-zero secret that low-order points give with every key. */
function agrees(publicKey: KeyObject): boolean {
  try {
    diffieHellman({ publicKey, privateKey: generateKeyPairSync("x25519").privateKey });
    return true;
  } catch {
    return false;
  }
}
