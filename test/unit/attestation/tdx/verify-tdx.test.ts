import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { CertificateCache } from "../../../../src/attestation/certificate-cache.ts";
import type { TdxClaims } from "../../../../src/attestation/claims.ts";
import {
  authorityConstraint,
  authorityKeyUsage,
  distinguishedName,
} from "../../../../src/attestation/dev/certificate-writer.ts";
import { pckExtension } from "../../../../src/attestation/dev/intel-writer.ts";
import {
  intelContent,
  type IntelContent,
  SIMULATED_PCK,
} from "../../../../src/attestation/dev/simulated-intel.ts";
import { makeTdxDevelopmentVendor } from "../../../../src/attestation/dev/tdx-vendor.ts";
import type { FailureCode } from "../../../../src/attestation/failure.ts";
import { TDX_FAILURE_MEANINGS } from "../../../../src/attestation/tdx/failure-meanings.ts";
import { verifyTdx } from "../../../../src/attestation/tdx/verify-tdx.ts";
import type { VerifiedEvidence } from "../../../../src/attestation/verification.ts";
import { concat, utf8 } from "../../../../src/core/bytes.ts";
import { derInteger } from "../../../../src/crypto/der-writer.ts";
import {
  DAY,
  intelKeys,
  type MadeTdxEvidence,
  makeTdxEvidence,
  MEASUREMENT,
  NOW,
  POLICY_HASH,
  REPORT_DATA,
  strangerKeys,
  type TdxDeviations,
} from "../../../support/attestation/tdx-vendor.ts";

function verify(
  { evidence, collateral, root }: MadeTdxEvidence,
  cache = new CertificateCache(),
  now = NOW,
): Promise<VerifiedEvidence> {
  return verifyTdx(evidence, { collateral, now, developmentRoots: new Set([root]), cache });
}

const codes = ({ failures }: VerifiedEvidence): string[] => failures.map(({ code }) => code);
const tdx = ({ claims }: VerifiedEvidence): TdxClaims => claims as TdxClaims;

const PROPER = await makeTdxEvidence();
const content = intelContent(intelKeys, { notBefore: NOW - 10 * DAY, notAfter: NOW + 10 * DAY });
const { pck } = content.certificates;
const stranger = strangerKeys.privateKey;
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const nobody = distinguishedName("Somebody", "Else");
const tomorrow = { notBefore: NOW + DAY, notAfter: NOW + 10 * DAY };
const yesterday = { notBefore: NOW - 10 * DAY, notAfter: NOW - DAY };
const unknownExtension = { oid: "1.2.3.4", critical: true, value: derInteger(1) };
/** Key usage cRLSign alone, keyCertSign alone, and none of those that Intel's certificates have. */
const usage = (bits: number) => ({
  oid: "2.5.29.15",
  critical: true,
  value: Uint8Array.of(3, 2, 1, bits),
});
const CRL_ONLY = usage(0b0000_0010);
const ISSUE_ONLY = usage(0b0000_0100);

const tcbInfo = (change: object): TdxDeviations => ({
  content: (c) => ({ tcbInfo: { ...c.tcbInfo, ...change } }),
});
const qeIdentity = (change: object): TdxDeviations => ({
  content: (c) => ({ qeIdentity: { ...c.qeIdentity, ...change } }),
});
const moduleIdentity = (change: object): TdxDeviations => {
  const [identity] = content.tcbInfo["tdxModuleIdentities"] as object[];
  return tcbInfo({ tdxModuleIdentities: [{ ...identity, ...change }] });
};
const platformLevel = (tcbChange: object, change: object = {}): TdxDeviations => {
  const [level] = content.tcbInfo["tcbLevels"] as { tcb: object }[];
  return tcbInfo({ tcbLevels: [{ ...level, tcb: { ...level!.tcb, ...tcbChange }, ...change }] });
};
const pckWith = (change: Partial<typeof SIMULATED_PCK>): TdxDeviations => ({
  certificates: {
    pck: { extensions: [pck.extensions[0]!, pckExtension({ ...SIMULATED_PCK, ...change })] },
  },
});
const lists = (change: (content: IntelContent) => Partial<IntelContent>): TdxDeviations => ({
  content: change,
});
const patched = (offset: number, ...bytes: number[]): TdxDeviations => ({
  quoteBytes: (quote) => {
    const out = quote.slice();
    out.set(bytes, offset);
    return out;
  },
});
const edited = (from: string | RegExp, to: string) => (bytes: Uint8Array) =>
  utf8(Buffer.from(bytes).toString().replace(from, to));

/** Offsets of a version 4 quote. */
const AUTHENTICATION = 48 + 584;
const CERTIFICATION_TYPE = AUTHENTICATION + 4 + 128;
/** Of a version 5 quote. */
const BODY_TYPE = 48;

const withLongerAuthentication = (quote: Uint8Array): Uint8Array => {
  const out = concat(quote, Uint8Array.of(0));
  new DataView(out.buffer).setUint32(AUTHENTICATION, out.length - AUTHENTICATION - 4, true);
  return out;
};

type Rule = readonly [string, TdxDeviations, readonly FailureCode[]];

const FORM: readonly Rule[] = [
  ["a version 2 quote", patched(0, 2), ["tdx-quote-version"]],
  ["a version 3 quote", patched(0, 3), ["tdx-not-a-td"]],
  ["another attestation key type", patched(2, 3), ["tdx-quote-key-type"]],
  ["TEE type SGX", patched(4, 0), ["tdx-not-a-td"]],
  ["another TEE type", patched(4, 0x82), ["tdx-quote-tee-type"]],
  ["another vendor of the quoting enclave", patched(12, 0), ["tdx-quote-vendor"]],
  ["an SGX body in version 5", { version: 5, ...patched(BODY_TYPE, 1) }, ["tdx-not-a-td"]],
  ["another body type", { version: 5, ...patched(BODY_TYPE, 4) }, ["tdx-quote-body-type"]],
  ["a body with another's size", { version: 5, ...patched(BODY_TYPE, 3) }, ["tdx-quote-body-type"]],
  ["lengths past the end", patched(AUTHENTICATION + 2, 1), ["tdx-quote-truncated"]],
  ["other certification data", patched(CERTIFICATION_TYPE, 5), ["tdx-quote-certification"]],
  ["unused bytes inside", { quoteBytes: withLongerAuthentication }, ["tdx-quote-length"]],
  [
    "a quote above the limit",
    { quoteBytes: (quote) => concat(quote, new Uint8Array(32_768)) },
    ["evidence-too-large"],
  ],
];

const SIGNATURES: readonly Rule[] = [
  ["another's signature", { signers: { attestation: stranger } }, ["tdx-quote-signature"]],
  [
    "a key off the curve",
    patched(AUTHENTICATION + 68, 1),
    ["tdx-attestation-key", "tdx-quote-signature"],
  ],
  [
    "a QE report for another key",
    { qeReport: { reportData: "01".repeat(64) } },
    ["tdx-attestation-key"],
  ],
  ["a QE report by another key", { signers: { qeReport: stranger } }, ["tdx-qe-report-signature"]],
];

const strangersChain: TdxDeviations = {
  signers: { authority: stranger },
  collateral: () => PROPER.collateral,
};

const CHAIN: readonly Rule[] = [
  ["a chain that is no PEM", { pckChainPem: () => utf8("hello") }, ["certificate-malformed"]],
  [
    "a chain without its root",
    { pckChainPem: (pem) => pem.subarray(0, Buffer.from(pem).lastIndexOf("-----BEGIN")) },
    ["certificate-missing"],
  ],
  [
    "a chain with text between its certificates",
    { pckChainPem: edited("-----\n-----BEGIN", "-----\ntext\n-----BEGIN") },
    ["certificate-malformed"],
  ],
  [
    "a chain with something behind its NUL",
    { pckChainPem: (pem) => concat(pem, Uint8Array.of(0, 1)) },
    ["certificate-malformed"],
  ],
  ["a PCK certificate by a stranger", strangersChain, ["certificate-signature"]],
  [
    "a PCK certificate of another name",
    { certificates: { pck: { subject: nobody } } },
    ["certificate-name"],
  ],
  [
    "a PCK certificate of another issuer",
    { certificates: { pck: { issuer: nobody } } },
    ["certificate-name"],
  ],
  [
    "a PCK authority of another name",
    {
      certificates: { authority: { subject: nobody }, pck: { issuer: nobody } },
      ...lists(({ pckCrl }) => ({ pckCrl: { ...pckCrl, issuer: nobody } })),
    },
    ["certificate-name"],
  ],
  [
    "a PCK certificate that is an authority",
    { certificates: { pck: { extensions: [...pck.extensions, authorityConstraint(0)] } } },
    ["certificate-not-authority"],
  ],
  [
    "a PCK certificate that may not sign",
    { certificates: { pck: { extensions: [CRL_ONLY, ...pck.extensions.slice(1)] } } },
    ["certificate-not-authority"],
  ],
  [
    "an authority without the CA flag",
    { certificates: { authority: { extensions: [authorityKeyUsage()] } } },
    ["certificate-not-authority"],
  ],
  [
    "an authority that may not issue certificates",
    { certificates: { authority: { extensions: [CRL_ONLY, authorityConstraint(0)] } } },
    ["certificate-not-authority"],
  ],
  [
    "a root with too short a path",
    { certificates: { root: { extensions: [authorityKeyUsage(), authorityConstraint(0)] } } },
    ["certificate-not-authority"],
  ],
  [
    "an authority on another curve, which signs otherwise",
    {
      certificates: { authority: { publicKey: p384.publicKey } },
      signers: { authority: p384.privateKey },
    },
    ["certificate-algorithm", "certificate-key", "revocation-list-signature"],
  ],
  [
    "a critical extension that nobody knows",
    { certificates: { pck: { extensions: [...pck.extensions, unknownExtension] } } },
    ["tdx-certificate-extension"],
  ],
  [
    "a PCK certificate of tomorrow",
    { certificates: { pck: tomorrow } },
    ["certificate-not-yet-valid"],
  ],
  ["a PCK certificate of yesterday", { certificates: { pck: yesterday } }, ["certificate-expired"]],
  [
    "an authority of yesterday",
    { certificates: { authority: yesterday } },
    ["certificate-expired"],
  ],
  ["a root of yesterday", { certificates: { root: yesterday } }, ["certificate-expired"]],
  [
    "a PCK certificate without Intel's extension",
    { certificates: { pck: { extensions: pck.extensions.slice(0, 1) } } },
    ["tdx-pck-extension"],
  ],
  ["a short FMSPC", pckWith({ fmspc: new Uint8Array(5) }), ["tdx-pck-extension"]],
  [
    "a component above 255",
    pckWith({ components: [256, ...SIMULATED_PCK.components.slice(1)] }),
    ["tdx-pck-extension"],
  ],
  ["too few components", pckWith({ components: [1, 2] }), ["tdx-pck-extension"]],
];

const serial = (value: number) => [Uint8Array.of(value)];

const REVOCATION: readonly Rule[] = [
  [
    "no revocation list of the authority",
    { collateral: ({ revocationLists }) => ({ revocationLists: revocationLists.slice(1) }) },
    ["revocation-list-missing"],
  ],
  [
    "no revocation list of the root",
    { collateral: ({ revocationLists }) => ({ revocationLists: revocationLists.slice(0, 1) }) },
    ["revocation-list-missing"],
  ],
  [
    "a list that is no DER",
    {
      collateral: ({ revocationLists }) => ({
        revocationLists: [utf8("list"), ...revocationLists.slice(1)],
      }),
    },
    ["revocation-list-malformed"],
  ],
  [
    "a list of the right name by a stranger",
    { signers: { authority: stranger }, pckChainPem: () => pckChainOf(PROPER) },
    ["revocation-list-signature"],
  ],
  [
    "a list by an authority that may not sign lists",
    { certificates: { authority: { extensions: [ISSUE_ONLY, authorityConstraint(0)] } } },
    ["revocation-list-signature"],
  ],
  [
    "a list of tomorrow",
    lists(({ pckCrl }) => ({ pckCrl: { ...pckCrl, thisUpdate: NOW + DAY } })),
    ["revocation-list-not-current"],
  ],
  [
    "a list of yesterday",
    lists(({ rootCrl }) => ({ rootCrl: { ...rootCrl, nextUpdate: NOW - 1000 } })),
    ["revocation-list-not-current"],
  ],
  [
    "a revoked PCK",
    lists(({ pckCrl }) => ({ pckCrl: { ...pckCrl, revoked: serial(3) } })),
    ["certificate-revoked"],
  ],
  [
    "a revoked authority",
    lists(({ rootCrl }) => ({ rootCrl: { ...rootCrl, revoked: serial(2) } })),
    ["certificate-revoked"],
  ],
  [
    "a revoked TCB signer",
    lists(({ rootCrl }) => ({ rootCrl: { ...rootCrl, revoked: serial(4) } })),
    ["certificate-revoked"],
  ],
];

const bothDocuments = (code: FailureCode): readonly FailureCode[] => [code, code];

const DOCUMENTS: readonly Rule[] = [
  ["no TCB info", { collateral: () => ({ tcbInfos: [] }) }, ["tdx-tcb-info-missing"]],
  ["no QE identity", { collateral: () => ({ qeIdentities: [] }) }, ["tdx-qe-identity-missing"]],
  [
    "TCB info that is no JSON",
    { collateral: () => ({ tcbInfos: [utf8("{")] }) },
    ["tdx-tcb-info-malformed"],
  ],
  [
    "QE identity that is no JSON",
    { collateral: () => ({ qeIdentities: [utf8("[]")] }) },
    ["tdx-qe-identity-malformed"],
  ],
  ["TCB info for SGX", tcbInfo({ id: "SGX" }), ["tdx-tcb-info-malformed"]],
  ["TCB info of version 2", tcbInfo({ version: 2 }), ["tdx-tcb-info-malformed"]],
  [
    "an impossible date",
    tcbInfo({ nextUpdate: "2026-02-30T00:00:00Z" }),
    ["tdx-tcb-info-malformed"],
  ],
  [
    "a status that Intel does not have",
    platformLevel({}, { tcbStatus: "Fine" }),
    ["tdx-tcb-info-malformed"],
  ],
  [
    "the identity of an SGX quoting enclave",
    qeIdentity({ id: "QE" }),
    ["tdx-qe-identity-malformed"],
  ],
  ["QE identity of version 1", qeIdentity({ version: 1 }), ["tdx-qe-identity-malformed"]],
  [
    "TCB info with a second copy of a key",
    {
      collateral: ({ tcbInfos }) => ({
        tcbInfos: tcbInfos.map(edited('"id":"TDX"', '"id":"TDX","id":"TDX"')),
      }),
    },
    ["tdx-tcb-info-malformed"],
  ],
  [
    "TCB info with another number",
    {
      collateral: ({ tcbInfos }) => ({
        tcbInfos: tcbInfos.map(edited('DataNumber":18', 'DataNumber":19')),
      }),
    },
    ["tdx-tcb-info-signature"],
  ],
  [
    "TCB info with a space that was not signed",
    {
      collateral: ({ tcbInfos }) => ({
        tcbInfos: tcbInfos.map(edited('"version":3', '"version": 3')),
      }),
    },
    ["tdx-tcb-info-signature"],
  ],
  [
    "QE identity with another product",
    {
      collateral: ({ qeIdentities }) => ({
        qeIdentities: qeIdentities.map(edited('isvprodid":2', 'isvprodid":2 ')),
      }),
    },
    ["tdx-qe-identity-signature"],
  ],
  [
    "documents by a stranger",
    { signers: { tcbSigner: stranger } },
    ["tdx-tcb-info-signature", "tdx-qe-identity-signature"],
  ],
  [
    "no TCB signing certificate",
    { collateral: ({ certificates }) => ({ certificates: certificates.slice(1) }) },
    bothDocuments("certificate-missing"),
  ],
  [
    "a TCB signer of yesterday",
    { certificates: { tcbSigner: yesterday } },
    bothDocuments("certificate-expired"),
  ],
  [
    "a TCB signer of another issuer",
    { certificates: { tcbSigner: { issuer: nobody } } },
    bothDocuments("certificate-name"),
  ],
  [
    "a TCB signer of another root",
    {
      signers: { root: stranger },
      pckChainPem: () => pckChainOf(PROPER),
      collateral: (made) => ({ ...PROPER.collateral, certificates: made.certificates }),
    },
    bothDocuments("certificate-signature"),
  ],
  [
    "TCB info of tomorrow",
    tcbInfo({ issueDate: "2026-06-02T00:00:00Z" }),
    ["tdx-tcb-info-not-current"],
  ],
  [
    "TCB info of yesterday",
    tcbInfo({ nextUpdate: "2026-05-31T00:00:00Z" }),
    ["tdx-tcb-info-not-current"],
  ],
  [
    "QE identity of yesterday",
    qeIdentity({ nextUpdate: "2026-05-31T00:00:00Z" }),
    ["tdx-qe-identity-not-current"],
  ],
  [
    "TCB info of another processor family",
    tcbInfo({ fmspc: "00".repeat(6) }),
    ["tdx-tcb-info-fmspc"],
  ],
  ["TCB info of another PCE", tcbInfo({ pceId: "0001" }), ["tdx-tcb-info-pceid"]],
];

const zeros = (...first: number[]) =>
  Array.from({ length: 16 }, (_, index) => ({ svn: first[index] ?? 0 }));

const JUDGEMENT: readonly Rule[] = [
  [
    "another signer of the quoting enclave",
    { qeReport: { mrSigner: "00".repeat(32) } },
    ["tdx-qe-signer"],
  ],
  ["another product id", { qeReport: { isvProdId: 1 } }, ["tdx-qe-product"]],
  ["other extended features", { qeReport: { miscSelect: "01000000" } }, ["tdx-qe-miscselect"]],
  [
    "other attributes",
    { qeReport: { attributes: "01000000000000000000000000000000" } },
    ["tdx-qe-attributes"],
  ],
  [
    "a debug enclave that the mask lets through",
    {
      qeReport: { attributes: `13${"00".repeat(15)}` },
      ...qeIdentity({ attributesMask: `f9${"ff".repeat(7)}${"00".repeat(8)}` }),
    },
    ["tdx-qe-debug"],
  ],
  ["a quoting enclave below all levels", { qeReport: { isvSvn: 3 } }, ["tdx-qe-svn"]],
  [
    "an SGX component below all levels",
    platformLevel({ sgxtcbcomponents: zeros(5) }),
    ["tdx-tcb-level"],
  ],
  ["a PCESVN below all levels", platformLevel({ pcesvn: 14 }), ["tdx-tcb-level"]],
  [
    "a TDX component below all levels",
    platformLevel({ tdxtcbcomponents: zeros(0, 0, 5) }),
    ["tdx-tcb-level"],
  ],
  [
    "module version 0 below the first TDX component",
    {
      body: { teeTcbSvn: "06000400000000000000000000000000" },
      ...platformLevel({ tdxtcbcomponents: zeros(7, 0, 4) }),
    },
    ["tdx-tcb-level"],
  ],
  [
    "a module of an unknown generation",
    { body: { teeTcbSvn: "06020400000000000000000000000000" } },
    ["tdx-module-unknown"],
  ],
  [
    "a module by another signer",
    { body: { mrSignerSeam: "01".repeat(48) } },
    ["tdx-module-signer"],
  ],
  [
    "a module with other attributes",
    { body: { seamAttributes: "0100000000000000" } },
    ["tdx-module-attributes"],
  ],
  [
    "a module of version 0 by another signer",
    {
      body: { teeTcbSvn: "07000400000000000000000000000000", mrSignerSeam: "01".repeat(48) },
      ...platformLevel({ tdxtcbcomponents: zeros(7, 0, 4) }),
    },
    ["tdx-module-signer"],
  ],
  [
    "a module below all levels",
    { body: { teeTcbSvn: "05010400000000000000000000000000" } },
    ["tdx-module-svn"],
  ],
];

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

describe.each([
  ["form", FORM],
  ["signatures", SIGNATURES],
  ["PCK chain", CHAIN],
  ["revocation", REVOCATION],
  ["collateral", DOCUMENTS],
  ["Intel's judgement", JUDGEMENT],
])("the rules of %s", (_, rules) => {
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
  const all = [FORM, SIGNATURES, CHAIN, REVOCATION, DOCUMENTS, JUDGEMENT].flat();
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

function pckChainOf({ evidence }: MadeTdxEvidence): Uint8Array {
  const quote = Buffer.from(evidence.quote);
  return quote.subarray(quote.indexOf("-----BEGIN"));
}
