import { beforeAll, describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import { Appraiser } from "../../../src/attestation/appraiser.ts";
import type { AppraisalPolicy } from "../../../src/attestation/policy/appraisal-policy.ts";
import { appraiseClaims } from "../../../src/attestation/policy/appraise-claims.ts";
import { type Verdict, allFailures } from "../../../src/attestation/verdict.ts";
import { NO_COLLATERAL } from "../../../src/attestation/verification.ts";
import { PROPER_SET, policyOf } from "../../support/attestation/policies.ts";
import {
  type MadeEvidence,
  NOW,
  POLICY_HASH,
  REPORT_DATA,
  type VendorKeys,
  makeEvidence,
  vendorKeys,
} from "../../support/attestation/snp-vendor.ts";

const DAY = 86_400_000;
let keys: VendorKeys;
let made: MadeEvidence;
let development: typeof PROPER_SET & { developmentRoot: Sha256 };

beforeAll(async () => {
  keys = await vendorKeys();
  made = await makeEvidence(keys);
  development = { ...PROPER_SET, developmentRoot: made.root };
});

async function appraise(
  policy: AppraisalPolicy,
  options: { readonly reportData?: Uint8Array; readonly evidence?: MadeEvidence } = {},
): Promise<Verdict> {
  const { verdict } = await new Appraiser().appraise((options.evidence ?? made).evidence, {
    collateral: NO_COLLATERAL,
    policy,
    now: NOW,
    expectedReportData: options.reportData ?? REPORT_DATA,
  });
  return verdict;
}

const codes = (verdict: Verdict): string[] => verdict.failures.map(({ code }) => code);

describe("an appraisal", () => {
  it("accepts matching evidence and says as whom", async () => {
    const verdict = await appraise(policyOf({ web: development }));
    expect(verdict).toMatchObject({
      accepted: true,
      identity: { policyHash: POLICY_HASH, role: "workload", referenceSet: "web" },
      failures: [],
      mismatches: [],
    });
  });

  it("takes the first matching set in the manifest's order", async () => {
    const other = { ...development, measurement: "00".repeat(48) };
    const verdict = await appraise(policyOf({ other, web: development, later: development }));
    expect(verdict.identity?.referenceSet).toBe("web");
    expect(verdict.mismatches).toEqual([]);
  });

  it("refuses evidence that is bound to something else", async () => {
    const verdict = await appraise(policyOf({ web: development }), {
      reportData: new Uint8Array(64),
    });
    expect(verdict.accepted).toBe(false);
    expect(codes(verdict)).toEqual(["report-data-mismatch"]);
  });

  it("compares no report data only when told so", async () => {
    const { verdict } = await new Appraiser().appraise(made.evidence, {
      collateral: NO_COLLATERAL,
      policy: policyOf({ web: development }),
      now: NOW,
      expectedReportData: undefined,
    });
    expect(verdict.accepted).toBe(true);
  });

  it("refuses a policy that the manifest does not have", async () => {
    const policy = policyOf({ web: development }, { hash: "00".repeat(32) as Sha256 });
    const verdict = await appraise(policy);
    expect(verdict.accepted).toBe(false);
    expect(codes(verdict)).toEqual(["policy-unknown"]);
  });

  it("tries only the sets that the policy names", async () => {
    const other = { ...development, measurement: "00".repeat(48) };
    const verdict = await appraise(
      policyOf({ other, web: development }, { policy: { referenceValues: ["other"] } }),
    );
    expect(codes(verdict)).toEqual(["no-reference-set"]);
    expect(verdict.mismatches.map(({ referenceSet }) => referenceSet)).toEqual(["other"]);
  });

  it("says of every set why it does not match", async () => {
    const verdict = await appraise(
      policyOf({
        code: { ...development, measurement: "00".repeat(48) },
        vmpl: { ...development, vmpl: 1, minimumGuestSvn: 9 },
      }),
    );
    expect(codes(verdict)).toEqual(["no-reference-set"]);
    expect(
      verdict.mismatches.map(({ referenceSet, failures }) => [
        referenceSet,
        failures.map(({ code }) => code),
      ]),
    ).toEqual([
      ["code", ["measurement-mismatch"]],
      ["vmpl", ["snp-vmpl", "snp-guest-svn"]],
    ]);
    expect(allFailures(verdict)).toHaveLength(4);
  });

  it("says that there is no set of the platform", async () => {
    const tdx = { platform: "tdx", mrtd: "00".repeat(48), developmentRoot: made.root };
    const verdict = await appraise(policyOf({ tdx }));
    expect(verdict.failures).toMatchObject([
      { code: "no-reference-set", expected: "a set for snp" },
    ]);
  });

  it("gives verification's failures and the sets' together", async () => {
    const evidence = await makeEvidence(keys, {
      report: { vmpl: 3 },
      quoteBytes: (quote) => quote.with(0x2a0, 1),
    });
    const verdict = await appraise(policyOf({ web: development }), { evidence });
    expect(allFailures(verdict).map(({ code }) => code)).toEqual([
      "snp-signature",
      "no-reference-set",
      "snp-vmpl",
    ]);
  });

  it("refuses unreadable evidence without claims", async () => {
    const evidence = await makeEvidence(keys, { quoteBytes: () => new Uint8Array(3) });
    const verdict = await appraise(policyOf({ web: development }), { evidence });
    expect(verdict).toMatchObject({ accepted: false, claims: undefined, mismatches: [] });
    expect(codes(verdict)).toEqual(["snp-report-length"]);
  });

  it("asserts that report data has 64 bytes", async () => {
    await expect(
      appraise(policyOf({ web: development }), { reportData: new Uint8Array(32) }),
    ).rejects.toThrow("report data has 64 bytes");
  });
});

describe("development evidence", () => {
  it("is refused unless the process was started for it", async () => {
    const verdict = await appraise(policyOf({ web: development }, { allowDevelopment: false }));
    expect(verdict.accepted).toBe(false);
    expect(codes(verdict)).toEqual(["development-not-allowed"]);
  });

  it("is refused if no set names its root", async () => {
    const verdict = await appraise(policyOf({ web: PROPER_SET }));
    expect(verdict.accepted).toBe(false);
    expect(codes(verdict)).toEqual(["root-untrusted"]);
  });

  it("is refused if the matching set names another root", async () => {
    const another = await makeEvidence({ ...keys, ark: (await vendorKeys()).ark });
    const policy = policyOf({
      mine: { ...development, measurement: "00".repeat(48) },
      theirs: { ...development, developmentRoot: another.root },
    });
    const verdict = await appraise(policy);
    expect(codes(verdict)).toEqual(["no-reference-set"]);
    expect(verdict.mismatches[1]?.failures.map(({ code }) => code)).toEqual(["root-not-of-set"]);
  });

  it("never matches a real set, even where its root is trusted", async () => {
    const { verified } = await new Appraiser().appraise(made.evidence, {
      collateral: NO_COLLATERAL,
      policy: policyOf({ web: development }),
      now: NOW,
      expectedReportData: REPORT_DATA,
    });
    const verdict = appraiseClaims(verified, policyOf({ web: PROPER_SET }), NOW);
    expect(verdict.accepted).toBe(false);
    expect(verdict.mismatches[0]?.failures.map(({ code }) => code)).toEqual(["root-not-of-set"]);
  });
});

describe("a later appraisal of the same claims", () => {
  it("follows the new policy without cryptography", async () => {
    const { verified } = await new Appraiser().appraise(made.evidence, {
      collateral: NO_COLLATERAL,
      policy: policyOf({ web: development }),
      now: NOW,
      expectedReportData: REPORT_DATA,
    });
    const stricter = policyOf({ web: { ...development, minimumGuestSvn: 9 } });
    expect(appraiseClaims(verified, policyOf({ web: development }), NOW).accepted).toBe(true);
    expect(codes(appraiseClaims(verified, stricter, NOW))).toEqual(["no-reference-set"]);
  });

  it("keeps a wrong report data in mind", async () => {
    const policy = policyOf({ web: development });
    const { verified } = await new Appraiser().appraise(made.evidence, {
      collateral: NO_COLLATERAL,
      policy,
      now: NOW,
      expectedReportData: new Uint8Array(64),
    });
    expect(codes(appraiseClaims(verified, policy, NOW))).toEqual(["report-data-mismatch"]);
  });

  it("refuses evidence that has outlived its certificates", async () => {
    const policy = policyOf({ web: development });
    const { verified } = await new Appraiser().appraise(made.evidence, {
      collateral: NO_COLLATERAL,
      policy,
      now: NOW,
      expectedReportData: REPORT_DATA,
    });
    expect(codes(appraiseClaims(verified, policy, NOW + 101 * DAY))).toEqual(["evidence-expired"]);
    expect(codes(appraiseClaims(verified, policy, NOW - 101 * DAY))).toEqual(["evidence-expired"]);
  });
});

describe("the appraiser's memory", () => {
  const contextAt = (now: number) => ({
    collateral: NO_COLLATERAL,
    now,
    developmentRoots: new Set([made.root]),
  });

  it("returns the same result for the same evidence", async () => {
    const appraiser = new Appraiser();
    const first = await appraiser.verify(made.evidence, contextAt(NOW));
    expect(await appraiser.verify(made.evidence, contextAt(NOW + 1))).toBe(first);
  });

  it("verifies again when time, collateral, roots or a single bit differ", async () => {
    const appraiser = new Appraiser();
    const first = await appraiser.verify(made.evidence, contextAt(NOW));
    expect(first.failures).toEqual([]);
    const expired = await appraiser.verify(made.evidence, contextAt(NOW + 101 * DAY));
    expect(expired.failures).not.toEqual([]);
    const strange = await appraiser.verify(made.evidence, {
      ...contextAt(NOW),
      developmentRoots: new Set(),
    });
    expect(strange.failures.map(({ code }) => code)).toEqual(["root-untrusted"]);
    const other = { ...NO_COLLATERAL, certificates: [made.ark] };
    const context = { ...contextAt(NOW), collateral: other };
    expect(await appraiser.verify(made.evidence, context)).not.toBe(first);
    const quote = made.evidence.quote.with(0x91, 1);
    const changed = await appraiser.verify({ ...made.evidence, quote }, contextAt(NOW));
    expect(changed.failures.map(({ code }) => code)).toEqual(["snp-signature"]);
  });
});
