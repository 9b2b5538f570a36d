/** The rules for a certificate of Intel's SGX PKI (Intel SGX PCK Certificate and CRL Profile Specification). */
import { equalBytes } from "../../core/bytes.ts";
import { type CertificateView, EXTENSION } from "../../crypto/x509-view.ts";
import type { CertificateCache, KnownCertificate } from "../certificate-cache.ts";
import { type Failure, type FailureCode, failure } from "../failure.ts";

/** What a certificate must be at its place in a chain. */
export interface CertificateRule {
  /** Acceptable common names of the subject. */
  readonly names: readonly [string, ...string[]];
  /** How many authorities may stand below it; `undefined` for a certificate that is no authority. */
  readonly authoritiesBelow: number | undefined;
}

/** The rules by role. */
export const INTEL_CERTIFICATE = {
  root: { names: ["Intel SGX Root CA"], authoritiesBelow: 1 },
  pckAuthority: {
    names: ["Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"],
    authoritiesBelow: 0,
  },
  pck: { names: ["Intel SGX PCK Certificate"], authoritiesBelow: undefined },
  tcbSigning: { names: ["Intel SGX TCB Signing"], authoritiesBelow: undefined },
} as const satisfies Record<string, CertificateRule>;

/** The common name, for people. */
export function nameOf(certificate: CertificateView): string {
  return certificate.subject.commonName ?? "a certificate without a name";
}

/** Every rule that `certificate` breaks as one that `issuer` issued, at `now` (milliseconds since the Unix epoch). */
export async function certificateFailures(
  certificate: KnownCertificate,
  issuer: KnownCertificate,
  rule: CertificateRule,
  now: number,
  cache: CertificateCache,
): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  const fail = (code: FailureCode, expected: string, found: string): void => {
    failures.push(failure(code, expected, found, rule.names[0]));
  };
  const name = nameOf(certificate);
  if (!rule.names.includes(name)) fail("certificate-name", rule.names.join(" or "), name);
  if (!equalBytes(certificate.issuer.encoded, issuer.subject.encoded)) {
    const found = certificate.issuer.commonName ?? "another issuer";
    fail("certificate-name", `issued by ${nameOf(issuer)}`, `issued by ${found}`);
  }
  const wrongUse = useFault(certificate, rule);
  if (wrongUse !== undefined) fail("certificate-not-authority", ...wrongUse);
  const curve = certificate.publicKey?.asymmetricKeyDetails?.namedCurve;
  if (curve !== "prime256v1") fail("certificate-key", "a P-256 key", curve ?? "another key");
  if (certificate.signatureAlgorithm !== "ecdsa-sha256") {
    fail("certificate-algorithm", "ecdsa-sha256", certificate.signatureAlgorithm);
  } else if (!(await cache.isSignedBy(certificate, issuer))) {
    fail("certificate-signature", `signed by ${nameOf(issuer)}`, "not verifiable");
  }
  for (const { oid, critical } of certificate.extensions.values()) {
    if (critical && !UNDERSTOOD.includes(oid)) {
      fail("tdx-certificate-extension", "critical extensions for CA and key usage only", oid);
    }
  }
  const { notBefore, notAfter } = certificate;
  if (now < notBefore) fail("certificate-not-yet-valid", `from ${iso(notBefore)}`, iso(now));
  if (now > notAfter) fail("certificate-expired", `until ${iso(notAfter)}`, iso(now));
  return failures;
}

/** RFC 3339 text of a time in milliseconds since the Unix epoch. */
export function iso(millis: number): string {
  return new Date(millis).toISOString();
}

/** The critical extensions that {@link useFault} judges. */
const UNDERSTOOD: readonly string[] = [EXTENSION.basicConstraints, EXTENSION.keyUsage];

/** What is wrong with CA flag, path length or key usage: expected and found. */
function useFault(view: CertificateView, rule: CertificateRule): [string, string] | undefined {
  const { isAuthority, keyUsage, pathLength } = view;
  const { authoritiesBelow } = rule;
  if (authoritiesBelow === undefined) {
    if (isAuthority) return ["no authority", "CA flag set"];
    return keyUsage?.digitalSignature === true ? undefined : ["usage digitalSignature", "missing"];
  }
  if (!isAuthority) return ["an authority", "CA flag missing"];
  if (keyUsage?.keyCertSign !== true) return ["usage keyCertSign", "missing"];
  if (pathLength === undefined || pathLength >= authoritiesBelow) return undefined;
  return [`path length from ${authoritiesBelow} up`, `${pathLength}`];
}
