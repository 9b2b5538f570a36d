import { beforeAll, describe, expect, it } from "vitest";
import type { SnpReferenceValues } from "../../../../src/core/manifest/snp-reference-values.ts";
import { CertificateCache } from "../../../../src/attestation/certificate-cache.ts";
import type { SnpClaims } from "../../../../src/attestation/claims.ts";
import type { FailureCode } from "../../../../src/attestation/failure.ts";
import type { PolicyRole } from "../../../../src/attestation/policy/appraisal-policy.ts";
import { snpSetFailures } from "../../../../src/attestation/snp/snp-set.ts";
import { verifySnp } from "../../../../src/attestation/snp/verify-snp.ts";
import { NO_COLLATERAL } from "../../../../src/attestation/verification.ts";
import { PROPER_SET, sets } from "../../../support/attestation/policies.ts";
import {
  CHIP_ID,
  type Deviations,
  NOW,
  type VendorKeys,
  makeEvidence,
  makeRevocationList,
  vendorKeys,
} from "../../../support/attestation/snp-vendor.ts";

let keys: VendorKeys;
beforeAll(async () => {
  keys = await vendorKeys();
});

async function claimsOf(
  deviations: Deviations,
  revocationLists: readonly Uint8Array[] = [],
): Promise<SnpClaims> {
  const { evidence, root } = await makeEvidence(keys, deviations);
  const { claims, failures } = await verifySnp(evidence, {
    collateral: { ...NO_COLLATERAL, revocationLists },
    now: NOW,
    developmentRoots: new Set([root]),
    cache: new CertificateCache(),
  });
  expect(failures).toEqual([]);
  return claims as SnpClaims;
}

const setOf = (changes: object): SnpReferenceValues =>
  sets({ a: { ...PROPER_SET, ...changes } }).get("a") as SnpReferenceValues;

const bit = (number: number): bigint => 0x3_001fn | (1n << BigInt(number));
const guest = (policy: bigint): Deviations => ({ report: { policy } });
const demand = (field: string): object => ({ guestPolicy: { [field]: true } });
const VLEK: Deviations = { signingKey: "vlek" };
const minimum = (line: string, tcb: object): object => ({
  minimumTcb: {
    [line]: { bootloader: 0, tee: 0, snp: 0, microcode: 0, ...tcb },
  },
});

/** What breaks the rule, and which evidence or set would keep it. */
const rules: [string, FailureCode, Deviations, object, { evidence?: Deviations; set?: object }][] =
  [
    ["other code", "measurement-mismatch", {}, { measurement: "00".repeat(48) }, { set: {} }],
    [
      "a product line without minimum",
      "snp-product-not-allowed",
      { line: "Genoa" },
      minimum("Milan", {}),
      { set: minimum("Genoa", {}) },
    ],
    [
      "a bootloader below the minimum",
      "snp-tcb-minimum",
      {},
      minimum("Milan", { bootloader: 5 }),
      { set: minimum("Milan", { bootloader: 4 }) },
    ],
    [
      "a TEE below the minimum",
      "snp-tcb-minimum",
      {},
      minimum("Milan", { tee: 2 }),
      { set: minimum("Milan", { tee: 1 }) },
    ],
    [
      "an SNP firmware below the minimum",
      "snp-tcb-minimum",
      {},
      minimum("Milan", { snp: 25 }),
      { set: minimum("Milan", { snp: 24 }) },
    ],
    [
      "a microcode below the minimum",
      "snp-tcb-minimum",
      {},
      minimum("Milan", { microcode: 220 }),
      { set: minimum("Milan", { microcode: 219 }) },
    ],
    [
      "an FMC below the minimum",
      "snp-tcb-minimum",
      { line: "Turin" },
      minimum("Turin", { fmc: 3 }),
      { set: minimum("Turin", { fmc: 2 }) },
    ],
    [
      "only the committed TCB below the minimum",
      "snp-tcb-minimum",
      { report: { committedTcb: "03010000000018db" } },
      { allowProvisionalFirmware: true },
      { evidence: {} },
    ],
    [
      "only the launch TCB below the minimum",
      "snp-tcb-minimum",
      { report: { launchTcb: "040100000000ffda" } },
      {},
      { evidence: {} },
    ],
    [
      "provisional firmware by its TCB",
      "snp-firmware-provisional",
      { report: { currentTcb: "05010000000018db" } },
      {},
      { set: { allowProvisionalFirmware: true } },
    ],
    [
      "provisional firmware by its build",
      "snp-firmware-provisional",
      { report: { currentFirmware: [30, 55, 1] } },
      {},
      { set: { allowProvisionalFirmware: true } },
    ],
    ["a paravisor's guest", "snp-vmpl", { report: { vmpl: 2 } }, {}, { set: { vmpl: 2 } }],
    ["a paravisor where a guest is expected", "snp-vmpl", {}, { vmpl: 2 }, { set: {} }],
    ["a debug guest", "snp-policy-debug", guest(bit(19)), {}, { set: demand("allowDebug") }],
    [
      "a migration agent",
      "snp-policy-migration",
      guest(bit(18)),
      {},
      { set: demand("allowMigrationAgent") },
    ],
    ["CXL", "snp-policy-cxl", guest(bit(21)), {}, { set: demand("allowCxl") }],
    [
      "SMT",
      "snp-policy-smt",
      {},
      { guestPolicy: { allowSmt: false } },
      { evidence: guest(0x2_001fn) },
    ],
    [
      "several sockets",
      "snp-policy-single-socket",
      {},
      demand("requireSingleSocket"),
      { evidence: guest(bit(20)) },
    ],
    [
      "AES-128",
      "snp-policy-aes-256-xts",
      {},
      demand("requireAes256Xts"),
      { evidence: guest(bit(22)) },
    ],
    [
      "power reporting",
      "snp-policy-rapl",
      {},
      demand("requireRaplDisabled"),
      { evidence: guest(bit(23)) },
    ],
    [
      "visible ciphertext",
      "snp-policy-ciphertext-hiding",
      {},
      demand("requireCiphertextHiding"),
      { evidence: guest(bit(24)) },
    ],
    [
      "page swap",
      "snp-policy-page-swap",
      {},
      demand("requirePageSwapDisabled"),
      { evidence: guest(bit(25)) },
    ],
    [
      "an old minor interface",
      "snp-policy-abi",
      {},
      { guestPolicy: { minimumAbi: { major: 0, minor: 32 } } },
      { evidence: guest(0x3_0020n) },
    ],
    [
      "an old major interface",
      "snp-policy-abi",
      {},
      { guestPolicy: { minimumAbi: { major: 1, minor: 0 } } },
      { evidence: guest(0x3_0100n) },
    ],
    [
      "SMT on the host",
      "snp-platform-info",
      {},
      { platformInfo: { smt: false } },
      { evidence: { report: { platformInfo: 0x24n } } },
    ],
    [
      "no TSME",
      "snp-platform-info",
      {},
      { platformInfo: { tsme: true } },
      { evidence: { report: { platformInfo: 2n } } },
    ],
    [
      "no ECC",
      "snp-platform-info",
      { report: { platformInfo: 0n } },
      { platformInfo: { ecc: true } },
      { evidence: {} },
    ],
    [
      "RAPL on",
      "snp-platform-info",
      {},
      { platformInfo: { raplDisabled: true } },
      { evidence: { report: { platformInfo: 8n } } },
    ],
    [
      "no ciphertext hiding",
      "snp-platform-info",
      {},
      { platformInfo: { ciphertextHiding: true } },
      { evidence: { report: { platformInfo: 0x10n } } },
    ],
    [
      "no alias check",
      "snp-platform-info",
      { report: { platformInfo: 0n } },
      { platformInfo: { aliasCheckComplete: true } },
      { evidence: {} },
    ],
    [
      "TIO",
      "snp-platform-info",
      { report: { platformInfo: 0x80n } },
      { platformInfo: { tio: false } },
      { evidence: {} },
    ],
    [
      "no revocation list",
      "revocation-list-missing",
      {},
      { requireRevocationCheck: true },
      { set: {} },
    ],
    ["a VLEK", "snp-signing-key-not-allowed", VLEK, { signingKeys: ["vcek"] }, { evidence: {} }],
    ["a VCEK", "snp-signing-key-not-allowed", {}, { signingKeys: ["vlek"] }, { evidence: VLEK }],
    [
      "another provider",
      "snp-csp-not-allowed",
      VLEK,
      { cspIds: ["other.example"] },
      { set: { cspIds: ["other.example", "cloud.example"] } },
    ],
    ["no provider", "snp-csp-not-allowed", {}, { cspIds: ["cloud.example"] }, { evidence: VLEK }],
    [
      "another chip",
      "snp-chip-not-allowed",
      {},
      { chipIds: ["00".repeat(64)] },
      { set: { chipIds: [CHIP_ID] } },
    ],
    [
      "a VLEK where chips are listed",
      "snp-chip-not-allowed",
      VLEK,
      { chipIds: [CHIP_ID] },
      { evidence: {} },
    ],
    ["an old guest", "snp-guest-svn", {}, { minimumGuestSvn: 8 }, { set: { minimumGuestSvn: 7 } }],
    [
      "another family",
      "snp-family-id",
      {},
      { familyId: "01".repeat(16) },
      { evidence: { report: { familyId: "01".repeat(16) } } },
    ],
    [
      "another image",
      "snp-image-id",
      {},
      { imageId: "01".repeat(16) },
      { evidence: { report: { imageId: "01".repeat(16) } } },
    ],
    [
      "another id key",
      "snp-id-key",
      {},
      { idKeyDigest: "01".repeat(48) },
      { evidence: { report: { idKeyDigest: "01".repeat(48) } } },
    ],
    [
      "another author key",
      "snp-author-key",
      {},
      { authorKeyDigest: "01".repeat(48) },
      { evidence: { report: { authorKeyDigest: "01".repeat(48) } } },
    ],
  ];

describe("a set for SEV-SNP", () => {
  it.each(["Milan", "Genoa", "Turin"] as const)(
    "is matched by proper evidence of %s",
    async (line) => {
      expect(snpSetFailures(await claimsOf({ line }), setOf({}), "workload")).toEqual([]);
    },
  );

  it.each(rules)("is not matched by %s: %s", async (_what, code, evidence, set, kept) => {
    const codes = (failures: readonly { code: string }[]): string[] => [
      ...new Set(failures.map((each) => each.code)),
    ];
    const claims = await claimsOf(evidence);
    expect(codes(snpSetFailures(claims, setOf(set), "workload"))).toEqual([code]);
    const keptClaims = await claimsOf(kept.evidence ?? evidence);
    expect(codes(snpSetFailures(keptClaims, setOf(kept.set ?? set), "workload"))).toEqual([]);
  });

  it("never accepts a migration agent for the coordinator role", async () => {
    const claims = await claimsOf(guest(bit(18)));
    const set = setOf({ guestPolicy: { allowMigrationAgent: true } });
    const codesFor = (role: PolicyRole): string[] =>
      snpSetFailures(claims, set, role).map(({ code }) => code);
    expect(codesFor("workload")).toEqual([]);
    expect(codesFor("coordinator")).toEqual(["snp-policy-migration"]);
  });

  it("that demands revocation is matched with a current list", async () => {
    const list = await makeRevocationList(keys.ark.privateKey);
    const claims = await claimsOf({}, [list]);
    expect(snpSetFailures(claims, setOf({ requireRevocationCheck: true }), "workload")).toEqual([]);
  });

  it("names each component of each TCB that is too old", async () => {
    const failures = snpSetFailures(
      await claimsOf({}),
      setOf(minimum("Milan", { bootloader: 9, microcode: 255 })),
      "workload",
    );
    expect(
      failures.map(({ message, expected, found }) => [message.split(":")[0], expected, found]),
    ).toEqual(
      ["committed", "launch", "reported"].flatMap((tcb) => [
        [`${tcb} bootloader`, "at least 9", "4"],
        [`${tcb} microcode`, "at least 255", "219"],
      ]),
    );
  });
});
