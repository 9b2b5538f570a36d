/** What a verifier accepts: the part of a manifest (or of a workload's own policy document) that appraisal needs. */
import type { Sha256 } from "../../core/brand.ts";
import type { ReferenceSets } from "../../core/manifest/reference-values.ts";

/** Coordinators get the mesh's secrets; workloads get certificates. */
export type PolicyRole = "workload" | "coordinator";

/** One policy of the manifest as far as appraisal needs it. */
export interface AppraisedPolicy {
  readonly role: PolicyRole;
  /** Names of the only sets that may match; `undefined`: any. */
  readonly referenceValues?: readonly string[] | undefined;
}

/** What is accepted. Make it once per manifest with {@link appraisalPolicy}. */
export interface AppraisalPolicy {
  readonly policies: ReadonlyMap<Sha256, AppraisedPolicy>;
  readonly referenceSets: ReferenceSets;
  /** True only on a coordinator started with `--insecure-dev-attestation`. */
  readonly allowDevelopment: boolean;
  /** The simulated roots that the sets name. */
  readonly developmentRoots: ReadonlySet<Sha256>;
}

/**
 * The appraisal policy of a manifest.
 *
 * **Security:** `allowDevelopment` comes from the process's own start flags, never from the manifest.
 */
export function appraisalPolicy(
  manifest: {
    readonly policies: ReadonlyMap<Sha256, AppraisedPolicy>;
    readonly referenceValues: ReferenceSets;
  },
  options: { readonly allowDevelopment: boolean },
): AppraisalPolicy {
  const roots = [...manifest.referenceValues.values()].map((set) => set.developmentRoot);
  return {
    policies: manifest.policies,
    referenceSets: manifest.referenceValues,
    allowDevelopment: options.allowDevelopment,
    developmentRoots: new Set(roots.filter((root) => root !== undefined)),
  };
}
