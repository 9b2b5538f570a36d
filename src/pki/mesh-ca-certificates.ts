/**
 * Makes the two certificates of a record's mesh CA. Each is made once, kept as a document, and named by its hash in the
 * record; a second signing would give other bytes.
 *
 * Written in DER here, like leaves: every update makes them, and through the X.509 library they would hold the event loop
 * for some 15 ms (this takes 3). The tests read them with that library, and compare them with what it makes.
 */
import { createPublicKey, type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";
import { assert } from "../core/assert.ts";
import type { Epoch, Generation } from "../core/brand.ts";
import { utf8 } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { contextTag } from "../crypto/der.ts";
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
} from "../crypto/der-writer.ts";
import { parseEllipticSpki } from "../crypto/elliptic-key.ts";
import { spkiOf } from "../crypto/spki.ts";
import { parseCertificate } from "../crypto/x509-view.ts";
import { type AuthorityName, authorityName, type Lineage } from "./authority-name.ts";
import { CA_BACKDATE_MS, keyIdentifier, OID, randomSerial } from "./profile.ts";

/** Which record a mesh CA belongs to. */
export interface RecordNumbers {
  readonly generation: Generation;
  readonly epoch: Epoch;
}

/** The two certificates of a mesh CA's key, DER. */
export interface MeshCaCertificates {
  /** Self-signed: for verifiers that trust this manifest only. */
  readonly selfSigned: Uint8Array;
  /** Under the root: for verifiers that trust future manifests too. Sent along with leaves. */
  readonly intermediate: Uint8Array;
}

/**
 * Both certificates for a mesh CA's key: P-256, path length 0, valid from `now` to the root's end.
 *
 * @param root the root's certificate (DER) and private key. @param meshKey the mesh CA's private key.
 * @throws QuorateError `verification-failed` if the root's certificate can't be read
 */
export async function createMeshCaCertificates(
  mesh: Lineage & RecordNumbers,
  root: { readonly certificate: Uint8Array; readonly privateKey: KeyObject },
  meshKey: KeyObject,
  now: number,
): Promise<MeshCaCertificates> {
  const parsed = parseCertificate(root.certificate);
  if (!parsed.ok)
    throw new QuorateError("verification-failed", "the root certificate can't be read");
  const suffix = ` generation ${mesh.generation} epoch ${mesh.epoch}`;
  const name = encodedName(authorityName(mesh, "mesh CA", suffix));
  const subject = { name, key: createPublicKey(meshKey) };
  const { notAfter } = parsed.value;
  const common = { mesh, subject, notBefore: now - CA_BACKDATE_MS, notAfter };
  // Issuer names are compared byte for byte: the root's is taken as the root has it.
  const rootName = parsed.value.subject.encoded;
  const [selfSigned, intermediate] = await Promise.all([
    certificate({ ...common, issuer: { name, key: meshKey } }),
    certificate({ ...common, issuer: { name: rootName, key: root.privateKey } }),
  ]);
  return { selfSigned, intermediate };
}

/** P-384 takes more than a millisecond. */
const signInPool = promisify(sign);

const ORGANIZATION = "2.5.4.10";
const COMMON_NAME = "2.5.4.3";
const UTF8_STRING = 0x0c;
const PRINTABLE_STRING = 0x13;
/** What a PrintableString may hold, which the oldest readers of names prefer. */
const PRINTABLE = /^[A-Za-z0-9 '()+,./:=?-]*$/;
/** GeneralName uniformResourceIdentifier [6]. */
const URI = 0x86;
/** AuthorityKeyIdentifier keyIdentifier [0]. */
const KEY_IDENTIFIER = 0x80;
/** BIT STRING with bit 5, keyCertSign, alone. */
const KEY_CERT_SIGN = derElement(0x03, Uint8Array.of(2, 0x04));
const MESH_CA_PATH_LENGTH = 0;

function encodedName({ organization, commonName }: AuthorityName): Uint8Array {
  return derSequence(attribute(ORGANIZATION, organization), attribute(COMMON_NAME, commonName));
}

function attribute(oid: string, text: string): Uint8Array {
  const tag = PRINTABLE.test(text) ? PRINTABLE_STRING : UTF8_STRING;
  return derSetOf(derSequence(derOid(oid), derElement(tag, utf8(text))));
}

interface Certificate {
  readonly mesh: Lineage;
  /** Names in DER. */
  readonly subject: { readonly name: Uint8Array; readonly key: KeyObject };
  readonly issuer: { readonly name: Uint8Array; readonly key: KeyObject };
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** RFC 5280, section 4.1. */
async function certificate({
  mesh,
  subject,
  issuer,
  notBefore,
  notAfter,
}: Certificate): Promise<Uint8Array> {
  const isP384 = issuer.key.asymmetricKeyDetails?.namedCurve === "secp384r1";
  const algorithm = derSequence(derOid(isP384 ? OID.ecdsaWithSha384 : OID.ecdsaWithSha256));
  const subjectUri = derElement(URI, utf8(`spiffe://${mesh.trustDomain}`));
  const extensions = derSequence(
    critical(OID.basicConstraints, derSequence(derTrue(), derInteger(MESH_CA_PATH_LENGTH))),
    critical(OID.keyUsage, KEY_CERT_SIGN),
    extension(OID.subjectAltName, derSequence(subjectUri)),
    extension(OID.subjectKeyIdentifier, derOctetString(identifierOf(subject.key))),
    extension(
      OID.authorityKeyIdentifier,
      derSequence(derElement(KEY_IDENTIFIER, identifierOf(issuer.key))),
    ),
  );
  const toBeSigned = derSequence(
    derElement(contextTag(0), derInteger(2)),
    derUnsigned(randomSerial()),
    algorithm,
    issuer.name,
    derSequence(derTime(notBefore), derTime(notAfter)),
    subject.name,
    spkiOf(subject.key),
    derElement(contextTag(3), extensions),
  );
  const signature = await signInPool(isP384 ? "sha384" : "sha256", toBeSigned, issuer.key);
  return derSequence(toBeSigned, algorithm, derBitString(signature));
}

function critical(oid: string, value: Uint8Array): Uint8Array {
  return derSequence(derOid(oid), derTrue(), derOctetString(value));
}

function extension(oid: string, value: Uint8Array): Uint8Array {
  return derSequence(derOid(oid), derOctetString(value));
}

function identifierOf(key: KeyObject): Uint8Array {
  const elliptic = parseEllipticSpki(spkiOf(key));
  assert(elliptic !== undefined, "a CA key is on P-256 or P-384");
  return keyIdentifier(elliptic.point);
}
