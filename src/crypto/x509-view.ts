/**
 * The facts of an X.509 certificate (RFC 5280) that a verifier judges, read strictly.
 *
 * Reading decides nothing about trust: names, dates, usages and signatures are for the verifier's own steps.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { equalBytes, toHex } from "../core/bytes.ts";
import { CERTIFICATE_BYTES_MAX } from "../core/limits.ts";
import type { Result } from "../core/result.ts";
import { DER_TAG, type DerError, type DerReader, contextTag, parseDer } from "./der.ts";
import { type SignatureAlgorithm, readSignatureAlgorithm, verifySignature } from "./signature.ts";

/** A distinguished name. */
export interface DistinguishedName {
  /** Its DER: two names are the same if these bytes are. */
  readonly encoded: Uint8Array;
  /** The only common name; `undefined` if there is none or more than one. */
  readonly commonName: string | undefined;
}

/** One extension as it stands in the certificate. */
export interface CertificateExtension {
  readonly oid: string;
  readonly critical: boolean;
  /** The octets inside the OCTET STRING. */
  readonly value: Uint8Array;
}

/** What a certificate says. All byte strings share the memory of the DER they were read from. */
export interface CertificateView {
  readonly encoded: Uint8Array;
  /** The bytes that are signed. */
  readonly tbs: Uint8Array;
  /** Content octets of the serial number in lower-case hex, as revocation lists name it. */
  readonly serial: string;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** First and last valid millisecond since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** `SubjectPublicKeyInfo` in DER. */
  readonly spki: Uint8Array;
  /** By object id; duplicates are refused. */
  readonly extensions: ReadonlyMap<string, CertificateExtension>;
  /** `cA` of basic constraints; `false` without the extension. */
  readonly isAuthority: boolean;
  readonly pathLength: number | undefined;
  /** `undefined` without the extension, which then restricts nothing. */
  readonly keyUsage: KeyUsage | undefined;
}

/** The key usages that verifiers ask for. */
export interface KeyUsage {
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
}

/** Object ids of the extensions that this reader interprets. */
export const EXTENSION = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
} as const;

/** Reads one certificate of at most {@link CERTIFICATE_BYTES_MAX} bytes. */
export function parseCertificate(der: Uint8Array): Result<CertificateView, DerError> {
  return parseDer(der, readCertificate, CERTIFICATE_BYTES_MAX);
}

/** Reads a `Name`. */
export function readName(der: DerReader): DistinguishedName {
  const commonNames: string[] = [];
  const encoded = der.peekEncoded();
  der.inside((name) =>
    name.list(
      (item) =>
        item.inside(
          (set) =>
            set.list(
              (member) =>
                member.inside((attribute) => {
                  if (attribute.oid() === COMMON_NAME) commonNames.push(attribute.text());
                  else attribute.any();
                }),
              NAME_PARTS_MAX,
            ),
          DER_TAG.set,
        ),
      NAME_PARTS_MAX,
    ),
  );
  return { encoded, commonName: commonNames.length === 1 ? commonNames[0] : undefined };
}

/** Reads the content of `Extensions`: the sequence of extensions. Refuses two with one object id. */
export function readExtensions(der: DerReader): ReadonlyMap<string, CertificateExtension> {
  const extensions = new Map<string, CertificateExtension>();
  der.inside((list) =>
    list.list((item) => {
      const extension = item.inside((inner) => {
        const oid = inner.oid();
        const critical = inner.peekTag() === DER_TAG.boolean ? inner.boolean() : false;
        return { oid, critical, value: inner.octetString() };
      });
      if (extensions.has(extension.oid)) item.fail(`extension ${extension.oid} appears twice`);
      extensions.set(extension.oid, extension);
    }, EXTENSIONS_MAX),
  );
  return extensions;
}

/** The certificate's key; `undefined` if OpenSSL refuses it. Takes up to a millisecond: keep the result. */
export function publicKeyOf(certificate: CertificateView): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(certificate.spki), format: "der", type: "spki" });
  } catch {
    // A point off the curve, an unknown algorithm: no key.
    return undefined;
  }
}

/** True if `issuerKey` signed the certificate. Runs in the thread pool. */
export function isSignedBy(certificate: CertificateView, issuerKey: KeyObject): Promise<boolean> {
  return verifySignature(
    certificate.signatureAlgorithm,
    issuerKey,
    certificate.tbs,
    certificate.signature,
  );
}

const COMMON_NAME = "2.5.4.3";
/** Attributes in a name: real names have six. */
const NAME_PARTS_MAX = 16;
/** Extensions in a certificate: VCEKs have twelve. */
const EXTENSIONS_MAX = 32;

function readCertificate(der: DerReader): CertificateView {
  const encoded = der.peekEncoded();
  return der.inside((certificate) => {
    const tbs = certificate.peekEncoded();
    const { innerAlgorithm, ...fields } = certificate.inside(readTbs);
    const outer = certificate.peekEncoded();
    const signatureAlgorithm = readSignatureAlgorithm(certificate);
    // RFC 5280, 4.1.1.2: the unsigned copy must be the signed one.
    if (!equalBytes(outer, innerAlgorithm)) {
      certificate.fail("the two signature algorithms differ");
    }
    return { encoded, tbs, signatureAlgorithm, signature: certificate.bitString(), ...fields };
  });
}

function readTbs(der: DerReader) {
  const version = der.optionalInside(contextTag(0), (inner) => inner.smallInteger());
  if (version !== 2) der.fail("not an X.509 version 3 certificate");
  const serial = toHex(der.integerBytes());
  const innerAlgorithm = der.any().encoded;
  const issuer = readName(der);
  const [notBefore, notAfter] = der.inside((validity) => [validity.time(), validity.time()]);
  const subject = readName(der);
  const spki = der.element(DER_TAG.sequence).encoded;
  const extensions = der.optionalInside(contextTag(3), readExtensions) ?? new Map();
  const constraints = interpret(der, extensions, EXTENSION.basicConstraints, readBasicConstraints);
  return {
    serial,
    innerAlgorithm,
    issuer,
    subject,
    notBefore: notBefore ?? 0,
    notAfter: notAfter ?? 0,
    spki,
    extensions,
    isAuthority: constraints?.isAuthority ?? false,
    pathLength: constraints?.pathLength,
    keyUsage: interpret(der, extensions, EXTENSION.keyUsage, readKeyUsage),
  };
}

function interpret<T>(
  der: DerReader,
  extensions: ReadonlyMap<string, CertificateExtension>,
  oid: string,
  read: (inner: DerReader) => T,
): T | undefined {
  const extension = extensions.get(oid);
  if (extension === undefined) return undefined;
  const result = parseDer(extension.value, read);
  return result.ok ? result.value : der.fail(`extension ${oid}: ${result.error.message}`);
}

function readBasicConstraints(der: DerReader) {
  return der.inside((inner) => ({
    isAuthority: inner.peekTag() === DER_TAG.boolean ? inner.boolean() : false,
    pathLength: inner.atEnd() ? undefined : inner.smallInteger(),
  }));
}

function readKeyUsage(der: DerReader): KeyUsage {
  const first = der.namedBits().bytes[0] ?? 0;
  return {
    digitalSignature: (first & 0x80) !== 0,
    keyCertSign: (first & 0x04) !== 0,
    crlSign: (first & 0x02) !== 0,
  };
}
