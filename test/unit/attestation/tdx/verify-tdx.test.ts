import { describe, expect, it } from "vitest";
import { CertificateCache } from "../../../../src/attestation/certificate-cache.ts";
import type { TdxClaims } from "../../../../src/attestation/claims.ts";
import { makeTdxDevelopmentVendor } from "../../../../src/attestation/dev/tdx-vendor.ts";
import { TDX_FAILURE_MEANINGS } from "../../../../src/attestation/tdx/failure-meanings.ts";
import { verifyTdx } from "../../../../src/attestation/tdx/verify-tdx.ts";
import type { VerifiedEvidence } from "../../../../src/attestation/verification.ts";
import { concat, utf8 } from "../../../../src/core/bytes.ts";
import {
  DAY,
  type MadeTdxEvidence,
  makeTdxEvidence,
  MEASUREMENT,
  NOW,
  POLICY_HASH,
  REPORT_DATA,
} from "../../../support/attestation/tdx-vendor.ts";
import {
  content,
  lists,
  moduleIdentity,
  platformLevel,
  PROPER,
  qeIdentity,
  RULES,
  serial,
  stranger,
  tcbInfo,
  yesterday,
} from "./rules.ts";

function verify(
  { evidence, collateral, root }: MadeTdxEvidence,
  cache = new CertificateCache(),
  now = NOW,
): Promise<VerifiedEvidence> {
  return verifyTdx(evidence, { collateral, now, developmentRoots: new Set([root]), cache });
}

const codes = ({ failures }: VerifiedEvidence): string[] => failures.map(({ code }) => code);
const tdx = ({ claims }: VerifiedEvidence): TdxClaims => claims as TdxClaims;

describe("a TDX quote with proper collateral", () => {
  it.each([4, 5] as const)("is genuine in version %i", async (version) => {
    const verified = await verify(await makeTdxEvidence({ version }));
    expect(verified.failures).toEqual([]);
    expect(verified.warnings).toEqual([]);
    expect(verified.claims).toMatchObject({
      platform: "tdx",
      quoteVersion: version,
      policyHash: POLICY_HASH,
      measurement: MEASUREMENT,
      reportData: Buffer.from(REPORT_DATA).toString("hex"),
      development: true,
      fmspc: "514d55000000",
      platformInstanceId: "51".repeat(16),
      tcb: { status: "UpToDate", advisories: [], evaluationDataNumber: 18 },
    });
    expect(verified.validity).toEqual({ notBefore: NOW - 10 * DAY, notAfter: NOW + 10 * DAY });
  });

  it("is genuine with the TD 1.5 body of version 5", async () => {
    const body = { teeTcbSvn2: "00".repeat(16), mrServiceTd: "05".repeat(48) };
    const verified = await verify(await makeTdxEvidence({ version: 5, body }));
    expect(verified.failures).toEqual([]);
    expect(tdx(verified).td.mrServiceTd).toBe("05".repeat(48));
  });

  it("is genuine with a NUL behind its chain, and with padding, which is reported", async () => {
    const made = await makeTdxEvidence({
      pckChainPem: (pem) => concat(pem, Uint8Array.of(0)),
      quoteBytes: (quote) => concat(quote, new Uint8Array(100)),
    });
    const verified = await verify(made);
    expect(verified.failures).toEqual([]);
    expect(verified.warnings).toEqual([{ message: "100 bytes behind the quote were ignored" }]);
  });

  it("is what the development platform issues", async () => {
    const vendor = await makeTdxDevelopmentVendor();
    const guest = { measurement: MEASUREMENT, policyHash: POLICY_HASH, reportData: REPORT_DATA };
    const { rootFingerprint: root, collateral } = vendor;
    const made = { evidence: await vendor.issue(guest), collateral, root };
    const verified = await verify(made, new CertificateCache(), Date.now());
    expect(verified.failures).toEqual([]);
    expect(verified.claims).toMatchObject({ root, development: true, measurement: MEASUREMENT });
  });

  it("is refused if nobody trusts its root", async () => {
    const { evidence, collateral } = PROPER;
    const context = { collateral, now: NOW, developmentRoots: new Set<never>() };
    const verified = await verifyTdx(evidence, { ...context, cache: new CertificateCache() });
    expect(codes(verified)).toEqual(["root-untrusted"]);
    expect(verified.claims?.development).toBe(false);
  });
});

describe.each(RULES)("the rules of %s", (_, rules) => {
  it.each(rules)("%s breaks exactly its rule", async (_name, deviations, expected) => {
    const verified = await verify(await makeTdxEvidence(deviations));
    expect([...new Set(codes(verified))].sort()).toEqual([...new Set(expected)].sort());
    expect(codes(verified).length).toBeGreaterThanOrEqual(expected.length);
    // A warm cache changes nothing.
    const cache = new CertificateCache();
    await verify(PROPER, cache);
    const made = await makeTdxEvidence(deviations);
    await verify(made, cache);
    expect(codes(await verify(made, cache)).sort()).toEqual(codes(verified).sort());
  });
});

it("every code of genuineness is brought about by some rule above", () => {
  const all = RULES.flatMap(([, rules]) => rules);
  const covered = new Set<string>(all.flatMap(([, , expected]) => expected));
  const names = Object.keys(TDX_FAILURE_MEANINGS);
  // The codes of sets follow; their tests are tdx-set.test.ts.
  const genuine = names.slice(0, names.indexOf("tdx-tcb-status"));
  expect(genuine.filter((code) => !covered.has(code))).toEqual([]);
});

it("all failures are reported at once", async () => {
  const made = await makeTdxEvidence({
    signers: { attestation: stranger, qeReport: stranger },
    certificates: { pck: yesterday },
    qeReport: { isvSvn: 1 },
    collateral: () => ({ tcbInfos: [] }),
  });
  expect(codes(await verify(made)).sort()).toEqual([
    "certificate-expired",
    "tdx-qe-report-signature",
    "tdx-qe-svn",
    "tdx-quote-signature",
    "tdx-tcb-info-missing",
  ]);
});

it("a module with a version of its own is not held to the first two TDX components", async () => {
  const components = [9, 9, 4, ...new Array<number>(13).fill(0)].map((svn) => ({ svn }));
  const verified = await verify(
    await makeTdxEvidence(platformLevel({ tdxtcbcomponents: components })),
  );
  expect(verified.failures).toEqual([]);
});

describe("of several pieces of collateral", () => {
  it("the good one counts, wherever it stands", async () => {
    const bad = await makeTdxEvidence({
      ...tcbInfo({ nextUpdate: "2026-05-31T00:00:00Z" }),
      signers: { authority: stranger },
    });
    for (const [first, second] of [
      [bad, PROPER],
      [PROPER, bad],
    ] as const) {
      const heap = {
        certificates: [...first.collateral.certificates, ...second.collateral.certificates],
        revocationLists: [
          ...first.collateral.revocationLists,
          ...second.collateral.revocationLists,
        ],
        tcbInfos: [utf8("junk"), ...first.collateral.tcbInfos, ...second.collateral.tcbInfos],
        qeIdentities: [...first.collateral.qeIdentities, ...second.collateral.qeIdentities],
      };
      const { evidence, root } = PROPER;
      expect(codes(await verify({ evidence, collateral: heap, root }))).toEqual([]);
    }
  });

  it("the newer revocation list counts", async () => {
    const newer = await makeTdxEvidence(
      lists(({ pckCrl }) => ({ pckCrl: { ...pckCrl, thisUpdate: NOW - DAY, revoked: serial(3) } })),
    );
    const revocationLists = [
      ...newer.collateral.revocationLists,
      ...PROPER.collateral.revocationLists,
    ];
    const made = { ...PROPER, collateral: { ...PROPER.collateral, revocationLists } };
    expect(codes(await verify(made))).toEqual(["certificate-revoked"]);
  });
});

describe("the converged status", () => {
  const moduleLevels = (status: string) =>
    moduleIdentity({
      tcbLevels: [{ tcb: { isvsvn: 6 }, tcbStatus: status, advisoryIDs: ["INTEL-SA-1"] }],
    });

  it.each([
    ["UpToDate", "OutOfDate", "OutOfDate"],
    ["SWHardeningNeeded", "OutOfDate", "OutOfDate"],
    ["SWHardeningNeeded", "UpToDate", "SWHardeningNeeded"],
    ["ConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"],
    ["ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"],
    ["ConfigurationAndSWHardeningNeeded", "UpToDate", "ConfigurationAndSWHardeningNeeded"],
    ["UpToDate", "Revoked", "Revoked"],
    ["Revoked", "UpToDate", "Revoked"],
    ["OutOfDate", "UpToDate", "OutOfDate"],
  ])("of platform %s and module %s is %s", async (platform, tdxModule, expected) => {
    const made = await makeTdxEvidence({
      content: (c) => {
        const withModule = moduleLevels(tdxModule).content!(c) as { tcbInfo: object };
        const [level] = content.tcbInfo["tcbLevels"] as object[];
        return {
          tcbInfo: { ...withModule.tcbInfo, tcbLevels: [{ ...level, tcbStatus: platform }] },
        };
      },
    });
    const verified = await verify(made);
    expect(verified.failures).toEqual([]);
    expect(tdx(verified).tcb).toMatchObject({ status: expected, advisories: ["INTEL-SA-1"] });
  });

  it("sinks with an outdated quoting enclave", async () => {
    const levels = [
      { tcb: { isvsvn: 5 }, tcbStatus: "UpToDate" },
      { tcb: { isvsvn: 3 }, tcbStatus: "OutOfDate", advisoryIDs: ["INTEL-SA-2"] },
    ];
    const verified = await verify(await makeTdxEvidence(qeIdentity({ tcbLevels: levels })));
    expect(tdx(verified).tcb).toMatchObject({ status: "OutOfDate", advisories: ["INTEL-SA-2"] });
  });

  it("comes from the first level that matches", async () => {
    const [level] = content.tcbInfo["tcbLevels"] as { tcb: object }[];
    const above = { ...level, tcb: { ...level!.tcb, pcesvn: 14 } };
    const tcbLevels = [above, { ...level, tcbStatus: "OutOfDate" }, level];
    const verified = await verify(await makeTdxEvidence(tcbInfo({ tcbLevels })));
    expect(tdx(verified).tcb?.status).toBe("OutOfDate");
  });

  it("rests on the older evaluation of the two documents", async () => {
    const verified = await verify(
      await makeTdxEvidence(qeIdentity({ tcbEvaluationDataNumber: 17 })),
    );
    expect(tdx(verified).tcb?.evaluationDataNumber).toBe(17);
  });
});
