/**
 * A simulated Intel: root, PCK authority, one machine and its collateral, in the form of the real ones. What is
 * issued is data first (`intelContent`), then signed (`issueIntel`), so that tests can make any part of it wrong.
 */
import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { DER_TAG } from "../../crypto/der.ts";
import { derElement } from "../../crypto/der-writer.ts";
import type { PckExtension } from "../tdx/pck-extension.ts";
import type { Collateral } from "../verification.ts";
import {
  authorityConstraint,
  authorityKeyUsage,
  type CertificateContent,
  distinguishedName,
  writeCertificate,
  type WrittenExtension,
} from "./certificate-writer.ts";
import {
  pckExtension,
  pemChain,
  type RevocationListContent,
  writeRevocationList,
  writeSignedDocument,
} from "./intel-writer.ts";
import type { WrittenQeReport } from "./tdx-quote-writer.ts";

/** A key pair on P-256. */
export interface IntelKeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** Whose keys there are. */
export type IntelParty = "root" | "authority" | "pck" | "tcbSigner";

/** All keys of a simulated Intel. */
export type IntelKeys = Readonly<Record<IntelParty, IntelKeyPair>>;

/** Everything that a simulated Intel issues, unsigned. */
export interface IntelContent {
  readonly certificates: Readonly<Record<IntelParty, CertificateContent>>;
  readonly pckCrl: RevocationListContent;
  readonly rootCrl: RevocationListContent;
  /** As Intel's JSON has them. */
  readonly tcbInfo: Readonly<Record<string, unknown>>;
  readonly qeIdentity: Readonly<Record<string, unknown>>;
}

/** The same, signed. */
export interface IssuedByIntel {
  /** What a quote of the machine carries. */
  readonly pckChainPem: Uint8Array;
  readonly collateral: Collateral;
}

/** A span of time in milliseconds since the Unix epoch. */
interface Span {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The simulated machine: its security versions are exactly those of the only TCB level. */
export const SIMULATED_PCK: PckExtension = {
  components: [4, 4, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0],
  pceSvn: 13,
  pceId: Uint8Array.of(0, 0),
  fmspc: Uint8Array.of(0x51, 0x4d, 0x55, 0, 0, 0),
  platformInstanceId: new Uint8Array(16).fill(0x51),
};

/** `tee_tcb_svn` of the simulated machine: module generation 1 with security version 6, late microcode 4. */
export const SIMULATED_TEE_TCB_SVN = "06010400000000000000000000000000";

/** The simulated quoting enclave. */
export const SIMULATED_QE: WrittenQeReport = {
  miscSelect: "00000000",
  attributes: "11000000000000000000000000000000",
  mrSigner: "51".repeat(32),
  isvProdId: 2,
  isvSvn: 4,
};

/** New keys. */
export async function makeIntelKeys(): Promise<IntelKeys> {
  const pair = (): Promise<IntelKeyPair> => generate("ec", { namedCurve: "P-256" });
  const [root, authority, pck, tcbSigner] = await Promise.all([pair(), pair(), pair(), pair()]);
  return { root, authority, pck, tcbSigner };
}

/** What a simulated Intel has to say. Certificates, lists and documents are all valid for `span`. */
export function intelContent(keys: IntelKeys, span: Span): IntelContent {
  const name = (commonName: string) => distinguishedName(ORGANIZATION, commonName);
  const rootName = name("Intel SGX Root CA");
  const authorityName = name("Intel SGX PCK Platform CA");
  const certificate = (
    party: IntelParty,
    serial: number,
    issuer: Uint8Array,
    subject: Uint8Array,
    extensions: readonly WrittenExtension[],
  ): CertificateContent => {
    const { publicKey } = keys[party];
    return { ...span, serial: Uint8Array.of(serial), issuer, subject, publicKey, extensions };
  };
  const authority = (pathLength: number) => [authorityKeyUsage(), authorityConstraint(pathLength)];
  const tcbSignerName = name("Intel SGX TCB Signing");
  const leaf = [leafKeyUsage()];
  const pckLeaf = [...leaf, pckExtension(SIMULATED_PCK)];
  const list = { thisUpdate: span.notBefore, nextUpdate: span.notAfter, revoked: [] };
  return {
    certificates: {
      root: certificate("root", 1, rootName, rootName, authority(1)),
      authority: certificate("authority", 2, rootName, authorityName, authority(0)),
      pck: certificate("pck", 3, authorityName, name("Intel SGX PCK Certificate"), pckLeaf),
      tcbSigner: certificate("tcbSigner", 4, rootName, tcbSignerName, leaf),
    },
    pckCrl: { issuer: authorityName, ...list },
    rootCrl: { issuer: rootName, ...list },
    tcbInfo: tcbInfo(span),
    qeIdentity: qeIdentity(span),
  };
}

/**
 * Signs it all.
 *
 * @param signers the private keys that sign, by whose signature it is. @default the right ones
 */
export async function issueIntel(
  content: IntelContent,
  signers: Readonly<Record<IntelParty, KeyObject>>,
): Promise<IssuedByIntel> {
  const { root, authority, pck, tcbSigner } = content.certificates;
  const [rootDer, authorityDer, pckDer, tcbSignerDer, pckCrl, rootCrl, info, identity] =
    await Promise.all([
      writeCertificate(root, signers.root),
      writeCertificate(authority, signers.root),
      writeCertificate(pck, signers.authority),
      writeCertificate(tcbSigner, signers.root),
      writeRevocationList(content.pckCrl, signers.authority),
      writeRevocationList(content.rootCrl, signers.root),
      writeSignedDocument("tcbInfo", content.tcbInfo, signers.tcbSigner),
      writeSignedDocument("enclaveIdentity", content.qeIdentity, signers.tcbSigner),
    ]);
  return {
    pckChainPem: pemChain([pckDer, authorityDer, rootDer]),
    collateral: {
      certificates: [tcbSignerDer, rootDer],
      revocationLists: [pckCrl, rootCrl],
      tcbInfos: [info],
      qeIdentities: [identity],
    },
  };
}

/** The private keys of {@link IntelKeys}, as {@link issueIntel} wants them. */
export function intelSigners(keys: IntelKeys): Readonly<Record<IntelParty, KeyObject>> {
  return {
    root: keys.root.privateKey,
    authority: keys.authority.privateKey,
    pck: keys.pck.privateKey,
    tcbSigner: keys.tcbSigner.privateKey,
  };
}

const generate = promisify(generateKeyPair);

const ORGANIZATION = "Simulated vendor, INSECURE, for development only";
const EVALUATION = 18;
const TCB_DATE = "2024-11-13T00:00:00Z";
const NO_SIGNER = "00".repeat(48);

/** The critical key usage of Intel's leaves: digitalSignature (0), seven unused bits. */
function leafKeyUsage(): WrittenExtension {
  const value = derElement(DER_TAG.bitString, Uint8Array.of(7, 0b1000_0000));
  return { oid: "2.5.29.15", critical: true, value };
}

function tcbInfo(span: Span): Readonly<Record<string, unknown>> {
  const identity = {
    mrsigner: NO_SIGNER,
    attributes: "00".repeat(8),
    attributesMask: "ff".repeat(8),
  };
  const svns = (values: readonly number[]) => values.map((svn) => ({ svn }));
  return {
    id: "TDX",
    version: 3,
    ...dates(span),
    fmspc: Buffer.from(SIMULATED_PCK.fmspc).toString("hex"),
    pceId: "0000",
    tcbType: 0,
    tcbEvaluationDataNumber: EVALUATION,
    tdxModule: identity,
    tdxModuleIdentities: [{ id: "TDX_01", ...identity, tcbLevels: isvSvnLevels(6) }],
    tcbLevels: [
      {
        tcb: {
          sgxtcbcomponents: svns(SIMULATED_PCK.components),
          pcesvn: SIMULATED_PCK.pceSvn,
          tdxtcbcomponents: svns([5, 0, 4, ...new Array<number>(13).fill(0)]),
        },
        tcbDate: TCB_DATE,
        tcbStatus: "UpToDate",
      },
    ],
  };
}

function qeIdentity(span: Span): Readonly<Record<string, unknown>> {
  return {
    id: "TD_QE",
    version: 2,
    ...dates(span),
    tcbEvaluationDataNumber: EVALUATION,
    miscselect: SIMULATED_QE.miscSelect,
    miscselectMask: "ffffffff",
    attributes: SIMULATED_QE.attributes,
    attributesMask: "fbffffffffffffff0000000000000000",
    mrsigner: SIMULATED_QE.mrSigner,
    isvprodid: SIMULATED_QE.isvProdId,
    tcbLevels: isvSvnLevels(SIMULATED_QE.isvSvn),
  };
}

function isvSvnLevels(isvsvn: number) {
  return [{ tcb: { isvsvn }, tcbDate: TCB_DATE, tcbStatus: "UpToDate" }];
}

function dates({ notBefore, notAfter }: Span) {
  const seconds = (millis: number) => `${new Date(millis).toISOString().slice(0, 19)}Z`;
  return { issueDate: seconds(notBefore), nextUpdate: seconds(notAfter) };
}
