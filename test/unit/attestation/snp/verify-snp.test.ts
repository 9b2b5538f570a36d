import { beforeAll, describe, expect, it } from "vitest";
import type { Sha256 } from "../../../../src/core/brand.ts";
import { derBitString, derOctetString } from "../../../../src/crypto/der-writer.ts";
import { CertificateCache } from "../../../../src/attestation/certificate-cache.ts";
import type { SnpClaims } from "../../../../src/attestation/claims.ts";
import {
  authorityConstraint,
  authorityKeyUsage,
} from "../../../../src/attestation/dev/certificate-writer.ts";
import type { FailureCode } from "../../../../src/attestation/failure.ts";
import { AMD_EXTENSION } from "../../../../src/attestation/snp/amd-extensions.ts";
import { verifySnp } from "../../../../src/attestation/snp/verify-snp.ts";
import {
  type Collateral,
  NO_COLLATERAL,
  type VerifiedEvidence,
} from "../../../../src/attestation/verification.ts";
import { makeEcdsaLeaf } from "../../../support/attestation/ecdsa-leaf.ts";
import {
  CHIP_ID,
  type Deviations,
  type KeyPair,
  NOW,
  TURIN_CHIP_ID,
  type VendorKeys,
  integerExtension,
  makeEvidence,
  makeRevocationList,
  name,
  p384,
  rsa,
  textExtension,
  vendorKeys,
} from "../../../support/attestation/snp-vendor.ts";

const DAY = 86_400_000;
const TURIN = { line: "Turin" } as const;
const VLEK = { signingKey: "vlek" } as const;

let keys: VendorKeys;
let stranger: KeyPair;
let strangerP384: KeyPair;
let weak: KeyPair;

beforeAll(async () => {
  [keys, stranger, strangerP384, weak] = await Promise.all([
    vendorKeys(),
    rsa(),
    p384(),
    rsa(1024),
  ]);
});

interface Circumstances {
  readonly collateral?: Partial<Collateral>;
  readonly now?: number;
  /** Do not trust the simulated root. */
  readonly isRootStrange?: boolean;
  readonly cache?: CertificateCache;
}

async function verify(
  deviations: Deviations = {},
  circumstances: Circumstances = {},
): Promise<VerifiedEvidence> {
  const { evidence, root } = await makeEvidence(keys, deviations);
  return verifySnp(evidence, {
    collateral: { ...NO_COLLATERAL, ...circumstances.collateral },
    now: circumstances.now ?? NOW,
    developmentRoots: new Set(circumstances.isRootStrange === true ? [] : [root]),
    cache: circumstances.cache ?? new CertificateCache(),
  });
}

async function codes(
  deviations: Deviations,
  circumstances: Circumstances = {},
): Promise<readonly string[]> {
  const { failures } = await verify(deviations, circumstances);
  return failures.map(({ code }) => code);
}

/** Sets one byte of the report before it is signed. */
const byteAt =
  (offset: number, value: number) =>
  (report: Uint8Array): void => {
    report[offset] = value;
  };

describe("genuine evidence", () => {
  it.each([
    ["a VCEK on Milan", {}],
    ["a VCEK on Genoa", { line: "Genoa" }],
    ["a VCEK on Turin, with a short hardware id and FMC", TURIN],
    ["a VLEK", VLEK],
    ["a VLEK on Turin", { ...TURIN, ...VLEK }],
    ["report version 2, product from the certificate", { report: { version: 2 } }],
    ["report version 4", { report: { version: 4 } }],
    [
      "report version 5 with mitigation vectors",
      { report: { version: 5 }, reportBytes: byteAt(0x1f8, 9) },
    ],
    ["unknown platform facts, as Turin sets them", { report: { platformInfo: 0x40n } }],
    ["provisional firmware", { report: { currentTcb: "05010000000018db" } }],
    ["a chip id that the host masks", { report: { chipId: "", keyFlags: 2 } }],
    ["Genoa's second model range", { line: "Genoa", reportBytes: byteAt(0x189, 0xa5) }],
    ["a root without key usage", { ark: { extensions: [authorityConstraint(1)] } }],
  ] satisfies [string, Deviations][])("passes: %s", async (_what, deviations) => {
    const { failures, claims } = await verify(deviations);
    expect(failures).toEqual([]);
    expect(claims?.development).toBe(true);
  });

  it("gives the claims of chip and provider", async () => {
    const vcek = (await verify()).claims as SnpClaims;
    expect([vcek.chipId, vcek.cspId, vcek.productLine]).toEqual([CHIP_ID, undefined, "Milan"]);
    const turin = (await verify(TURIN)).claims as SnpClaims;
    expect([turin.chipId, turin.productLine]).toEqual([TURIN_CHIP_ID.padEnd(128, "0"), "Turin"]);
    const vlek = (await verify(VLEK)).claims as SnpClaims;
    expect([vlek.chipId, vlek.cspId]).toEqual([undefined, "cloud.example"]);
  });

  it("is valid as long as every certificate of its chain", async () => {
    const { validity } = await verify({
      leaf: { notBefore: NOW - 3 * DAY },
      ask: { notAfter: NOW + 5 * DAY },
    });
    expect(validity).toEqual({ notBefore: NOW - 3 * DAY, notAfter: NOW + 5 * DAY });
  });

  it("passes with the chain as collateral instead of the host's table, whatever else is there", async () => {
    const made = await makeEvidence(keys);
    const other = await makeEvidence(keys, {
      leafExtensions: (all) => [
        ...all.slice(0, -1),
        { oid: AMD_EXTENSION.hardwareId, value: new Uint8Array(64) },
      ],
    });
    const certificates = [other.leaf, made.ark, other.leaf, made.ask, made.leaf];
    const { failures } = await verify({ table: () => [] }, { collateral: { certificates } });
    expect(failures).toEqual([]);
  });

  it("passes beside a wrong hint of the host", async () => {
    const { leaf, ask, ark } = await makeEvidence(keys);
    const { failures, warnings } = await verify(
      {
        table: () => [
          { kind: "vcek", data: ark },
          { kind: "ask", data: new Uint8Array(10) },
        ],
      },
      { collateral: { certificates: [leaf, ask, ark] } },
    );
    expect(failures).toEqual([]);
    expect(warnings).toHaveLength(1);
  });
});

describe("one broken rule gives exactly its failure", () => {
  const rules: [string, FailureCode, () => Deviations, Circumstances?][] = [
    // The report's form.
    ["a report of 1183 bytes", "snp-report-length", () => ({ quoteBytes: (q) => q.subarray(1) })],
    [
      "a report of 1185 bytes",
      "snp-report-length",
      () => ({ quoteBytes: (q) => new Uint8Array([...q, 0]) }),
    ],
    ["a huge report", "evidence-too-large", () => ({ quoteBytes: () => new Uint8Array(40_000) })],
    ["version 1", "snp-report-version", () => ({ report: { version: 1 } })],
    ["version 6", "snp-report-version", () => ({ report: { version: 6 } })],
    ["a reserved byte at 4C", "snp-reserved-not-zero", () => ({ reportBytes: byteAt(0x4c, 1) })],
    ["a reserved byte at 4F", "snp-reserved-not-zero", () => ({ reportBytes: byteAt(0x4f, 1) })],
    [
      "a CPUID byte in version 2",
      "snp-reserved-not-zero",
      () => ({ report: { version: 2 }, reportBytes: byteAt(0x188, 0x19) }),
    ],
    ["a reserved byte at 18B", "snp-reserved-not-zero", () => ({ reportBytes: byteAt(0x18b, 1) })],
    ["a reserved byte at 19F", "snp-reserved-not-zero", () => ({ reportBytes: byteAt(0x19f, 1) })],
    ["a reserved byte at 1EB", "snp-reserved-not-zero", () => ({ reportBytes: byteAt(0x1eb, 1) })],
    ["a reserved byte at 1EF", "snp-reserved-not-zero", () => ({ reportBytes: byteAt(0x1ef, 1) })],
    [
      "mitigation vectors before version 5",
      "snp-reserved-not-zero",
      () => ({ report: { version: 4 }, reportBytes: byteAt(0x1f8, 1) }),
    ],
    [
      "a reserved byte at 208 in version 5",
      "snp-reserved-not-zero",
      () => ({ report: { version: 5 }, reportBytes: byteAt(0x208, 1) }),
    ],
    [
      "a reserved byte at 29F",
      "snp-reserved-not-zero",
      () => ({ report: { version: 5 }, reportBytes: byteAt(0x29f, 1) }),
    ],
    [
      "padding of R that is not zero",
      "snp-reserved-not-zero",
      () => ({ quoteBytes: (q) => q.with(0x2d0, 1) }),
    ],
    [
      "padding of S that is not zero",
      "snp-reserved-not-zero",
      () => ({ quoteBytes: (q) => q.with(0x32f, 1) }),
    ],
    [
      "bytes behind the signature",
      "snp-reserved-not-zero",
      () => ({ quoteBytes: (q) => q.with(0x49f, 1) }),
    ],
    [
      "another signature algorithm",
      "snp-signature-algorithm",
      () => ({ report: { signatureAlgorithm: 2 } }),
    ],
    ["no signing key", "snp-signing-key", () => ({ report: { keyFlags: 7 << 2 } })],
    ["an unknown signing key", "snp-signing-key", () => ({ report: { keyFlags: 2 << 2 } })],
    // Its signature.
    ["a changed report", "snp-signature", () => ({ quoteBytes: (q) => q.with(0x90, 0) })],
    ["a report of another key", "snp-signature", () => ({ reportSigner: strangerP384.privateKey })],
    ["a changed R", "snp-signature", () => ({ quoteBytes: (q) => q.with(0x2a0, q[0x2a0]! ^ 1) })],
    ["R and S of zero", "snp-signature", () => ({ quoteBytes: (q) => q.fill(0, 0x2a0) })],
    // The guest policy's fixed bits.
    ["guest policy bit 17 zero", "snp-policy-reserved", () => ({ report: { policy: 0x1_001fn } })],
    ["guest policy bit 26", "snp-policy-unknown-bits", () => ({ report: { policy: 0x403_001fn } })],
    [
      "guest policy bit 63",
      "snp-policy-unknown-bits",
      () => ({ report: { policy: 0x8000_0000_0003_001fn } }),
    ],
    // The product.
    ["an unknown family", "snp-product-unknown", () => ({ reportBytes: byteAt(0x188, 0x17) })],
    ["an unknown model", "snp-product-unknown", () => ({ reportBytes: byteAt(0x189, 0x20) })],
    [
      "a Turin model above 11",
      "snp-product-unknown",
      () => ({ line: "Turin", reportBytes: byteAt(0x189, 0x12) }),
    ],
    [
      "an unknown product name in version 2",
      "snp-product-unknown",
      () => ({
        report: { version: 2 },
        leafExtensions: ([, ...rest]) => [
          textExtension(AMD_EXTENSION.productName, "Rome-B0"),
          ...rest,
        ],
      }),
    ],
    [
      "no product name in version 2",
      "snp-product-unknown",
      () => ({
        report: { version: 2 },
        leafExtensions: ([, ...rest]) => rest,
      }),
    ],
    [
      "a chain of another product line",
      "snp-product-mismatch",
      () => ({ reportBytes: byteAt(0x189, 0x11) }),
    ],
    // The chain.
    [
      "a leaf that is called otherwise",
      "certificate-name",
      () => ({ leaf: { subject: name("SEV-VLEK") } }),
    ],
    [
      "a leaf of another issuer name",
      "certificate-name",
      () => ({ leaf: { issuer: name("SEV-Genoa") } }),
    ],
    [
      "an intermediate that is called otherwise",
      "certificate-name",
      () => ({ ask: { subject: name("ASK") }, leaf: { issuer: name("ASK") } }),
    ],
    [
      "the ASVK above a VCEK",
      "certificate-name",
      () => ({
        ask: { subject: name("SEV-VLEK-Milan") },
        leaf: { issuer: name("SEV-VLEK-Milan") },
      }),
    ],
    [
      "a root that is called otherwise",
      "certificate-name",
      () => ({
        ark: { subject: name("Root"), issuer: name("Root") },
        ask: { issuer: name("Root") },
      }),
    ],
    [
      "the root of another line",
      "certificate-name",
      () => ({
        ark: { subject: name("ARK-Genoa"), issuer: name("ARK-Genoa") },
        ask: { issuer: name("ARK-Genoa") },
      }),
    ],
    [
      "a root that names another issuer",
      "certificate-name",
      () => ({ ark: { issuer: name("ARK-Genoa") } }),
    ],
    [
      "a leaf of another signer",
      "certificate-signature",
      () => ({ leafSigner: stranger.privateKey }),
    ],
    [
      "an intermediate of another signer",
      "certificate-signature",
      () => ({ askSigner: stranger.privateKey }),
    ],
    [
      "a root of another signer",
      "certificate-signature",
      () => ({ arkSigner: stranger.privateKey }),
    ],
    ["a leaf that expired", "certificate-expired", () => ({ leaf: { notAfter: NOW - 1000 } })],
    [
      "an intermediate that expired",
      "certificate-expired",
      () => ({ ask: { notAfter: NOW - 1000 } }),
    ],
    ["a root that expired", "certificate-expired", () => ({ ark: { notAfter: NOW - 1000 } })],
    [
      "a leaf of tomorrow",
      "certificate-not-yet-valid",
      () => ({ leaf: { notBefore: NOW + 1000 } }),
    ],
    [
      "an intermediate of tomorrow",
      "certificate-not-yet-valid",
      () => ({ ask: { notBefore: NOW + 1000 } }),
    ],
    ["a root of tomorrow", "certificate-not-yet-valid", () => ({ ark: { notBefore: NOW + 1000 } })],
    [
      "an intermediate that is no authority",
      "certificate-not-authority",
      () => ({ ask: { extensions: [authorityKeyUsage()] } }),
    ],
    [
      "a root that is no authority",
      "certificate-not-authority",
      () => ({ ark: { extensions: [authorityKeyUsage()] } }),
    ],
    [
      "an intermediate that must not sign certificates",
      "certificate-not-authority",
      () => ({
        ask: {
          extensions: [
            authorityConstraint(0),
            { oid: "2.5.29.15", value: derBitString(Uint8Array.of(0x80)) },
          ],
        },
      }),
    ],
    [
      "a root that allows no intermediate",
      "certificate-not-authority",
      () => ({ ark: { extensions: [authorityKeyUsage(), authorityConstraint(0)] } }),
    ],
    [
      "a critical extension of the leaf",
      "snp-certificate-extension",
      () => ({
        leafExtensions: (all) => [
          ...all,
          { oid: "1.2.3", critical: true, value: derOctetString() },
        ],
      }),
    ],
    [
      "a critical extension of the intermediate",
      "snp-certificate-extension",
      () => ({
        ask: {
          extensions: [
            authorityKeyUsage(),
            authorityConstraint(0),
            { oid: "1.2.3", critical: true, value: derOctetString() },
          ],
        },
      }),
    ],
    [
      "a leaf key on another type",
      "certificate-key",
      () => ({ leaf: { publicKey: stranger.publicKey } }),
    ],
    ["a root that nobody trusts", "root-untrusted", () => ({}), { isRootStrange: true }],
    ["no leaf", "certificate-missing", () => ({ table: (entries) => entries.slice(0, 2) })],
    ["no intermediate", "certificate-missing", () => ({ table: ([ark, , leaf]) => [ark!, leaf!] })],
    ["no root", "certificate-missing", () => ({ table: (entries) => entries.slice(1) })],
    [
      "a VLEK where the report names a VCEK",
      "certificate-missing",
      () => ({ signingKey: "vlek", report: { keyFlags: 0, chipId: CHIP_ID } }),
    ],
    // AMD's extensions.
    ...(["bootloader", "tee", "snp", "microcode"] as const).map(
      (part): [string, FailureCode, () => Deviations] => [
        `no ${part} in the leaf`,
        "snp-extension",
        () => ({ leafExtensions: (all) => all.filter(({ oid }) => oid !== AMD_EXTENSION[part]) }),
      ],
    ),
    [
      "no FMC on Turin",
      "snp-extension",
      () => ({
        ...TURIN,
        report: { reportedTcb: "00040118000000db" },
        leafExtensions: (all) => all.filter(({ oid }) => oid !== AMD_EXTENSION.fmc),
      }),
    ],
    [
      "a TCB component above a byte",
      "snp-extension",
      () => ({
        leafExtensions: (all) =>
          all.map((each) =>
            each.oid === AMD_EXTENSION.snp ? integerExtension(each.oid, 256) : each,
          ),
      }),
    ],
    [
      "a TCB component that is no integer",
      "snp-extension",
      () => ({
        leafExtensions: (all) =>
          all.map((each) =>
            each.oid === AMD_EXTENSION.snp ? textExtension(each.oid, "24") : each,
          ),
      }),
    ],
    ["no hardware id", "snp-extension", () => ({ leafExtensions: (all) => all.slice(0, -1) })],
    [
      "a hardware id of 8 bytes on Milan",
      "snp-extension",
      () => ({
        leafExtensions: (all) => [
          ...all.slice(0, -1),
          { oid: AMD_EXTENSION.hardwareId, value: new Uint8Array(8).fill(0xc1) },
        ],
      }),
    ],
    [
      "a hardware id of 64 bytes on Turin",
      "snp-extension",
      () => ({
        ...TURIN,
        leafExtensions: (all) => [
          ...all.slice(0, -1),
          { oid: AMD_EXTENSION.hardwareId, value: new Uint8Array(64).fill(0xc2) },
        ],
      }),
    ],
    [
      "a VLEK without its provider",
      "snp-extension",
      () => ({ ...VLEK, leafExtensions: (all) => all.slice(0, -1) }),
    ],
    // TCB.
    [
      "a reported bootloader that is not the certificate's",
      "snp-certificate-tcb",
      () => ({ report: { reportedTcb: "03010000000018db" } }),
    ],
    [
      "a reported microcode that is not the certificate's",
      "snp-certificate-tcb",
      () => ({ report: { reportedTcb: "04010000000018da" } }),
    ],
    [
      "a reported FMC that is not the certificate's",
      "snp-certificate-tcb",
      () => ({ ...TURIN, report: { reportedTcb: "01040118000000db" } }),
    ],
    [
      "a reported TCB above the current one",
      "snp-tcb-reported",
      () => ({ report: { currentTcb: "04000000000018db", committedTcb: "04000000000018db" } }),
    ],
    [
      "a committed TCB above the current one",
      "snp-tcb-committed",
      () => ({ report: { committedTcb: "04020000000018db" } }),
    ],
    [
      "a committed FMC above the current one",
      "snp-tcb-committed",
      () => ({ ...TURIN, report: { committedTcb: "03040118000000db" } }),
    ],
    // The chip.
    ["another chip", "snp-chip-id", () => ({ report: { chipId: "c3".repeat(64) } })],
    ["a chip id of zero that is not masked", "snp-chip-id", () => ({ report: { chipId: "" } })],
    [
      "another chip, said to be masked",
      "snp-chip-id",
      () => ({ report: { chipId: "c3".repeat(64), keyFlags: 2 } }),
    ],
    [
      "a Turin chip id with more than the hardware id",
      "snp-chip-id",
      () => ({ ...TURIN, report: { chipId: `${TURIN_CHIP_ID}01` } }),
    ],
    ["a VLEK with a chip id", "snp-chip-id", () => ({ ...VLEK, report: { chipId: CHIP_ID } })],
  ];

  it.each(rules)("%s: %s", async (_what, code, deviations, circumstances) => {
    expect([...new Set(await codes(deviations(), circumstances))]).toEqual([code]);
  });

  it("an extension that appears twice makes the leaf unreadable, and so it is missing", async () => {
    const twice: Deviations = { leafExtensions: (all) => [...all, all[0]!] };
    expect(await codes(twice)).toEqual(["certificate-malformed", "certificate-missing"]);
  });

  it("an RSA key below 2048 bits", async () => {
    const weakRoot = { ...keys, ark: weak };
    const { evidence, root } = await makeEvidence(weakRoot);
    const { failures } = await verifySnp(evidence, {
      collateral: NO_COLLATERAL,
      now: NOW,
      developmentRoots: new Set([root]),
      cache: new CertificateCache(),
    });
    expect(failures.map(({ code, message }) => `${code} ${message}`)).toEqual([
      "certificate-key ARK: A certificate's key is not of the vendor's type",
    ]);
  });
});

describe("a certificate signed with another algorithm", () => {
  it("is refused for it, and its issuer for its key", async () => {
    const { evidence, root } = await makeEcdsaLeaf(keys, strangerP384);
    const { failures } = await verifySnp(evidence, {
      collateral: NO_COLLATERAL,
      now: NOW,
      developmentRoots: new Set([root]),
      cache: new CertificateCache(),
    });
    expect(failures.map(({ code }) => code)).toEqual(["certificate-algorithm", "certificate-key"]);
  });
});

describe("revocation", () => {
  const withList = async (list: Uint8Array): Promise<VerifiedEvidence> =>
    verify({}, { collateral: { revocationLists: [list] } });
  const unchecked = ({ claims }: VerifiedEvidence): readonly string[] =>
    (claims as SnpClaims).revocationFailures.map(({ code }) => code);

  it("is checked against a current list of the root", async () => {
    const list = await makeRevocationList(keys.ark.privateKey, { nextUpdate: NOW + DAY });
    const verified = await withList(list);
    expect(verified.failures).toEqual([]);
    expect(unchecked(verified)).toEqual([]);
    expect(verified.validity.notAfter).toBe(NOW + DAY);
  });

  it("takes the list from the host's table too", async () => {
    const data = await makeRevocationList(keys.ark.privateKey);
    const verified = await verify({ table: (entries) => [...entries, { kind: "crl", data }] });
    expect(unchecked(verified)).toEqual([]);
  });

  it.each([
    ["intermediate", 2],
    ["root", 1],
  ])("refuses a revoked %s, whether or not anybody demands a list", async (_what, serial) => {
    const list = await makeRevocationList(keys.ark.privateKey, { serials: [77, serial] });
    expect((await withList(list)).failures.map(({ code }) => code)).toEqual([
      "certificate-revoked",
    ]);
  });

  it("keeps a revocation in mind when the list is out of date", async () => {
    const list = await makeRevocationList(keys.ark.privateKey, {
      serials: [2],
      nextUpdate: NOW - 1000,
    });
    const verified = await withList(list);
    expect(verified.failures.map(({ code }) => code)).toEqual(["certificate-revoked"]);
    expect(unchecked(verified)).toEqual(["revocation-list-not-current"]);
  });

  it("takes the newest of several lists", async () => {
    const old = await makeRevocationList(keys.ark.privateKey, { thisUpdate: NOW - 9 * DAY });
    const fresh = await makeRevocationList(keys.ark.privateKey, { serials: [2] });
    for (const revocationLists of [
      [old, fresh],
      [fresh, old],
    ]) {
      expect(await codes({}, { collateral: { revocationLists } })).toEqual(["certificate-revoked"]);
    }
  });

  it.each([
    ["no list", "revocation-list-missing", () => undefined],
    [
      "a list of another root",
      "revocation-list-missing",
      () => makeRevocationList(keys.ark.privateKey, { issuer: "ARK-Genoa" }),
    ],
    [
      "a list of another signer",
      "revocation-list-signature",
      () => makeRevocationList(stranger.privateKey),
    ],
    [
      "a list of yesterday",
      "revocation-list-not-current",
      () => makeRevocationList(keys.ark.privateKey, { nextUpdate: NOW - 1000 }),
    ],
    [
      "a list of tomorrow",
      "revocation-list-not-current",
      () => makeRevocationList(keys.ark.privateKey, { thisUpdate: NOW + 1000 }),
    ],
    ["garbage", "revocation-list-malformed", () => new Uint8Array(99)],
  ])("leaves the evidence genuine but unchecked: %s", async (_what, code, make) => {
    const list = await make();
    const revocationLists = list === undefined ? [] : [list];
    const verified = await verify({}, { collateral: { revocationLists } });
    expect(verified.failures).toEqual([]);
    expect(unchecked(verified)).toEqual([code]);
  });
});

describe("several broken rules", () => {
  it("are all found in one pass, with what was expected and found", async () => {
    const { failures, claims } = await verify(
      {
        report: {
          policy: 0x400_001fn,
          chipId: "c3".repeat(64),
          committedTcb: "04020000000018db",
        },
        leaf: { notAfter: NOW - 1000 },
        reportSigner: strangerP384.privateKey,
        askSigner: stranger.privateKey,
      },
      { isRootStrange: true },
    );
    expect(failures.map(({ code }) => code).sort()).toEqual([
      "certificate-expired",
      "certificate-signature",
      "root-untrusted",
      "snp-chip-id",
      "snp-policy-reserved",
      "snp-policy-unknown-bits",
      "snp-signature",
      "snp-tcb-committed",
    ]);
    expect(failures.find(({ code }) => code === "snp-chip-id")).toMatchObject({
      expected: CHIP_ID,
      found: "c3".repeat(64),
    });
    expect(claims?.development).toBe(false);
  });
});

describe("the cache", () => {
  it("never makes bad evidence good", async () => {
    const cache = new CertificateCache();
    expect(await codes({}, { cache })).toEqual([]);
    expect(await codes({ askSigner: stranger.privateKey }, { cache })).toEqual([
      "certificate-signature",
    ]);
    expect(await codes({ leafSigner: stranger.privateKey }, { cache })).toEqual([
      "certificate-signature",
    ]);
    expect(await codes({}, { cache, isRootStrange: true })).toEqual(["root-untrusted"]);
    expect(await codes({}, { cache, now: NOW + 101 * DAY })).toEqual([
      "certificate-expired",
      "certificate-expired",
      "certificate-expired",
    ]);
  });

  it("is not changed by later changes of the evidence's bytes", async () => {
    const cache = new CertificateCache();
    const { evidence, root } = await makeEvidence(keys);
    const context = {
      collateral: NO_COLLATERAL,
      now: NOW,
      developmentRoots: new Set<Sha256>([root]),
      cache,
    };
    const certificates = evidence.certificates.slice();
    expect((await verifySnp({ ...evidence, certificates }, context)).failures).toEqual([]);
    certificates.fill(0);
    expect((await verifySnp(evidence, context)).failures).toEqual([]);
  });
});

it("ignores collateral above the limit with a warning", async () => {
  const { leaf, ask, ark } = await makeEvidence(keys);
  const certificates = [leaf, ask, ark, ...Array.from({ length: 70 }, () => new Uint8Array(5))];
  const { failures, warnings } = await verify(
    { table: () => [] },
    { collateral: { certificates } },
  );
  expect(failures).toEqual([]);
  expect(warnings[0]?.message).toBe("9 certificates or revocation lists too many, ignored");
});
