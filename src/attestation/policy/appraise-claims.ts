/**
 * The second half of appraisal: does genuine evidence match the manifest? Pure and cheap, because it is repeated
 * before every issuance when the manifest has changed since.
 */
import { assert } from "../../core/assert.ts";
import type { ReferenceValues } from "../../core/manifest/reference-values.ts";
import type { Claims } from "../claims.ts";
import { type Failure, failure } from "../failure.ts";
import { snpSetFailures } from "../snp/snp-set.ts";
import { tdxSetFailures } from "../tdx/tdx-set.ts";
import type { SetMismatch, Verdict } from "../verdict.ts";
import type { VerifiedEvidence } from "../verification.ts";
import type { AppraisalPolicy, AppraisedPolicy, PolicyRole } from "./appraisal-policy.ts";

/**
 * The verdict on verified evidence under a policy. Failures of the verification become failures of the verdict, and
 * all sets are tried nevertheless, so that an operator sees every reason at once.
 *
 * The first set in the manifest's order that matches gives the identity.
 *
 * **Security:** says nothing about the report data. Whoever verified the evidence compared it (`appraise`).
 *
 * @param now milliseconds since the Unix epoch; evidence that has outlived its certificates is refused.
 */
export function appraiseClaims(
  verified: VerifiedEvidence,
  policy: AppraisalPolicy,
  now: number,
): Verdict {
  const { claims, warnings, validity } = verified;
  const failures = [...verified.failures];
  const refused = (mismatches: readonly SetMismatch[]): Verdict => {
    return {
      accepted: false,
      identity: undefined,
      claims,
      failures,
      mismatches,
      warnings,
      validity,
    };
  };
  if (verified.failures.length === 0 && (now < validity.notBefore || now > validity.notAfter)) {
    failures.push(failure("evidence-expired", spanText(validity), timeText(now)));
  }
  if (claims === undefined) return refused([]);
  if (claims.development && !policy.allowDevelopment) {
    failures.push(failure("development-not-allowed", "the vendor's root", claims.root ?? "none"));
  }
  const applied = policy.policies.get(claims.policyHash);
  if (applied === undefined) {
    const expected = policy.policies.size === 1 ? firstKey(policy.policies) : "a policy's hash";
    failures.push(failure("policy-unknown", expected, claims.policyHash));
  }
  const candidates = candidateSets(policy, applied, claims);
  const mismatches: SetMismatch[] = [];
  for (const [referenceSet, set] of candidates) {
    const wrong = setFailures(claims, set, applied?.role ?? "workload");
    if (wrong.length > 0) mismatches.push({ referenceSet, failures: wrong });
    else if (applied !== undefined && failures.length === 0) {
      const identity = { policyHash: claims.policyHash, role: applied.role, referenceSet };
      return { accepted: true, identity, claims, failures, mismatches: [], warnings, validity };
    }
  }
  if (mismatches.length < candidates.length) return refused([]);
  const expected = candidates.map(([name]) => name).join(", ") || `a set for ${claims.platform}`;
  failures.push(failure("no-reference-set", expected, "none of them matches"));
  return refused(mismatches);
}

/** The sets that may match: of the evidence's platform, and named by the policy if it names any. */
function candidateSets(
  policy: AppraisalPolicy,
  applied: AppraisedPolicy | undefined,
  claims: Claims,
): readonly (readonly [string, ReferenceValues])[] {
  const names = applied?.referenceValues;
  return [...policy.referenceSets].filter(
    ([name, set]) =>
      set.platform === claims.platform && (names === undefined || names.includes(name)),
  );
}

function setFailures(claims: Claims, set: ReferenceValues, role: PolicyRole): readonly Failure[] {
  if (claims.platform === "snp" && set.platform === "snp") {
    return [...rootFailures(claims, set), ...snpSetFailures(claims, set, role)];
  }
  assert(
    claims.platform === "tdx" && set.platform === "tdx",
    "evidence is compared with sets of its own platform",
  );
  return [...rootFailures(claims, set), ...tdxSetFailures(claims, set, role)];
}

/**
 * **Security:** a development set is matched by its own simulated root only, and a real set by no simulated root.
 */
function rootFailures(claims: Claims, set: ReferenceValues): Failure[] {
  const { developmentRoot } = set;
  if (developmentRoot !== undefined && claims.root !== developmentRoot) {
    return [failure("root-not-of-set", developmentRoot, claims.root ?? "none")];
  }
  if (developmentRoot === undefined && claims.development) {
    return [failure("root-not-of-set", "the vendor's root", claims.root ?? "none")];
  }
  return [];
}

function firstKey(map: ReadonlyMap<string, unknown>): string {
  return [...map.keys()][0] ?? "";
}

function spanText(validity: { readonly notBefore: number; readonly notAfter: number }): string {
  return `${timeText(validity.notBefore)} to ${timeText(validity.notAfter)}`;
}

function timeText(millis: number): string {
  // Times outside what a Date holds stand for "no bound".
  return Math.abs(millis) > 8.64e15 ? "always" : new Date(millis).toISOString();
}
