import { describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { FaultSink, type Reader, parseJson } from "../../../../src/core/json/index.ts";
import { referenceSets, referenceValues } from "../../../../src/core/manifest/reference-values.ts";

const TCB = { bootloader: 4, tee: 0, snp: 22, microcode: 213 };
const SNP = { platform: "snp", measurement: "AB".repeat(48), minimumTcb: { Milan: TCB } };
const TDX = { platform: "tdx", mrtd: "cd".repeat(48) };
const ROOT = "0f".repeat(32);

function run<T>(reader: Reader<T>, json: unknown) {
  const faults = new FaultSink();
  const value = parseJson(utf8(JSON.stringify(json)), 1_000_000, faults);
  const read = value === undefined ? undefined : reader(value, "$", faults);
  return { read, faults: faults.list().map(({ path, message }) => `${path} ${message}`) };
}

describe("a set for SEV-SNP", () => {
  it("gets strict defaults for everything that is left out", () => {
    const { read, faults } = run(referenceValues, SNP);
    expect(faults).toEqual([]);
    expect(read).toEqual({
      platform: "snp",
      developmentRoot: undefined,
      measurement: "ab".repeat(48),
      minimumTcb: new Map([["Milan", { fmc: 0, ...TCB }]]),
      vmpl: 0,
      guestPolicy: {
        allowDebug: false,
        allowMigrationAgent: false,
        allowCxl: false,
        allowSmt: true,
        requireSingleSocket: false,
        requireAes256Xts: false,
        requireRaplDisabled: false,
        requireCiphertextHiding: false,
        requirePageSwapDisabled: false,
        minimumAbi: { major: 0, minor: 0 },
      },
      platformInfo: new Map(),
      allowProvisionalFirmware: false,
      requireRevocationCheck: false,
      signingKeys: ["vcek", "vlek"],
      cspIds: undefined,
      chipIds: undefined,
      minimumGuestSvn: 0,
      familyId: undefined,
      imageId: undefined,
      idKeyDigest: undefined,
      authorKeyDigest: undefined,
    });
  });

  it("reads every field", () => {
    const { read, faults } = run(referenceValues, {
      ...SNP,
      developmentRoot: ROOT,
      minimumTcb: { Milan: TCB, Turin: { fmc: 1, ...TCB } },
      vmpl: 2,
      guestPolicy: { allowDebug: true, allowSmt: false, minimumAbi: { major: 1, minor: 55 } },
      platformInfo: { smt: false, aliasCheckComplete: true },
      allowProvisionalFirmware: true,
      requireRevocationCheck: true,
      signingKeys: ["vlek"],
      cspIds: ["cloud"],
      chipIds: ["11".repeat(64)],
      minimumGuestSvn: 7,
      familyId: "22".repeat(16),
      imageId: "33".repeat(16),
      idKeyDigest: "44".repeat(48),
      authorKeyDigest: "55".repeat(48),
    });
    expect(faults).toEqual([]);
    expect(read).toMatchObject({
      developmentRoot: ROOT,
      vmpl: 2,
      guestPolicy: { allowDebug: true, allowSmt: false, minimumAbi: { major: 1, minor: 55 } },
      platformInfo: new Map([
        ["smt", false],
        ["aliasCheckComplete", true],
      ]),
      allowProvisionalFirmware: true,
      requireRevocationCheck: true,
      signingKeys: ["vlek"],
      cspIds: ["cloud"],
      chipIds: ["11".repeat(64)],
      minimumGuestSvn: 7,
      familyId: "22".repeat(16),
      imageId: "33".repeat(16),
      idKeyDigest: "44".repeat(48),
      authorKeyDigest: "55".repeat(48),
    });
  });

  it("reports all faults at once, each with its path", () => {
    const { read, faults } = run(referenceValues, {
      platform: "snp",
      measurement: "ab",
      minimumTcb: { Milan: { ...TCB, fmc: 1 }, Turin: TCB, Rome: TCB, Genoa: { ...TCB, tee: 256 } },
      vmpl: 4,
      guestPolicy: { allowDebug: "yes", minimumAbi: { major: 1 }, allowAll: true },
      platformInfo: { bit6: true },
      chipIds: [],
      mrtd: "00",
    });
    expect(read).toBeUndefined();
    expect(faults.map((fault) => fault.split(" ")[0])).toEqual([
      "$.measurement",
      "$.minimumTcb.Milan.fmc",
      "$.minimumTcb.Genoa.tee",
      "$.minimumTcb.Turin.fmc",
      "$.minimumTcb.Rome",
      "$.vmpl",
      "$.guestPolicy.allowDebug",
      "$.guestPolicy.minimumAbi.minor",
      "$.guestPolicy.allowAll",
      "$.platformInfo.bit6",
      "$.chipIds",
      "$.mrtd",
    ]);
  });

  it("needs a measurement and a minimum TCB", () => {
    expect(run(referenceValues, { platform: "snp" }).faults).toEqual([
      "$.measurement is missing",
      "$.minimumTcb is missing",
    ]);
    expect(run(referenceValues, { ...SNP, minimumTcb: {} }).faults).toEqual([
      "$.minimumTcb must have at least one of Milan, Genoa, Turin",
    ]);
  });
});

describe("a set for TDX", () => {
  it("gets strict defaults for everything that is left out", () => {
    const { read, faults } = run(referenceValues, TDX);
    expect(faults).toEqual([]);
    expect(read).toMatchObject({
      platform: "tdx",
      developmentRoot: undefined,
      mrtd: "cd".repeat(48),
      mrServiceTd: undefined,
      allowMigratable: false,
      requireSeptVeDisable: true,
      tcbStatuses: ["UpToDate", "SWHardeningNeeded"],
      acceptedAdvisories: undefined,
      minimumTcbEvaluationDataNumber: 0,
    });
  });

  it("reads masks, advisories and statuses", () => {
    const { read, faults } = run(referenceValues, {
      ...TDX,
      rtmr2: "EE".repeat(48),
      xfam: { value: "e702060000000000" },
      tdAttributes: { value: "0000001000000000", mask: "ff0000ff00000000" },
      tcbStatuses: ["UpToDate"],
      acceptedAdvisories: [],
      platformInstanceIds: ["99".repeat(16)],
    });
    expect(faults).toEqual([]);
    expect(read).toMatchObject({
      rtmr2: "ee".repeat(48),
      xfam: { value: "e702060000000000", mask: "ffffffffffffffff" },
      tdAttributes: { value: "0000001000000000", mask: "ff0000ff00000000" },
      tcbStatuses: ["UpToDate"],
      acceptedAdvisories: [],
      platformInstanceIds: ["99".repeat(16)],
    });
  });

  it("can never accept a revoked platform", () => {
    expect(run(referenceValues, { ...TDX, tcbStatuses: ["Revoked"] }).faults[0]).toContain(
      "$.tcbStatuses[0] must be",
    );
  });

  it("refuses advisories and values of another form", () => {
    expect(
      run(referenceValues, {
        ...TDX,
        mrtd: "cd",
        acceptedAdvisories: ["CVE-2024-1"],
        xfam: { mask: "00" },
        measurement: "00",
      }).faults.map((fault) => fault.split(" ")[0]),
    ).toEqual([
      "$.mrtd",
      "$.xfam.value",
      "$.xfam.mask",
      "$.acceptedAdvisories[0]",
      "$.measurement",
    ]);
  });
});

describe("a set's platform", () => {
  it.each([
    ["missing", { measurement: "" }, "$.platform is missing"],
    ["unknown", { platform: "sgx", foo: 1 }, '$.platform must be "snp" or "tdx", not "sgx"'],
    ["not a string", { platform: 1 }, '$.platform must be "snp" or "tdx", not a number'],
  ])("is the only fault when it is %s", (_name, json, fault) => {
    expect(run(referenceValues, json).faults).toEqual([fault]);
  });

  it("needs an object around it", () => {
    expect(run(referenceValues, []).faults).toEqual(["$ must be an object, not an array"]);
  });
});

describe("the map of sets", () => {
  it("keeps the manifest's order", () => {
    const { read, faults } = run(referenceSets, { "web-2": SNP, a: TDX, "0": SNP });
    expect(faults).toEqual([]);
    // JSON.stringify puts integer-like keys first.
    expect([...(read?.keys() ?? [])]).toEqual(["0", "web-2", "a"]);
  });

  it("may hold development sets or real ones, never both", () => {
    const development = { ...SNP, developmentRoot: ROOT };
    expect(
      run(referenceSets, { a: development, b: { ...TDX, developmentRoot: ROOT } }).faults,
    ).toEqual([]);
    const mixed = run(referenceSets, { a: development, b: SNP });
    expect(mixed.read).toBeUndefined();
    expect(mixed.faults).toEqual([
      "$ must not mix development sets (with developmentRoot) and real ones",
    ]);
  });

  it("refuses no sets, too many sets and odd names", () => {
    expect(run(referenceSets, {}).faults).toHaveLength(1);
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`s${i}`, SNP]));
    expect(run(referenceSets, many).faults).toEqual(["$ must have 1 to 64 members, and has 65"]);
    expect(run(referenceSets, { Web: SNP, "a b": SNP, ["x".repeat(64)]: SNP }).faults).toHaveLength(
      3,
    );
  });
});
