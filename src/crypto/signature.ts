/** Verification of the signature algorithms that vendors' certificates and certificate requests use. */
import { constants, type KeyObject, verify } from "node:crypto";
import { assert } from "../core/assert.ts";
import type { EllipticPublicKey } from "./elliptic-key.ts";
import { DER_TAG, type DerReader, contextTag } from "./der.ts";

/** A signature algorithm that a verifier accepts; `unsupported` stands for every other one. */
export type SignatureAlgorithm =
  "ecdsa-sha256" | "ecdsa-sha384" | "rsa-pss-sha384" | "ed25519" | "unsupported";

/**
 * Reads an `AlgorithmIdentifier` of a signature. RSA-PSS counts only with SHA-384, MGF1 with SHA-384 and a salt of
 * 48 bytes, the parameters that AMD's keys use (RFC 4055).
 */
export function readSignatureAlgorithm(der: DerReader): SignatureAlgorithm {
  return der.inside((inner) => {
    switch (inner.oid()) {
      case "1.2.840.10045.4.3.2":
        return "ecdsa-sha256";
      case "1.2.840.10045.4.3.3":
        return "ecdsa-sha384";
      case "1.3.101.112":
        return "ed25519";
      case "1.2.840.113549.1.1.10":
        return readPssParameters(inner) ? "rsa-pss-sha384" : "unsupported";
      default:
        while (!inner.atEnd()) inner.any();
        return "unsupported";
    }
  });
}

/** How an ECDSA signature is written: DER `ECDSA-Sig-Value`, or r ‖ s with the curve's length each. */
export type EcdsaEncoding = "der" | "ieee-p1363";

/**
 * True if `signature` (ECDSA in `encoding`, or RSA's octets) over `signed` was made by `key` with `algorithm`.
 * Runs in the thread pool. Never rejects: a key of another type, and a malformed signature, are false.
 *
 * **Security:** the algorithm must come from the verifier's rules, or be compared with them.
 */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  signed: Uint8Array,
  signature: Uint8Array,
  encoding: EcdsaEncoding = "der",
): Promise<boolean> {
  const scheme = algorithm === "unsupported" ? undefined : SCHEMES[algorithm];
  if (scheme === undefined || key.asymmetricKeyType !== scheme.keyType) {
    return Promise.resolve(false);
  }
  return new Promise((resolve) => {
    try {
      const options = { key, dsaEncoding: encoding, ...scheme.options };
      verify(scheme.hash, signed, options, signature, (error, result) => {
        resolve(error === null && result);
      });
    } catch {
      // OpenSSL could not even start on these bytes, so they verify nothing.
      resolve(false);
    }
  });
}

/**
 * {@link verifySignature} on this thread, for P-256 alone: 70 µs of CPU, to which a way through the thread pool adds 20
 * to 70. Other keys take up to twenty times as long, and would hold up everybody else.
 */
export function verifyP256Here(
  algorithm: "ecdsa-sha256" | "ecdsa-sha384",
  { curve, keyObject }: EllipticPublicKey,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  assert(curve === "P-256", "verified in the thread pool");
  try {
    return verify(SCHEMES[algorithm].hash, signed, keyObject, signature);
  } catch {
    // As above.
    return false;
  }
}

const SCHEMES = {
  "ecdsa-sha256": { keyType: "ec", hash: "sha256", options: {} },
  "ecdsa-sha384": { keyType: "ec", hash: "sha384", options: {} },
  "rsa-pss-sha384": {
    keyType: "rsa",
    hash: "sha384",
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 },
  },
  ed25519: { keyType: "ed25519", hash: null, options: {} },
} as const;

const SHA384 = "2.16.840.1.101.3.4.2.2";
const MGF1 = "1.2.840.113549.1.1.8";

function readPssParameters(der: DerReader): boolean {
  return der.inside((parameters) => {
    const hash = parameters.optionalInside(contextTag(0), readHash);
    const mask = parameters.optionalInside(contextTag(1), (tagged) =>
      tagged.inside((inner) => inner.oid() === MGF1 && readHash(inner) === SHA384),
    );
    const salt = parameters.optionalInside(contextTag(2), (tagged) => tagged.smallInteger());
    // AMD writes the trailer field although it has its default value.
    const trailer = parameters.optionalInside(contextTag(3), (tagged) => tagged.smallInteger());
    return hash === SHA384 && mask === true && salt === 48 && (trailer ?? 1) === 1;
  });
}

function readHash(der: DerReader): string {
  return der.inside((inner) => {
    const hash = inner.oid();
    if (inner.optional(DER_TAG.null) !== undefined) inner.end();
    return hash;
  });
}
