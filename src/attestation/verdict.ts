/** The outcome of an appraisal: accepted or not, as whom, and every reason. */
import type { Sha256 } from "../core/brand.ts";
import type { Fault } from "../core/errors.ts";
import type { Claims } from "./claims.ts";
import type { Failure } from "./failure.ts";
import type { PolicyRole } from "./policy/appraisal-policy.ts";
import type { Validity, Warning } from "./verification.ts";

/** Who the evidence's owner is: a policy and the set of reference values that it matched. */
export interface AppraisedIdentity {
  readonly policyHash: Sha256;
  readonly role: PolicyRole;
  /** Name of the first set that matched. */
  readonly referenceSet: string;
}

/** Why one set does not match. */
export interface SetMismatch {
  readonly referenceSet: string;
  readonly failures: readonly Failure[];
}

/** The verdict on one piece of evidence. */
export interface Verdict {
  /** True exactly if `identity` is there; then `failures` and `mismatches` are empty. */
  readonly accepted: boolean;
  readonly identity: AppraisedIdentity | undefined;
  /** What the evidence says, proved or not; `undefined` if it cannot be read. */
  readonly claims: Claims | undefined;
  /** Everything that is wrong whichever set is taken; with `no-reference-set` if none matches. */
  readonly failures: readonly Failure[];
  /** If no set matches: what is wrong with each one that the policy accepts, in the manifest's order. */
  readonly mismatches: readonly SetMismatch[];
  readonly warnings: readonly Warning[];
  /** How long the verification behind the verdict holds. */
  readonly validity: Validity;
}

/** All failures of a verdict, those of the sets included. */
export function allFailures(verdict: Verdict): readonly Failure[] {
  return [...verdict.failures, ...verdict.mismatches.flatMap(({ failures }) => failures)];
}

/** All failures as an error reports them: the code in the place of a path. */
export function failureFaults(verdict: Verdict): readonly Fault[] {
  return allFailures(verdict).map(({ code, message, expected, found }) => ({
    path: code,
    message: `${message} (expected ${expected}, found ${found})`,
  }));
}
