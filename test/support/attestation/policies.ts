/** Appraisal policies for tests, from the JSON that a manifest would hold. */
import type { Sha256 } from "../../../src/core/brand.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { FaultSink, parseJson } from "../../../src/core/json/index.ts";
import { type ReferenceSets, referenceSets } from "../../../src/core/manifest/reference-values.ts";
import {
  type AppraisalPolicy,
  type AppraisedPolicy,
  appraisalPolicy,
} from "../../../src/attestation/policy/appraisal-policy.ts";
import { MEASUREMENT, POLICY_HASH } from "./snp-vendor.ts";

/** A set that the test vendor's proper Milan, Genoa and Turin evidence matches. */
export const PROPER_SET = {
  platform: "snp",
  measurement: MEASUREMENT,
  minimumTcb: {
    Milan: { bootloader: 4, tee: 1, snp: 24, microcode: 219 },
    Genoa: { bootloader: 4, tee: 1, snp: 24, microcode: 219 },
    Turin: { fmc: 2, bootloader: 4, tee: 1, snp: 24, microcode: 219 },
  },
};

/** Parses sets; throws if they have faults. */
export function sets(json: unknown): ReferenceSets {
  const faults = new FaultSink();
  const value = parseJson(utf8(JSON.stringify(json)), 1_000_000, faults);
  const parsed = value === undefined ? undefined : referenceSets(value, "$", faults);
  if (parsed === undefined || faults.count > 0) throw new Error(JSON.stringify(faults.list()));
  return parsed;
}

/** A policy that accepts {@link POLICY_HASH} with these sets. */
export function policyOf(
  referenceValues: unknown,
  options: {
    readonly policy?: Partial<AppraisedPolicy>;
    readonly hash?: Sha256;
    readonly allowDevelopment?: boolean;
  } = {},
): AppraisalPolicy {
  const policy: AppraisedPolicy = { role: "workload", ...options.policy };
  return appraisalPolicy(
    {
      policies: new Map([[options.hash ?? POLICY_HASH, policy]]),
      referenceValues: sets(referenceValues),
    },
    { allowDevelopment: options.allowDevelopment ?? true },
  );
}
