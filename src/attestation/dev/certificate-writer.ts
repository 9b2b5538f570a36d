/** Writes certificates as the vendors do: version 3, any extensions, RSA-PSS with SHA-384 (AMD) or ECDSA (Intel). */
import { type KeyObject, constants, sign } from "node:crypto";
import { promisify } from "node:util";
import {
  derBitString,
  derElement,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derSetOf,
  derTime,
  derTrue,
  derUnsigned,
} from "../../crypto/der-writer.ts";
import { DER_TAG, contextTag } from "../../crypto/der.ts";
import { utf8 } from "../../core/bytes.ts";

/** An extension to write. */
export interface WrittenExtension {
  readonly oid: string;
  readonly critical?: boolean;
  /** The octets inside the OCTET STRING. */
  readonly value: Uint8Array;
}

/** A certificate to write. */
export interface CertificateContent {
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: KeyObject;
  readonly extensions: readonly WrittenExtension[];
}

const signInPool = promisify(sign);

/** Signs a `TBSCertificate` or `TBSCertList` in the way of the key's type, and puts the three parts together. */
export async function signStructure(tbs: Uint8Array, issuerKey: KeyObject): Promise<Uint8Array> {
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const signature =
    issuerKey.asymmetricKeyType === "ec"
      ? await signInPool(isP256(issuerKey) ? "sha256" : "sha384", tbs, issuerKey)
      : await signInPool("sha384", tbs, { key: issuerKey, padding, saltLength: 48 });
  return derSequence(tbs, signatureAlgorithm(issuerKey), derBitString(signature));
}

/** What {@link signStructure} signs with: ECDSA with the hash of the curve's size, RSA-PSS with SHA-384. */
export function signatureAlgorithm(issuerKey: KeyObject): Uint8Array {
  if (issuerKey.asymmetricKeyType !== "ec") return pssAlgorithm();
  return derSequence(derOid(isP256(issuerKey) ? "1.2.840.10045.4.3.2" : "1.2.840.10045.4.3.3"));
}

function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyDetails?.namedCurve === "prime256v1";
}

/** Writes and signs a certificate. */
export function writeCertificate(
  content: CertificateContent,
  issuerKey: KeyObject,
): Promise<Uint8Array> {
  const tbs = derSequence(
    derElement(contextTag(0), derInteger(2)),
    derUnsigned(content.serial),
    signatureAlgorithm(issuerKey),
    content.issuer,
    derSequence(derTime(content.notBefore), derTime(content.notAfter)),
    content.subject,
    content.publicKey.export({ format: "der", type: "spki" }),
    derElement(contextTag(3), derSequence(...content.extensions.map(extension))),
  );
  return signStructure(tbs, issuerKey);
}

/** A name of organization and common name. */
export function distinguishedName(organization: string, commonName: string): Uint8Array {
  const attribute = (oid: string, text: string): Uint8Array =>
    derSetOf(derSequence(derOid(oid), derElement(DER_TAG.utf8String, utf8(text))));
  return derSequence(attribute("2.5.4.10", organization), attribute("2.5.4.3", commonName));
}

/** The critical basic constraint of a certificate authority. */
export function authorityConstraint(pathLength: number): WrittenExtension {
  const value = derSequence(derTrue(), derInteger(pathLength));
  return { oid: "2.5.29.19", critical: true, value };
}

/** The critical key usage of AMD's authorities: certificates and revocation lists. */
export function authorityKeyUsage(): WrittenExtension {
  // keyCertSign (5) and cRLSign (6), one unused bit.
  const value = derElement(DER_TAG.bitString, Uint8Array.of(1, 0b0000_0110));
  return { oid: "2.5.29.15", critical: true, value };
}

/** RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes (RFC 4055). */
export function pssAlgorithm(): Uint8Array {
  const sha384 = derSequence(derOid("2.16.840.1.101.3.4.2.2"), derElement(DER_TAG.null));
  const mgf1 = derSequence(derOid("1.2.840.113549.1.1.8"), sha384);
  return derSequence(
    derOid("1.2.840.113549.1.1.10"),
    derSequence(
      derElement(contextTag(0), sha384),
      derElement(contextTag(1), mgf1),
      derElement(contextTag(2), derInteger(48)),
    ),
  );
}

function extension({ oid, critical, value }: WrittenExtension): Uint8Array {
  const flag = critical === true ? [derTrue()] : [];
  return derSequence(derOid(oid), ...flag, derOctetString(value));
}
