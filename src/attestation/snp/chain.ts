/** The chain of an SNP report: VCEK or VLEK, its intermediate (ASK or ASVK), and AMD's root (ARK). */
import type { KeyObject } from "node:crypto";
import { equalBytes } from "../../core/bytes.ts";
import {
  SNP_PRODUCT_LINES,
  type SnpProductLine,
  type SnpSigningKey,
} from "../../core/manifest/snp-reference-values.ts";
import { EXTENSION } from "../../crypto/x509-view.ts";
import type { CertificateCache, KnownCertificate } from "../certificate-cache.ts";
import { type Failure, failure } from "../failure.ts";
import type { CandidateCertificate, Candidates } from "./candidates.ts";

/** The chain as far as it was found. */
export interface SnpChain {
  readonly leaf: KnownCertificate | undefined;
  readonly intermediate: KnownCertificate | undefined;
  readonly root: KnownCertificate | undefined;
}

/**
 * Finds the intermediate and the root above `leaf`: certificates of the right subject whose key verifies the
 * signature below. If none verifies, the first of the right subject stands for the failure.
 */
export async function findChain(
  leaf: KnownCertificate | undefined,
  candidates: Candidates,
  cache: CertificateCache,
): Promise<SnpChain> {
  const intermediate = await findIssuer(leaf, "ask", candidates.certificates, cache);
  const root = await findIssuer(intermediate, "ark", candidates.certificates, cache);
  return { leaf, intermediate, root };
}

/**
 * Everything that is wrong with a chain, except what the root is and what the leaf's extensions say.
 *
 * @param line the processor's product line; `undefined` if it is unknown, which is a failure elsewhere.
 */
export async function chainFailures(
  chain: SnpChain,
  signingKey: SnpSigningKey,
  line: SnpProductLine | undefined,
  now: number,
  cache: CertificateCache,
): Promise<readonly Failure[]> {
  const { leaf, intermediate, root } = chain;
  const leafName = signingKey === "vcek" ? "VCEK" : "VLEK";
  const intermediateName = signingKey === "vcek" ? "ASK" : "ASVK";
  const prefix = signingKey === "vcek" ? "SEV-" : "SEV-VLEK-";
  const failures: Failure[] = [];
  if (leaf === undefined) return [missing(leafName)];
  failures.push(
    ...nameFailures(leafName, leaf, [`SEV-${leafName}`]),
    ...commonFailures(leafName, leaf, now),
    ...leafKeyFailures(leafName, leaf),
    ...(await signatureFailures(leafName, leaf, intermediate, cache)),
  );
  if (intermediate === undefined) return [...failures, missing(intermediateName)];
  const intermediateSubjects = SNP_PRODUCT_LINES.map((each) => prefix + each);
  const chainLine = SNP_PRODUCT_LINES.find(
    (each) => intermediate.subject.commonName === prefix + each,
  );
  if (chainLine !== undefined && line !== undefined && chainLine !== line) {
    failures.push(failure("snp-product-mismatch", line, chainLine));
  }
  failures.push(
    ...nameFailures(intermediateName, intermediate, intermediateSubjects),
    ...commonFailures(intermediateName, intermediate, now),
    ...authorityFailures(intermediateName, intermediate, 0),
    ...(await signatureFailures(intermediateName, intermediate, root, cache)),
  );
  if (root === undefined) return [...failures, missing("ARK")];
  const rootSubjects = SNP_PRODUCT_LINES.filter((each) => (chainLine ?? each) === each).map(
    (each) => `ARK-${each}`,
  );
  failures.push(
    ...nameFailures("ARK", root, rootSubjects),
    ...commonFailures("ARK", root, now),
    ...authorityFailures("ARK", root, 1),
    ...(await signatureFailures("ARK", root, root, cache)),
  );
  return failures;
}

/** True for a P-384 key, the only kind that signs reports. */
export function isEndorsementKey(key: KeyObject | undefined): boolean {
  return key?.asymmetricKeyDetails?.namedCurve === "secp384r1";
}

/** Signature candidates tried for one certificate: more serve only to waste time. */
const ISSUERS_TRIED_MAX = 4;

async function findIssuer(
  child: KnownCertificate | undefined,
  slot: "ask" | "ark",
  candidates: readonly CandidateCertificate[],
  cache: CertificateCache,
): Promise<KnownCertificate | undefined> {
  if (child === undefined) return undefined;
  const named = candidates.filter(({ certificate }) =>
    equalBytes(certificate.subject.encoded, child.issuer.encoded),
  );
  for (const { certificate } of named.slice(0, ISSUERS_TRIED_MAX)) {
    if (await cache.isSignedBy(child, certificate)) return certificate;
  }
  // Nobody of the right name: what the host calls the issuer shows in the failures what is wrong with it.
  const fallback = named[0] ?? candidates.find((candidate) => candidate.slot === slot);
  return fallback?.certificate;
}

function missing(name: string): Failure {
  return failure("certificate-missing", "in the evidence or the collateral", "nowhere", name);
}

function nameFailures(
  name: string,
  certificate: KnownCertificate,
  commonNames: readonly string[],
): Failure[] {
  const found = certificate.subject.commonName ?? "no single common name";
  return commonNames.includes(found)
    ? []
    : [failure("certificate-name", commonNames.join(" or "), found, `${name}, subject`)];
}

function commonFailures(name: string, certificate: KnownCertificate, now: number): Failure[] {
  const { notBefore, notAfter, signatureAlgorithm, extensions } = certificate;
  const failures: Failure[] = [];
  if (signatureAlgorithm !== "rsa-pss-sha384") {
    const expected = "RSA-PSS with SHA-384";
    failures.push(failure("certificate-algorithm", expected, signatureAlgorithm, name));
  }
  for (const { oid, critical } of extensions.values()) {
    if (critical && !UNDERSTOOD_CRITICAL.has(oid)) {
      failures.push(failure("snp-certificate-extension", "none", oid, name));
    }
  }
  if (now < notBefore) {
    failures.push(failure("certificate-not-yet-valid", isoTime(notBefore), isoTime(now), name));
  }
  if (now > notAfter) {
    failures.push(failure("certificate-expired", isoTime(notAfter), isoTime(now), name));
  }
  return failures;
}

/** The extensions whose meaning the checks of this file cover (RFC 5280, 4.2). */
const UNDERSTOOD_CRITICAL = new Set<string>([EXTENSION.basicConstraints, EXTENSION.keyUsage]);

function leafKeyFailures(name: string, leaf: KnownCertificate): Failure[] {
  if (isEndorsementKey(leaf.publicKey)) return [];
  const key = leaf.publicKey;
  const found = key?.asymmetricKeyDetails?.namedCurve ?? key?.asymmetricKeyType ?? "unreadable";
  return [failure("certificate-key", "P-384", found, name)];
}

/** Smallest RSA modulus that is accepted, in bits; AMD's have 4096. */
const RSA_BITS_MIN = 2048;

function authorityFailures(
  name: string,
  certificate: KnownCertificate,
  intermediatesBelow: number,
): Failure[] {
  const { isAuthority, keyUsage, pathLength, publicKey } = certificate;
  const failures: Failure[] = [];
  const refuse = (expected: string, found: string): void => {
    failures.push(failure("certificate-not-authority", expected, found, name));
  };
  if (!isAuthority) refuse("basic constraint CA", "none");
  if (keyUsage !== undefined && !keyUsage.keyCertSign) refuse("key usage keyCertSign", "none");
  if (pathLength !== undefined && pathLength < intermediatesBelow) {
    refuse(`path length of at least ${intermediatesBelow}`, String(pathLength));
  }
  const bits = publicKey?.asymmetricKeyDetails?.modulusLength ?? 0;
  if (publicKey?.asymmetricKeyType !== "rsa" || bits < RSA_BITS_MIN) {
    const found = `${publicKey?.asymmetricKeyType ?? "unreadable"} ${bits}`;
    failures.push(failure("certificate-key", `RSA of ${RSA_BITS_MIN} bits or more`, found, name));
  }
  return failures;
}

async function signatureFailures(
  name: string,
  certificate: KnownCertificate,
  issuer: KnownCertificate | undefined,
  cache: CertificateCache,
): Promise<Failure[]> {
  if (issuer === undefined) return [];
  const failures: Failure[] = [];
  if (!equalBytes(certificate.issuer.encoded, issuer.subject.encoded)) {
    const expected = issuer.subject.commonName ?? "the issuer's subject";
    const found = certificate.issuer.commonName ?? "another name";
    failures.push(failure("certificate-name", expected, found, `${name}, issuer`));
  }
  if (!(await cache.isSignedBy(certificate, issuer))) {
    const expected = `by ${issuer.subject.commonName ?? "its issuer"}`;
    failures.push(failure("certificate-signature", expected, "not verifiable", name));
  }
  return failures;
}

function isoTime(millis: number): string {
  return new Date(millis).toISOString();
}
