import { describe, expect, it } from "vitest";
import { CertificateCache } from "../../../../src/attestation/certificate-cache.ts";
import type { TdxClaims } from "../../../../src/attestation/claims.ts";
import { TDX_FAILURE_MEANINGS } from "../../../../src/attestation/tdx/failure-meanings.ts";
import { tdxSetFailures } from "../../../../src/attestation/tdx/tdx-set.ts";
import { verifyTdx } from "../../../../src/attestation/tdx/verify-tdx.ts";
import { FaultSink, parseJson } from "../../../../src/core/json/index.ts";
import { referenceValues } from "../../../../src/core/manifest/reference-values.ts";
import type { TdxReferenceValues } from "../../../../src/core/manifest/tdx-reference-values.ts";
import { utf8 } from "../../../../src/core/bytes.ts";
import { makeTdxEvidence, MEASUREMENT, NOW } from "../../../support/attestation/tdx-vendor.ts";

const { evidence, collateral, root } = await makeTdxEvidence();
const verified = await verifyTdx(evidence, {
  collateral,
  now: NOW,
  developmentRoots: new Set([root]),
  cache: new CertificateCache(),
});
const CLAIMS = verified.claims as TdxClaims;
const ZERO = "00".repeat(48);
const OTHER = "01".repeat(48);

function set(fields: object): TdxReferenceValues {
  const faults = new FaultSink();
  const json = utf8(JSON.stringify({ platform: "tdx", mrtd: MEASUREMENT, ...fields }));
  const read = referenceValues(parseJson(json, 10_000, faults)!, "$", faults);
  expect(faults.list()).toEqual([]);
  if (read?.platform !== "tdx") throw new Error("no TDX set");
  return read;
}

type Change = Omit<Partial<TdxClaims>, "td"> & { readonly td?: Partial<TdxClaims["td"]> };

function codes(
  change: Change,
  fields: object,
  role: "workload" | "coordinator" = "workload",
): readonly string[] {
  const claims = { ...CLAIMS, ...change, td: { ...CLAIMS.td, ...change.td } };
  return tdxSetFailures(claims, set(fields), role).map(({ code }) => code);
}

const status = (name: "OutOfDate" | "ConfigurationNeeded", advisories: string[] = []): Change => ({
  tcb: { status: name, advisories, evaluationDataNumber: 18 },
});
const everything = {
  rtmr0: ZERO,
  rtmr1: ZERO,
  rtmr2: ZERO,
  rtmr3: ZERO,
  mrSeam: "53".repeat(48),
  mrConfigId: CLAIMS.td.mrConfigId,
  mrOwner: ZERO,
  mrOwnerConfig: ZERO,
  mrServiceTd: ZERO,
  tdAttributes: { value: "0000001000000000" },
  xfam: { value: "e702060000000000" },
  minimumTcbEvaluationDataNumber: 18,
  acceptedAdvisories: [],
  platformInstanceIds: ["51".repeat(16)],
};

const RULES: readonly (readonly [string, string, Change, object])[] = [
  ["another MRTD", "measurement-mismatch", {}, { mrtd: OTHER }],
  ["another RTMR 0", "tdx-rtmr", {}, { rtmr0: OTHER }],
  ["another RTMR 1", "tdx-rtmr", {}, { rtmr1: OTHER }],
  ["another RTMR 2", "tdx-rtmr", {}, { rtmr2: OTHER }],
  ["another RTMR 3", "tdx-rtmr", {}, { rtmr3: OTHER }],
  ["another TDX module", "tdx-mrseam", {}, { mrSeam: OTHER }],
  ["another MRCONFIGID", "tdx-mrconfigid", {}, { mrConfigId: OTHER }],
  ["another MROWNER", "tdx-mrowner", {}, { mrOwner: OTHER }],
  ["another MROWNERCONFIG", "tdx-mrownerconfig", {}, { mrOwnerConfig: OTHER }],
  ["a service TD that nobody asked for", "tdx-mrservicetd", { td: { mrServiceTd: OTHER } }, {}],
  ["no service TD although one is demanded", "tdx-mrservicetd", {}, { mrServiceTd: OTHER }],
  ["debug", "tdx-debug", { td: { tdAttributes: "0100001000000000" } }, {}],
  [
    "another bit of debugging",
    "tdx-untrusted-bits",
    { td: { tdAttributes: "8000001000000000" } },
    {},
  ],
  ["migratable", "tdx-migratable", { td: { tdAttributes: "0000003000000000" } }, {}],
  ["#VE on private pages", "tdx-sept-ve-disable", { td: { tdAttributes: "0000000000000000" } }, {}],
  ["other attributes", "tdx-attributes", {}, { tdAttributes: { value: "0000001000000080" } }],
  ["other features", "tdx-xfam", {}, { xfam: { value: "e702060000000001" } }],
  ["an outdated platform", "tdx-tcb-status", status("OutOfDate"), {}],
  ["a platform that needs configuration", "tdx-tcb-status", status("ConfigurationNeeded"), {}],
  [
    "an advisory that is not accepted",
    "tdx-tcb-advisory",
    status("OutOfDate", ["INTEL-SA-00001", "INTEL-SA-00002"]),
    { tcbStatuses: ["OutOfDate"], acceptedAdvisories: ["INTEL-SA-00001"] },
  ],
  ["an older evaluation", "tdx-tcb-evaluation", {}, { minimumTcbEvaluationDataNumber: 19 }],
  ["another machine", "tdx-platform-instance", {}, { platformInstanceIds: ["00".repeat(16)] }],
  [
    "a machine without a name",
    "tdx-platform-instance",
    { platformInstanceId: undefined },
    { platformInstanceIds: ["51".repeat(16)] },
  ],
];

describe("a genuine TD against a set", () => {
  it("matches the set that demands its measurement only", () => {
    expect(codes({}, {})).toEqual([]);
  });

  it("matches the set that demands everything that it is", () => {
    expect(codes({}, everything, "coordinator")).toEqual([]);
  });

  it.each(RULES)("differs by %s: exactly %s", (_, code, change, fields) => {
    expect(codes(change, fields)).toEqual([code]);
  });

  it.each([
    ["an outdated platform", status("OutOfDate"), { tcbStatuses: ["OutOfDate"] }],
    [
      "accepted advisories",
      status("OutOfDate", ["INTEL-SA-00001"]),
      { tcbStatuses: ["OutOfDate"], acceptedAdvisories: ["INTEL-SA-00001"] },
    ],
    ["a migratable TD", { td: { tdAttributes: "0000003000000000" } }, { allowMigratable: true }],
    [
      "#VE on private pages",
      { td: { tdAttributes: "0000000000000000" } },
      { requireSeptVeDisable: false },
    ],
    ["a demanded service TD", { td: { mrServiceTd: OTHER } }, { mrServiceTd: OTHER }],
    [
      "bits outside the mask",
      {},
      { tdAttributes: { value: "ff00001000000000", mask: "00ffffffffffffff" } },
    ],
    [
      "features outside the mask",
      {},
      { xfam: { value: "0000000000000000", mask: "1000000000000000" } },
    ],
  ] satisfies (readonly [string, Change, object])[])("may be allowed %s", (_, change, fields) => {
    expect(codes(change, fields)).toEqual([]);
  });

  it("is never a migratable coordinator", () => {
    const migratable = { td: { tdAttributes: "0000003000000000" } };
    expect(codes(migratable, { allowMigratable: true }, "coordinator")).toEqual(["tdx-migratable"]);
  });

  it("shows everything that is wrong at once", () => {
    const change = {
      td: { tdAttributes: "0300000000000000", mrOwner: OTHER },
      ...status("OutOfDate"),
    };
    expect(codes(change, { mrtd: OTHER, mrOwner: ZERO, rtmr3: OTHER })).toEqual([
      "measurement-mismatch",
      "tdx-rtmr",
      "tdx-mrowner",
      "tdx-debug",
      "tdx-untrusted-bits",
      "tdx-sept-ve-disable",
      "tdx-tcb-status",
    ]);
  });

  it("has a rule above for every code of sets", () => {
    const names = Object.keys(TDX_FAILURE_MEANINGS);
    const covered = new Set(RULES.map(([, code]) => code));
    const ofSets = names.slice(names.indexOf("tdx-tcb-status"));
    expect(ofSets.filter((code) => !covered.has(code))).toEqual([]);
  });
});
