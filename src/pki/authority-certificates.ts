/**
 * Makes the certificates of the root CA and of a record's mesh CA. Each is made once, kept as a document, and named by
 * its hash in the record; a second signing would give other bytes.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import type { Epoch, Generation, Sha256 } from "../core/brand.ts";
import { toHex } from "../core/bytes.ts";
import { parseEllipticSpki } from "../crypto/elliptic-key.ts";
import { spkiOf } from "../crypto/spki.ts";
import { assert } from "../core/assert.ts";
import { CA_BACKDATE_MS, keyIdentifier, randomSerial, ROOT_LIFETIME_YEARS } from "./profile.ts";
import { signingKeyOf, x509 } from "./x509-library.ts";

/** Which mesh a CA belongs to. */
export interface Lineage {
  readonly trustDomain: string;
  readonly lineage: Sha256;
}

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
 * The root's self-signed certificate, DER: P-384, ten years from `now`, path length 1.
 *
 * @param rootKey private, from the seed engine. @param now milliseconds since the Unix epoch.
 */
export async function createRootCertificate(
  mesh: Lineage,
  rootKey: KeyObject,
  now: number,
): Promise<Uint8Array> {
  const name = authorityName(mesh, "root CA");
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + ROOT_LIFETIME_YEARS);
  return createAuthority({
    mesh,
    subject: { name, key: createPublicKey(rootKey) },
    issuer: { name, key: rootKey },
    pathLength: 1,
    notBefore: new Date(now - CA_BACKDATE_MS),
    notAfter: end,
  });
}

/**
 * Both certificates for a mesh CA's key: P-256, path length 0, valid from `now` to the root's end.
 *
 * @param root the root's certificate (DER) and private key. @param meshKey the mesh CA's private key.
 */
export async function createMeshCaCertificates(
  mesh: Lineage & RecordNumbers,
  root: { readonly certificate: Uint8Array; readonly privateKey: KeyObject },
  meshKey: KeyObject,
  now: number,
): Promise<MeshCaCertificates> {
  const rootCertificate = new x509.X509Certificate(root.certificate);
  const name = authorityName(mesh, "mesh CA", ` generation ${mesh.generation} epoch ${mesh.epoch}`);
  const subject = { name, key: createPublicKey(meshKey) };
  const common = {
    mesh,
    subject,
    pathLength: 0,
    notBefore: new Date(now - CA_BACKDATE_MS),
    notAfter: rootCertificate.notAfter,
  };
  const rootName = rootCertificate.subjectName.toJSON();
  const [selfSigned, intermediate] = await Promise.all([
    createAuthority({ ...common, issuer: { name, key: meshKey } }),
    createAuthority({ ...common, issuer: { name: rootName, key: root.privateKey } }),
  ]);
  return { selfSigned, intermediate };
}

/** RFC 5280's upper bound for organization names; the URI SAN has the trust domain in full. */
const ORGANIZATION_MAX = 64;

function authorityName(mesh: Lineage, kind: string, suffix = ""): x509.JsonName {
  return [
    { O: [mesh.trustDomain.slice(0, ORGANIZATION_MAX)] },
    { CN: [`Quorate ${kind} ${mesh.lineage.slice(0, 8)}${suffix}`] },
  ];
}

interface Authority {
  readonly mesh: Lineage;
  readonly subject: { readonly name: x509.JsonName; readonly key: KeyObject };
  readonly issuer: { readonly name: x509.JsonName; readonly key: KeyObject };
  readonly pathLength: number;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

async function createAuthority(authority: Authority): Promise<Uint8Array> {
  const { subject, issuer, mesh } = authority;
  const spki = spkiOf(subject.key);
  const p384 = issuer.key.asymmetricKeyDetails?.namedCurve === "secp384r1";
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: toHex(randomSerial()),
    subject: subject.name,
    issuer: issuer.name,
    notBefore: authority.notBefore,
    notAfter: authority.notAfter,
    publicKey: new x509.PublicKey(spki),
    signingKey: await signingKeyOf(issuer.key),
    signingAlgorithm: { name: "ECDSA", hash: p384 ? "SHA-384" : "SHA-256" },
    extensions: [
      new x509.BasicConstraintsExtension(true, authority.pathLength, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: `spiffe://${mesh.trustDomain}` },
      ]),
      new x509.SubjectKeyIdentifierExtension(identifierOf(subject.key)),
      new x509.AuthorityKeyIdentifierExtension(identifierOf(issuer.key)),
    ],
  });
  return new Uint8Array(certificate.rawData);
}

function identifierOf(key: KeyObject): string {
  const elliptic = parseEllipticSpki(spkiOf(key));
  assert(elliptic !== undefined, "a CA key is on P-256 or P-384");
  return toHex(keyIdentifier(elliptic.point));
}
