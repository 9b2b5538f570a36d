/** A key and self-signed certificate for TLS, made fresh in this process: attestation, not a CA, vouches for it. */
import { generateKeyPair, type KeyObject, sign } from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import type { SecureContextOptions } from "node:tls";
import { assert } from "../core/assert.ts";
import { utf8 } from "../core/bytes.ts";
import { parseIpAddress } from "../core/manifest/ip-address.ts";
import {
  derBitString,
  derElement,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derSetOf,
  derTime,
  derUnsigned,
} from "../crypto/der-writer.ts";
import { contextTag, DER_TAG } from "../crypto/der.ts";
import { certificatesPem } from "../pki/pem.ts";
import { OID, randomSerial } from "../pki/profile.ts";
import { TLS_PROFILE } from "./tls-profile.ts";

/** One side of TLS. */
export interface TlsIdentity {
  /** P-256. */
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo (DER). */
  readonly spki: Uint8Array;
  /** Self-signed (DER). */
  readonly certificate: Uint8Array;
}

/**
 * Makes a key and its certificate. The certificate says nothing about time (clocks are the host's) and nothing about
 * trust; its names only serve ordinary TLS clients that were given it as their root.
 *
 * @param names DNS names and IP addresses for the subjectAltName. @default none
 */
export async function generateTlsIdentity(names: readonly string[] = []): Promise<TlsIdentity> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)("ec", { namedCurve: "P-256" });
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  return { privateKey, spki, certificate: selfSigned(privateKey, spki, names) };
}

/** The identity in the form that `node:tls` takes. The PEM text of the key is not kept anywhere else. */
export function tlsOptions(identity: TlsIdentity): SecureContextOptions {
  return {
    ...TLS_PROFILE,
    key: identity.privateKey.export({ format: "pem", type: "pkcs8" }),
    cert: certificatesPem(identity.certificate),
  };
}

const COMMON_NAME = "2.5.4.3";
const NOT_BEFORE = Date.UTC(2020, 0, 1);
/** RFC 5280 section 4.1.2.5: a certificate without a well-defined end. */
const NOT_AFTER = Date.UTC(9999, 11, 31, 23, 59, 59);

function selfSigned(key: KeyObject, spki: Uint8Array, names: readonly string[]): Uint8Array {
  const algorithm = derSequence(derOid(OID.ecdsaWithSha256));
  const name = derSequence(
    derSetOf(
      derSequence(derOid(COMMON_NAME), derElement(DER_TAG.utf8String, utf8("quorate instance"))),
    ),
  );
  const toBeSigned = derSequence(
    derElement(contextTag(0), derInteger(2)),
    derUnsigned(randomSerial()),
    algorithm,
    name,
    derSequence(derTime(NOT_BEFORE), derTime(NOT_AFTER)),
    name,
    spki,
    ...(names.length === 0 ? [] : [alternativeNames(names)]),
  );
  return derSequence(toBeSigned, algorithm, derBitString(sign("sha256", toBeSigned, key)));
}

function alternativeNames(names: readonly string[]): Uint8Array {
  const encoded = names.map((name) => {
    if (isIP(name) === 0) return derElement(0x82, utf8(name));
    const address = parseIpAddress(name);
    assert(address !== undefined, "an address that Node takes can be parsed");
    return derElement(0x87, address);
  });
  const extension = derSequence(
    derOid(OID.subjectAltName),
    derOctetString(derSequence(...encoded)),
  );
  return derElement(contextTag(3), derSequence(extension));
}
