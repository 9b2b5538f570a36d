/** The certificate chain inside a quote: PCK certificate, platform or processor CA, root. */
import { err, ok, type Result } from "../../core/result.ts";
import type { CertificateCache, KnownCertificate } from "../certificate-cache.ts";
import { type Failure, failure } from "../failure.ts";
import type { VerificationContext } from "../verification.ts";
import { certificateFailures, INTEL_CERTIFICATE } from "./intel-certificate.ts";
import { INTEL_SGX_ROOT_KEY } from "./intel-root.ts";
import { PCK_EXTENSION_OID, type PckExtension } from "./pck-extension.ts";

/** The three certificates. */
export interface PckChain {
  readonly pck: KnownCertificate;
  readonly authority: KnownCertificate;
  readonly root: KnownCertificate;
}

/** Reads a chain; the error is a failure of its form. */
export function readPckChain(
  pem: Uint8Array,
  { cache }: VerificationContext,
): Result<PckChain, Failure> {
  const decoded = cache.tdx.chain(pem);
  if (!decoded.ok) return err(malformed("certificates in PEM", decoded.error));
  const certificates: KnownCertificate[] = [];
  for (const der of decoded.value.slice(0, CERTIFICATES)) {
    const certificate = cache.certificate(der);
    if (!certificate.ok) return err(malformed("X.509 certificates", certificate.error.message));
    certificates.push(certificate.value);
  }
  const [pck, authority, root] = certificates;
  if (pck !== undefined && authority !== undefined && root !== undefined) {
    if (decoded.value.length === CERTIFICATES) return ok({ pck, authority, root });
  }
  const found = `${decoded.value.length} certificates`;
  return err(failure("certificate-missing", "PCK certificate, CA and root", found, WHERE));
}

/** Everything that is wrong with a chain, the trust in its root included. */
export async function pckChainFailures(
  { pck, authority, root }: PckChain,
  { now, cache, developmentRoots }: VerificationContext,
): Promise<readonly Failure[]> {
  const failures = await Promise.all([
    certificateFailures(pck, authority, INTEL_CERTIFICATE.pck, now, cache),
    certificateFailures(authority, root, INTEL_CERTIFICATE.pckAuthority, now, cache),
    certificateFailures(root, root, INTEL_CERTIFICATE.root, now, cache),
  ]);
  // The only place that decides which roots are trusted.
  const isTrusted = root.spkiHash === INTEL_SGX_ROOT_KEY || developmentRoots.has(root.spkiHash);
  if (isTrusted) return failures.flat();
  const untrusted = failure("root-untrusted", INTEL_SGX_ROOT_KEY, root.spkiHash, WHERE);
  return [...failures.flat(), untrusted];
}

/** What the PCK certificate says about its processor. */
export function pckExtensionOf(
  pck: KnownCertificate,
  { tdx }: CertificateCache,
): Result<PckExtension, Failure> {
  const value = pck.extensions.get(PCK_EXTENSION_OID)?.value;
  const expected = `extension ${PCK_EXTENSION_OID}`;
  if (value === undefined) return err(failure("tdx-pck-extension", expected, "none"));
  const parsed = tdx.pckExtension(value);
  return parsed.ok ? parsed : err(failure("tdx-pck-extension", expected, parsed.error));
}

const CERTIFICATES = 3;
const WHERE = "PCK chain";

function malformed(expected: string, found: string): Failure {
  return failure("certificate-malformed", expected, found, WHERE);
}
