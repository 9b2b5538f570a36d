/**
 * The first half of appraisal: is the evidence genuine? Cryptography and the vendor's own rules, no manifest.
 *
 * A verifier is a function of evidence, collateral, trusted roots and time. It never fetches anything.
 */
import type { Sha256 } from "../core/brand.ts";
import type { CertificateCache } from "./certificate-cache.ts";
import type { Evidence } from "./evidence.ts";
import type { Failure } from "./failure.ts";
import type { Claims } from "./claims.ts";

/**
 * What verifiers need beside the evidence: an unordered heap, all of it untrusted until its own signature and
 * dates are checked. It may hold more than one piece of evidence needs.
 */
export interface Collateral {
  /** DER certificates: endorsement keys, intermediates, roots, signers of TCB info. */
  readonly certificates: readonly Uint8Array[];
  /** DER revocation lists. */
  readonly revocationLists: readonly Uint8Array[];
  /** Intel's TCB info documents: JSON, byte for byte as fetched. */
  readonly tcbInfos: readonly Uint8Array[];
  /** Intel's identities of the TD quoting enclave: JSON, byte for byte as fetched. */
  readonly qeIdentities: readonly Uint8Array[];
}

/** No collateral: all that is needed must be in the evidence. */
export const NO_COLLATERAL: Collateral = {
  certificates: [],
  revocationLists: [],
  tcbInfos: [],
  qeIdentities: [],
};

/** The circumstances of a verification. */
export interface VerificationContext {
  readonly collateral: Collateral;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /**
   * Simulated roots that are trusted beside the vendors' own, by SHA-256 of their SPKI.
   *
   * **Security:** exactly the `developmentRoot`s of the manifest's sets; appraisal then demands that the matching
   * set names the very root, and that development attestation is allowed at all.
   */
  readonly developmentRoots: ReadonlySet<Sha256>;
  /** What earlier verifications have in common with this one. */
  readonly cache: CertificateCache;
}

/** Something that a person should know, and that refuses nothing. */
export interface Warning {
  readonly message: string;
}

/** What a verifier found out. */
export interface VerifiedEvidence {
  /** What the evidence says; `undefined` if it cannot even be read. Proved only if `failures` is empty. */
  readonly claims: Claims | undefined;
  readonly failures: readonly Failure[];
  readonly warnings: readonly Warning[];
  /**
   * First and last millisecond at which the same verification would come out the same: the common validity of all
   * certificates, lists and documents that it rests on. Outside it the evidence must be verified again.
   */
  readonly validity: Validity;
}

/** An inclusive span of time in milliseconds since the Unix epoch. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The verifier of one platform. Never rejects on account of evidence or collateral. */
export type Verifier = (
  evidence: Evidence,
  context: VerificationContext,
) => Promise<VerifiedEvidence>;

/** The time that lies in all of `spans`. */
export function commonValidity(spans: readonly Validity[]): Validity {
  return {
    notBefore: Math.max(Number.MIN_SAFE_INTEGER, ...spans.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(Number.MAX_SAFE_INTEGER, ...spans.map(({ notAfter }) => notAfter)),
  };
}
