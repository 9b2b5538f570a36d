/** Appraisal of evidence from end to end: size, form, cryptography, report data, policy. */
import { createHash } from "node:crypto";
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import { lengthPrefixed, toHex } from "../core/bytes.ts";
import { VERIFICATIONS_AT_ONCE_MAX, VERIFICATION_CACHE_ENTRIES_MAX } from "../core/limits.ts";
import type { Platform } from "../core/manifest/reference-values.ts";
import { BoundedMap } from "./bounded-map.ts";
import { CertificateCache } from "./certificate-cache.ts";
import type { Evidence } from "./evidence.ts";
import { failure } from "./failure.ts";
import { Gate } from "./gate.ts";
import type { AppraisalPolicy } from "./policy/appraisal-policy.ts";
import { appraiseClaims } from "./policy/appraise-claims.ts";
import { REPORT_DATA_BYTES } from "./report-data.ts";
import { verifySnp } from "./snp/verify-snp.ts";
import { verifyTdx } from "./tdx/verify-tdx.ts";
import type { Verdict } from "./verdict.ts";
import type { Collateral, VerifiedEvidence, Verifier } from "./verification.ts";

/** The circumstances of an appraisal. */
export interface AppraisalContext {
  readonly collateral: Collateral;
  readonly policy: AppraisalPolicy;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /**
   * The 64 bytes that bind the evidence to a session or key. `undefined` compares nothing: only for showing a
   * person what evidence says.
   *
   * **Security:** without the comparison anybody can replay evidence that somebody else once showed.
   */
  readonly expectedReportData: Uint8Array | undefined;
}

/** A verdict, and what a later appraisal under another policy needs (`appraiseClaims`). */
export interface Appraisal {
  readonly verdict: Verdict;
  /** Carries `report-data-mismatch` too, so that it cannot get lost. */
  readonly verified: VerifiedEvidence;
}

/** Appraises evidence, and remembers what it found genuine. Bounded; one per process suffices. */
export class Appraiser {
  readonly #certificates = new CertificateCache();
  readonly #genuine = new BoundedMap<string, VerifiedEvidence>(VERIFICATION_CACHE_ENTRIES_MAX);
  readonly #gate = new Gate(VERIFICATIONS_AT_ONCE_MAX);
  readonly #collateralIds = new WeakMap<Collateral, string>();

  /** Verifies the evidence (or remembers that it did), compares the report data, and applies the policy. */
  async appraise(evidence: Evidence, context: AppraisalContext): Promise<Appraisal> {
    const { collateral, policy, now, expectedReportData } = context;
    const { developmentRoots } = policy;
    const genuine = await this.verify(evidence, { collateral, now, developmentRoots });
    const verified = withReportData(genuine, expectedReportData);
    return { verified, verdict: appraiseClaims(verified, policy, now) };
  }

  /**
   * Is the evidence genuine? The result of genuine evidence is kept by the hash of evidence and collateral, for as
   * long as all that it rests on is valid.
   *
   * **Security:** the collateral object must not change: new collateral is a new object.
   */
  async verify(
    evidence: Evidence,
    context: {
      readonly collateral: Collateral;
      readonly now: number;
      readonly developmentRoots: ReadonlySet<Sha256>;
    },
  ): Promise<VerifiedEvidence> {
    const verifier = VERIFIERS[evidence.platform];
    const key = this.#cacheKey(evidence, context.collateral, context.developmentRoots);
    const known = this.#genuine.get(key);
    if (known !== undefined && isWithin(context.now, known)) return known;
    const verified = await this.#gate.run(() =>
      verifier(evidence, { ...context, cache: this.#certificates }),
    );
    if (verified.failures.length === 0) this.#genuine.set(key, verified);
    return verified;
  }

  #cacheKey(
    evidence: Evidence,
    collateral: Collateral,
    developmentRoots: ReadonlySet<Sha256>,
  ): string {
    let collateralId = this.#collateralIds.get(collateral);
    if (collateralId === undefined) {
      collateralId = hashOf([
        ...group(collateral.certificates),
        ...group(collateral.revocationLists),
        ...group(collateral.tcbInfos),
        ...group(collateral.qeIdentities),
      ]);
      this.#collateralIds.set(collateral, collateralId);
    }
    const roots = [...developmentRoots].sort();
    const { platform, quote, certificates } = evidence;
    return hashOf([platform, quote, certificates, collateralId, ...roots]);
  }
}

const VERIFIERS: Readonly<Record<Platform, Verifier>> = { snp: verifySnp, tdx: verifyTdx };

function isWithin(now: number, { validity }: VerifiedEvidence): boolean {
  return now >= validity.notBefore && now <= validity.notAfter;
}

function withReportData(
  verified: VerifiedEvidence,
  expected: Uint8Array | undefined,
): VerifiedEvidence {
  const { claims } = verified;
  if (expected === undefined || claims === undefined) return verified;
  assert(expected.length === REPORT_DATA_BYTES, "report data has 64 bytes");
  const wanted = toHex(expected);
  if (claims.reportData === wanted) return verified;
  const wrong = failure("report-data-mismatch", wanted, claims.reportData);
  return { ...verified, failures: [...verified.failures, wrong] };
}

/** A list whose length is part of what is hashed. */
function group(items: readonly Uint8Array[]): (Uint8Array | string)[] {
  return [String(items.length), ...items];
}

function hashOf(parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(lengthPrefixed(part));
  return hash.digest("base64");
}
