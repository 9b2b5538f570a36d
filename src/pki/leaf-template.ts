/**
 * The to-be-signed part of leaf certificates, assembled from DER pieces that are encoded once per mesh CA. What is
 * left per leaf is a handful of copies.
 */
import type { Generation, Sha256 } from "../core/brand.ts";
import { concat, fromHex } from "../core/bytes.ts";
import { assert } from "../core/assert.ts";
import { contextTag } from "../crypto/der.ts";
import {
  derBitString,
  derElement,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derTime,
  derTrue,
  derUnsigned,
} from "../crypto/der-writer.ts";
import type { EllipticPublicKey } from "../crypto/elliptic-key.ts";
import { keyIdentifier, OID } from "./profile.ts";
import { type LeafIdentity, subjectAltName } from "./subject-alt-name.ts";

/** What is the same in every leaf of a mesh CA. */
export interface LeafIssuer {
  readonly trustDomain: string;
  readonly generation: Generation;
  /** The CA's subject, DER. */
  readonly name: Uint8Array;
  /** The CA's subject key identifier. */
  readonly keyIdentifier: Uint8Array;
}

/** What differs from leaf to leaf. */
export interface LeafFields {
  /** Big-endian, unsigned. */
  readonly serial: Uint8Array;
  /** Milliseconds since the Unix epoch; certificates have whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: EllipticPublicKey;
  readonly identity: LeafIdentity;
  /** SHA-256 of the evidence. */
  readonly evidenceDigest: Sha256;
}

/** The leaf's signature algorithm, ECDSA with SHA-256, as it stands inside and outside of what is signed. */
export const LEAF_SIGNATURE_ALGORITHM = derSequence(derOid(OID.ecdsaWithSha256));

const VERSION_3 = derElement(contextTag(0), derInteger(2));
const EMPTY_NAME = derSequence();
const IMPLICIT_KEY_IDENTIFIER = 0x80;

/** BIT STRING with bit 0 (digitalSignature) alone: one octet, seven unused bits. */
const DIGITAL_SIGNATURE = derElement(0x03, Uint8Array.of(7, 0x80));

const HEAD = {
  subjectAltName: head(OID.subjectAltName, derTrue()),
  subjectKeyIdentifier: head(OID.subjectKeyIdentifier),
  evidenceDigest: head(OID.evidenceDigest),
};

/** Basic constraints (not a CA), key usage, extended key usage. */
const SAME_FOR_ALL = concat(
  extension(head(OID.basicConstraints, derTrue()), derSequence()),
  extension(head(OID.keyUsage, derTrue()), DIGITAL_SIGNATURE),
  extension(
    head(OID.extendedKeyUsage),
    derSequence(derOid(OID.serverAuth), derOid(OID.clientAuth)),
  ),
);

/** A mesh CA's template. */
export class LeafTemplate {
  readonly #trustDomain: string;
  readonly #name: Uint8Array;
  /** Authority key identifier and generation, which follow the leaf's own. */
  readonly #ofIssuer: Uint8Array;
  /** Names by the manifest's policy object, which lives as long as its record. */
  readonly #names = new WeakMap<LeafIdentity, Uint8Array>();

  constructor(issuer: LeafIssuer) {
    this.#trustDomain = issuer.trustDomain;
    this.#name = issuer.name;
    this.#ofIssuer = concat(
      extension(
        head(OID.authorityKeyIdentifier),
        derSequence(derElement(IMPLICIT_KEY_IDENTIFIER, issuer.keyIdentifier)),
      ),
      extension(head(OID.generation), derInteger(issuer.generation)),
    );
  }

  /** TBSCertificate in DER. The subject is empty, so the SubjectAltName is critical. */
  toBeSigned(leaf: LeafFields): Uint8Array {
    const digest = fromHex(leaf.evidenceDigest);
    assert(digest?.length === 32, "an evidence digest is a SHA-256");
    const extensions = derSequence(
      SAME_FOR_ALL,
      this.#namesOf(leaf.identity),
      extension(HEAD.subjectKeyIdentifier, derOctetString(keyIdentifier(leaf.publicKey.point))),
      this.#ofIssuer,
      extension(HEAD.evidenceDigest, derOctetString(digest)),
    );
    return derSequence(
      VERSION_3,
      derUnsigned(leaf.serial),
      LEAF_SIGNATURE_ALGORITHM,
      this.#name,
      derSequence(derTime(leaf.notBefore), derTime(leaf.notAfter)),
      EMPTY_NAME,
      leaf.publicKey.spki,
      derElement(contextTag(3), extensions),
    );
  }

  #namesOf(identity: LeafIdentity): Uint8Array {
    const known = this.#names.get(identity);
    if (known !== undefined) return known;
    const names = extension(HEAD.subjectAltName, subjectAltName(this.#trustDomain, identity));
    this.#names.set(identity, names);
    return names;
  }
}

/** The certificate: what was signed, how, and the signature (DER `ECDSA-Sig-Value`). */
export function assembleCertificate(toBeSigned: Uint8Array, signature: Uint8Array): Uint8Array {
  return derSequence(toBeSigned, LEAF_SIGNATURE_ALGORITHM, derBitString(signature));
}

/** The part of an extension before its value. Object ids are the dearest to encode, so this is done once. */
function head(oid: string, ...flags: readonly Uint8Array[]): Uint8Array {
  return concat(derOid(oid), ...flags);
}

function extension(before: Uint8Array, value: Uint8Array): Uint8Array {
  return derSequence(before, derOctetString(value));
}
