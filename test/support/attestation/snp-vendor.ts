/**
 * A simulated AMD whose every certificate, list and report can be made wrong in one place: the tests' source of
 * evidence that breaks exactly one rule.
 */
import { type KeyObject, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { Sha256 } from "../../../src/core/brand.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import type { SnpProductLine } from "../../../src/core/manifest/snp-reference-values.ts";
import { DER_TAG, contextTag } from "../../../src/crypto/der.ts";
import { derElement, derInteger, derSequence, derTime } from "../../../src/crypto/der-writer.ts";
import { sha256 } from "../../../src/crypto/hash.ts";
import type { Evidence } from "../../../src/attestation/evidence.ts";
import {
  type CertificateContent,
  type WrittenExtension,
  authorityConstraint,
  authorityKeyUsage,
  distinguishedName,
  pssAlgorithm,
  signStructure,
  writeCertificate,
} from "../../../src/attestation/dev/certificate-writer.ts";
import {
  type WrittenSnpReport,
  signSnpReport,
  writeSnpReport,
} from "../../../src/attestation/dev/snp-report-writer.ts";
import { AMD_EXTENSION } from "../../../src/attestation/snp/amd-extensions.ts";
import {
  type CertificateTableEntry,
  encodeCertificateTable,
} from "../../../src/attestation/snp/certificate-table.ts";

/** The clock of the simulated world. */
export const NOW = Date.parse("2025-06-01T12:00:00Z");
const DAY = 86_400_000;
const VALIDITY = { notBefore: NOW - 100 * DAY, notAfter: NOW + 100 * DAY };

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const generate = promisify(generateKeyPair);

/** A P-384 key pair, as endorsement keys are. */
export const p384 = (): Promise<KeyPair> => generate("ec", { namedCurve: "P-384" });
/** An RSA key pair of the smallest size that is accepted. */
export const rsa = (bits = 2048): Promise<KeyPair> => generate("rsa", { modulusLength: bits });

/** Keys of one vendor: made once, because RSA keys take long. */
export interface VendorKeys {
  readonly ark: KeyPair;
  readonly ask: KeyPair;
  readonly leaf: KeyPair;
}

export async function vendorKeys(): Promise<VendorKeys> {
  const [ark, ask, leaf] = await Promise.all([rsa(), rsa(), p384()]);
  return { ark, ask, leaf };
}

/** A name as the simulated vendor writes it. */
export const name = (commonName: string): Uint8Array =>
  distinguishedName("Simulated in a test", commonName);

/** What to do differently from a proper vendor; everything left out is right. */
export interface Deviations {
  readonly line?: SnpProductLine;
  readonly signingKey?: "vcek" | "vlek";
  readonly report?: Partial<WrittenSnpReport>;
  /** Changes the unsigned report's bytes: fields that the writer does not know. */
  readonly reportBytes?: (report: Uint8Array) => void;
  /** Changes the signed report's bytes. */
  readonly quoteBytes?: (quote: Uint8Array) => Uint8Array;
  readonly leaf?: Partial<CertificateContent>;
  readonly ask?: Partial<CertificateContent>;
  readonly ark?: Partial<CertificateContent>;
  /** Other keys that sign: the leaf certificate, the intermediate, the root, the report. */
  readonly leafSigner?: KeyObject;
  readonly askSigner?: KeyObject;
  readonly arkSigner?: KeyObject;
  readonly reportSigner?: KeyObject;
  /** Extensions of the leaf after a change. */
  readonly leafExtensions?: (extensions: readonly WrittenExtension[]) => WrittenExtension[];
  readonly table?: (entries: readonly CertificateTableEntry[]) => readonly CertificateTableEntry[];
}

export interface MadeEvidence {
  readonly evidence: Evidence;
  readonly root: Sha256;
  readonly ark: Uint8Array;
  readonly ask: Uint8Array;
  readonly leaf: Uint8Array;
}

export const CHIP_ID = "c1".repeat(64);
export const TURIN_CHIP_ID = "c2".repeat(8);
export const MEASUREMENT = "a5".repeat(48);
export const POLICY_HASH = "5a".repeat(32) as Sha256;
export const REPORT_DATA = new Uint8Array(64).fill(0xd7);
/** TCB bytes: bootloader 4, tee 1, snp 24, microcode 219; on Turin also FMC 2. */
const TCB = {
  Milan: "04010000000018db",
  Genoa: "04010000000018db",
  Turin: "02040118000000db",
};
const CPUID = {
  Milan: { family: 0x19, model: 0x01, stepping: 1 },
  Genoa: { family: 0x19, model: 0x11, stepping: 1 },
  Turin: { family: 0x1a, model: 0x02, stepping: 1 },
};

/** Evidence that is right but for the deviations. */
export async function makeEvidence(
  keys: VendorKeys,
  deviations: Deviations = {},
): Promise<MadeEvidence> {
  const { line = "Milan", signingKey = "vcek" } = deviations;
  const isVcek = signingKey === "vcek";
  const arkName = name(`ARK-${line}`);
  const askName = name(isVcek ? `SEV-${line}` : `SEV-VLEK-${line}`);
  const authority = (pathLength: number) => [authorityKeyUsage(), authorityConstraint(pathLength)];
  const leafExtensions = endorsementExtensions(line, isVcek);
  const [ark, ask, leaf] = await Promise.all([
    writeCertificate(
      {
        ...VALIDITY,
        serial: Uint8Array.of(1),
        issuer: arkName,
        subject: arkName,
        publicKey: keys.ark.publicKey,
        extensions: authority(1),
        ...deviations.ark,
      },
      deviations.arkSigner ?? keys.ark.privateKey,
    ),
    writeCertificate(
      {
        ...VALIDITY,
        serial: Uint8Array.of(2),
        issuer: arkName,
        subject: askName,
        publicKey: keys.ask.publicKey,
        extensions: authority(0),
        ...deviations.ask,
      },
      deviations.askSigner ?? keys.ark.privateKey,
    ),
    writeCertificate(
      {
        ...VALIDITY,
        serial: Uint8Array.of(0),
        issuer: askName,
        subject: name(isVcek ? "SEV-VCEK" : "SEV-VLEK"),
        publicKey: keys.leaf.publicKey,
        extensions: deviations.leafExtensions?.(leafExtensions) ?? leafExtensions,
        ...deviations.leaf,
      },
      deviations.leafSigner ?? keys.ask.privateKey,
    ),
  ]);
  const report = writeSnpReport({ ...properReport(line, isVcek), ...deviations.report });
  deviations.reportBytes?.(report);
  const signed = await signSnpReport(report, deviations.reportSigner ?? keys.leaf.privateKey);
  const entries: readonly CertificateTableEntry[] = [
    { kind: "ark", data: ark },
    { kind: "ask", data: ask },
    { kind: signingKey, data: leaf },
  ];
  return {
    evidence: {
      platform: "snp",
      quote: deviations.quoteBytes?.(signed) ?? signed,
      certificates: encodeCertificateTable(deviations.table?.(entries) ?? entries),
    },
    root: sha256(keys.ark.publicKey.export({ format: "der", type: "spki" })),
    ark,
    ask,
    leaf,
  };
}

/** A revocation list. `signer` signs as the root of `line`. */
export function makeRevocationList(
  signer: KeyObject,
  options: {
    readonly issuer?: string;
    readonly serials?: readonly number[];
    readonly thisUpdate?: number;
    readonly nextUpdate?: number;
  } = {},
): Promise<Uint8Array> {
  const entries = (options.serials ?? []).map((serial) =>
    derSequence(derInteger(serial), derTime(NOW - DAY)),
  );
  const tbs = derSequence(
    derInteger(1),
    pssAlgorithm(),
    name(options.issuer ?? "ARK-Milan"),
    derTime(options.thisUpdate ?? NOW - DAY),
    derTime(options.nextUpdate ?? NOW + DAY),
    ...(entries.length > 0 ? [derSequence(...entries)] : []),
    derElement(contextTag(0), derSequence()),
  );
  return signStructure(tbs, signer);
}

/** An extension whose value is an INTEGER. */
export function integerExtension(oid: string, value: number): WrittenExtension {
  return { oid, value: derInteger(value) };
}

/** An extension whose value is an IA5String. */
export function textExtension(oid: string, text: string): WrittenExtension {
  return { oid, value: derElement(DER_TAG.ia5String, utf8(text)) };
}

function endorsementExtensions(line: SnpProductLine, isVcek: boolean): WrittenExtension[] {
  const chip = line === "Turin" ? new Uint8Array(8).fill(0xc2) : new Uint8Array(64).fill(0xc1);
  return [
    textExtension(AMD_EXTENSION.productName, line === "Turin" ? line : `${line}-B1`),
    ...(line === "Turin" ? [integerExtension(AMD_EXTENSION.fmc, 2)] : []),
    integerExtension(AMD_EXTENSION.bootloader, 4),
    integerExtension(AMD_EXTENSION.tee, 1),
    integerExtension(AMD_EXTENSION.snp, 24),
    { oid: AMD_EXTENSION.microcode, value: derInteger(219) },
    isVcek
      ? { oid: AMD_EXTENSION.hardwareId, value: chip }
      : textExtension(AMD_EXTENSION.cspId, "cloud.example"),
  ];
}

function properReport(line: SnpProductLine, isVcek: boolean): WrittenSnpReport {
  const chipId = line === "Turin" ? TURIN_CHIP_ID.padEnd(128, "0") : CHIP_ID;
  return {
    version: 3,
    guestSvn: 7,
    policy: 0x3_001fn,
    familyId: "",
    imageId: "",
    vmpl: 0,
    signatureAlgorithm: 1,
    platformInfo: 0x25n,
    keyFlags: isVcek ? 0 : 1 << 2,
    reportData: "d7".repeat(64),
    measurement: MEASUREMENT,
    hostData: POLICY_HASH,
    idKeyDigest: "",
    authorKeyDigest: "",
    cpuid: CPUID[line],
    chipId: isVcek ? chipId : "",
    currentTcb: TCB[line],
    reportedTcb: TCB[line],
    committedTcb: TCB[line],
    launchTcb: TCB[line],
    currentFirmware: [29, 55, 1],
    committedFirmware: [29, 55, 1],
  };
}
