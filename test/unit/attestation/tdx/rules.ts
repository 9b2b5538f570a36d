/** The rules of genuineness: for each one a way to break it alone, and the failures that this brings about. */
import { generateKeyPairSync } from "node:crypto";
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
import type { FailureCode } from "../../../../src/attestation/failure.ts";
import { concat, utf8 } from "../../../../src/core/bytes.ts";
import { sha256 } from "../../../../src/crypto/hash.ts";
import { derInteger } from "../../../../src/crypto/der-writer.ts";
import {
  attestationKeys,
  DAY,
  intelKeys,
  type MadeTdxEvidence,
  makeTdxEvidence,
  NOW,
  QE_AUTH_DATA,
  strangerKeys,
  type TdxDeviations,
} from "../../../support/attestation/tdx-vendor.ts";

export const PROPER = await makeTdxEvidence();
export const content = intelContent(intelKeys, {
  notBefore: NOW - 10 * DAY,
  notAfter: NOW + 10 * DAY,
});
const { pck } = content.certificates;
export const stranger = strangerKeys.privateKey;
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const nobody = distinguishedName("Somebody", "Else");
const tomorrow = { notBefore: NOW + DAY, notAfter: NOW + 10 * DAY };
export const yesterday = { notBefore: NOW - 10 * DAY, notAfter: NOW - DAY };
const unknownExtension = { oid: "1.2.3.4", critical: true, value: derInteger(1) };
/** Key usage cRLSign alone, keyCertSign alone, and none of those that Intel's certificates have. */
const usage = (bits: number) => ({
  oid: "2.5.29.15",
  critical: true,
  value: Uint8Array.of(3, 2, 1, bits),
});
const CRL_ONLY = usage(0b0000_0010);
const ISSUE_ONLY = usage(0b0000_0100);

export const tcbInfo = (change: object): TdxDeviations => ({
  content: (c) => ({ tcbInfo: { ...c.tcbInfo, ...change } }),
});
export const qeIdentity = (change: object): TdxDeviations => ({
  content: (c) => ({ qeIdentity: { ...c.qeIdentity, ...change } }),
});
export const moduleIdentity = (change: object): TdxDeviations => {
  const [identity] = content.tcbInfo["tdxModuleIdentities"] as object[];
  return tcbInfo({ tdxModuleIdentities: [{ ...identity, ...change }] });
};
export const platformLevel = (tcbChange: object, change: object = {}): TdxDeviations => {
  const [level] = content.tcbInfo["tcbLevels"] as { tcb: object }[];
  return tcbInfo({ tcbLevels: [{ ...level, tcb: { ...level!.tcb, ...tcbChange }, ...change }] });
};
const pckWith = (change: Partial<typeof SIMULATED_PCK>): TdxDeviations => ({
  certificates: {
    pck: { extensions: [pck.extensions[0]!, pckExtension({ ...SIMULATED_PCK, ...change })] },
  },
});
export const lists = (change: (content: IntelContent) => Partial<IntelContent>): TdxDeviations => ({
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

/** A quote with one more byte behind the PCK chain, counted as part of the QE certification data. */
const withLongerCertification = (quote: Uint8Array): Uint8Array => {
  const out = withLongerAuthentication(quote);
  const view = new DataView(out.buffer);
  const size = CERTIFICATION_TYPE + 2;
  view.setUint32(size, view.getUint32(size, true) + 1, true);
  return out;
};

/** The right hash of key and authentication data, with something behind it. */
const hashWithTail = (): string => {
  const spki = attestationKeys.publicKey.export({ format: "der", type: "spki" });
  return `${sha256(concat(spki.subarray(-64), QE_AUTH_DATA))}${"01".repeat(32)}`;
};

/** Name, deviation from what is proper, failures. */
export type Rule = readonly [string, TdxDeviations, readonly FailureCode[]];

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
  ["unused bytes further inside", { quoteBytes: withLongerCertification }, ["tdx-quote-length"]],
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
  [
    "a QE report with a tail",
    { qeReport: { reportData: hashWithTail() } },
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

export const serial = (value: number) => [Uint8Array.of(value)];

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

/** All rules by what they are about. */
export const RULES: readonly (readonly [string, readonly Rule[]])[] = [
  ["form", FORM],
  ["signatures", SIGNATURES],
  ["PCK chain", CHAIN],
  ["revocation", REVOCATION],
  ["collateral", DOCUMENTS],
  ["Intel's judgement", JUDGEMENT],
];

function pckChainOf({ evidence }: MadeTdxEvidence): Uint8Array {
  const quote = Buffer.from(evidence.quote);
  return quote.subarray(quote.indexOf("-----BEGIN"));
}
