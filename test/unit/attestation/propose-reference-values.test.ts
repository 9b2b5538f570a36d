import { beforeAll, describe, expect, it } from "vitest";
import { Appraiser } from "../../../src/attestation/appraiser.ts";
import { proposeReferenceValues } from "../../../src/attestation/propose-reference-values.ts";
import { NO_COLLATERAL } from "../../../src/attestation/verification.ts";
import { policyOf } from "../../support/attestation/policies.ts";
import {
  type Deviations,
  NOW,
  type VendorKeys,
  makeEvidence,
  vendorKeys,
} from "../../support/attestation/snp-vendor.ts";

let keys: VendorKeys;
beforeAll(async () => {
  keys = await vendorKeys();
});

describe("proposed reference values", () => {
  it.each([
    ["Milan", {}],
    ["Turin", { line: "Turin" }],
    ["a VLEK", { signingKey: "vlek" }],
    ["a debug guest below a paravisor", { report: { policy: 0xa_001fn, vmpl: 2 } }],
    [
      "provisional firmware with an older committed TCB",
      { report: { committedTcb: "03010000000018db" } },
    ],
    ["provisional firmware by build", { report: { currentFirmware: [30, 55, 1] } }],
  ] satisfies [string, Deviations][])(
    "are matched by the evidence: %s",
    async (_what, deviations) => {
      const { evidence, root } = await makeEvidence(keys, deviations);
      const appraiser = new Appraiser();
      const context = { collateral: NO_COLLATERAL, now: NOW, developmentRoots: new Set([root]) };
      const { claims } = await appraiser.verify(evidence, context);
      const { verdict } = await appraiser.appraise(evidence, {
        ...context,
        policy: policyOf({ proposed: proposeReferenceValues(claims!) }),
        expectedReportData: undefined,
      });
      expect(verdict.mismatches).toEqual([]);
      expect(verdict.accepted).toBe(true);
    },
  );

  it("are not matched by evidence with an older TCB, another measurement or a laxer guest", async () => {
    const appraiser = new Appraiser();
    const proper = await makeEvidence(keys, { report: { policy: 0x2_001fn } });
    const context = {
      collateral: NO_COLLATERAL,
      now: NOW,
      developmentRoots: new Set([proper.root]),
    };
    const { claims } = await appraiser.verify(proper.evidence, context);
    const policy = policyOf({ proposed: proposeReferenceValues(claims!) });
    const codes = async (deviations: Deviations): Promise<string[]> => {
      const { evidence } = await makeEvidence(keys, deviations);
      const appraisal = await appraiser.appraise(evidence, {
        ...context,
        policy,
        expectedReportData: undefined,
      });
      return appraisal.verdict.mismatches.flatMap(({ failures }) =>
        failures.map(({ code }) => code),
      );
    };
    expect(await codes({ report: { policy: 0x2_001fn, measurement: "" } })).toEqual([
      "measurement-mismatch",
    ]);
    expect(await codes({ report: { policy: 0x3_001en } })).toEqual([
      "snp-policy-smt",
      "snp-policy-abi",
    ]);
    expect(await codes({ report: { policy: 0x2_001fn, launchTcb: "04010000000017db" } })).toEqual([
      "snp-tcb-minimum",
    ]);
  });
});
