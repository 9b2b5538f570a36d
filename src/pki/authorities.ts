/** Checks that CA certificates from the store, or from a peer, are the ones that a record names. */
import type { Sha256 } from "../core/brand.ts";
import { equalBytes } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { err, ok, type Result } from "../core/result.ts";
import { sha256 } from "../crypto/hash.ts";
import {
  type CertificateView,
  isSignedBy,
  parseCertificate,
  publicKeyOf,
} from "../crypto/x509-view.ts";
import type { MeshCaCertificates } from "./mesh-ca-certificates.ts";

/** A record's CA certificates, DER. */
export interface AuthorityCertificates {
  readonly root: Uint8Array;
  readonly meshCa: MeshCaCertificates;
}

/** SHA-256 of the SPKIs as the record has them. */
export interface AuthorityKeys {
  readonly rootCaKey: Sha256;
  readonly meshCaKey: Sha256;
}

/** The certificates, read and checked. */
export interface Authorities {
  readonly root: CertificateView;
  readonly selfSigned: CertificateView;
  readonly intermediate: CertificateView;
}

/**
 * Checks in this order that the certificates can be read, carry the record's keys, are CAs with the profile's path
 * lengths, name their issuers, and are signed by them. Dates are not judged: they rest on the host's clock.
 *
 * Fails with `verification-failed`.
 *
 * **Security:** the keys must come from a verified record. Without this check a store could slip another CA under a
 * genuine mesh key, or widen a CA's path length.
 */
export async function verifyAuthorities(
  certificates: AuthorityCertificates,
  keys: AuthorityKeys,
): Promise<Result<Authorities, QuorateError>> {
  const root = parseCertificate(certificates.root);
  const selfSigned = parseCertificate(certificates.meshCa.selfSigned);
  const intermediate = parseCertificate(certificates.meshCa.intermediate);
  if (!root.ok || !selfSigned.ok || !intermediate.ok) return refused("can't be read");
  const authorities = {
    root: root.value,
    selfSigned: selfSigned.value,
    intermediate: intermediate.value,
  };
  if (!haveKeys(authorities, keys)) return refused("carry other keys than the record names");
  if (!haveProfile(authorities)) return refused("don't follow the certificate profile");
  if (!nameIssuers(authorities)) return refused("don't name each other as issuers");
  if (!(await areSigned(authorities))) return refused("have a wrong signature");
  return ok(authorities);
}

function haveKeys({ root, selfSigned, intermediate }: Authorities, keys: AuthorityKeys): boolean {
  return (
    sha256(root.spki) === keys.rootCaKey &&
    sha256(selfSigned.spki) === keys.meshCaKey &&
    equalBytes(selfSigned.spki, intermediate.spki)
  );
}

function haveProfile({ root, selfSigned, intermediate }: Authorities): boolean {
  const isAuthority = (certificate: CertificateView, pathLength: number): boolean =>
    certificate.isAuthority &&
    certificate.pathLength === pathLength &&
    certificate.keyUsage?.keyCertSign === true;
  return isAuthority(root, 1) && isAuthority(selfSigned, 0) && isAuthority(intermediate, 0);
}

function nameIssuers({ root, selfSigned, intermediate }: Authorities): boolean {
  return (
    equalBytes(root.issuer.encoded, root.subject.encoded) &&
    equalBytes(selfSigned.issuer.encoded, selfSigned.subject.encoded) &&
    equalBytes(intermediate.issuer.encoded, root.subject.encoded) &&
    equalBytes(intermediate.subject.encoded, selfSigned.subject.encoded)
  );
}

async function areSigned({ root, selfSigned, intermediate }: Authorities): Promise<boolean> {
  const rootKey = publicKeyOf(root);
  const meshKey = publicKeyOf(selfSigned);
  if (rootKey === undefined || meshKey === undefined) return false;
  const signed = await Promise.all([
    isSignedBy(root, rootKey),
    isSignedBy(intermediate, rootKey),
    isSignedBy(selfSigned, meshKey),
  ]);
  return signed.every(Boolean);
}

function refused(reason: string): Result<never, QuorateError> {
  return err(new QuorateError("verification-failed", `the record's CA certificates ${reason}`));
}
