/** The constants of the certificate profile. `docs/certificates.md` is the profile's text. */
import { createHash } from "node:crypto";
import { toHex } from "../core/bytes.ts";
import { randomBytes } from "../crypto/random.ts";

/**
 * The project's own arc: made from a random UUID under the arc that is set aside for that (1.2.840.113556.1.8000.2554,
 * the UUID in seven numbers). The UUID arc 2.25 would need a number of 128 bits, at which Go's parser gives up.
 */
const ARC = "1.2.840.113556.1.8000.2554.6727.42151.17715.19108.34932.9413208.16282851";

/** Object ids in certificates. */
export const OID = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  ecdsaWithSha384: "1.2.840.10045.4.3.3",
  /** INTEGER: generation of the record that the leaf was issued under. */
  generation: `${ARC}.1`,
  /** OCTET STRING: SHA-256 of the evidence that the leaf was issued for. */
  evidenceDigest: `${ARC}.2`,
} as const;

/** Lifetime of the root: the lineage's. */
export const ROOT_LIFETIME_YEARS = 10;
/** CA certificates start this much before they are made: coordinators' and verifiers' clocks differ. */
export const CA_BACKDATE_MS = 3_600_000;
/** Leaves start this much before they are made, though never before their CA. */
export const LEAF_BACKDATE_MS = 300_000;

const SERIAL_BYTES = 16;
const KEY_IDENTIFIER_BYTES = 20;

/** 128 random bits for a serial number. Read as an unsigned number it is positive (zero has a chance of 2⁻¹²⁸). */
export function randomSerial(): Uint8Array {
  return randomBytes(SERIAL_BYTES);
}

/**
 * A serial as people and tools write it: upper-case hex without leading zeros, in whole octets (`openssl x509
 * -serial`, `X509Certificate.serialNumber`).
 */
export function serialText(serial: Uint8Array): string {
  const hex = toHex(serial).replace(/^(?:00)+(?=..)/, "");
  return hex.toUpperCase();
}

/** RFC 7093 method 1: the first 160 bits of the SHA-256 of the public key's bits. */
export function keyIdentifier(point: Uint8Array): Uint8Array {
  return new Uint8Array(
    createHash("sha256").update(point).digest().subarray(0, KEY_IDENTIFIER_BYTES),
  );
}
