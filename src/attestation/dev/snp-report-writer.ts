/** Writes and signs SEV-SNP reports, for the development platform and for tests. */
import { type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";
import { fromHex } from "../../core/bytes.ts";
import { SNP_REPORT_BYTES } from "../snp/report.ts";

/** A report's fields that can be chosen. Byte strings are hex; the rest is zero. */
export interface WrittenSnpReport {
  readonly version: number;
  readonly guestSvn: number;
  readonly policy: bigint;
  readonly familyId: string;
  readonly imageId: string;
  readonly vmpl: number;
  readonly signatureAlgorithm: number;
  readonly platformInfo: bigint;
  /** The word at 0x48: author key, masked chip key, signing key. */
  readonly keyFlags: number;
  readonly reportData: string;
  readonly measurement: string;
  readonly hostData: string;
  readonly idKeyDigest: string;
  readonly authorKeyDigest: string;
  readonly cpuid: { readonly family: number; readonly model: number; readonly stepping: number };
  readonly chipId: string;
  /** 8 bytes each. */
  readonly currentTcb: string;
  readonly reportedTcb: string;
  readonly committedTcb: string;
  readonly launchTcb: string;
  /** Build, minor and major of current and committed firmware. */
  readonly currentFirmware: readonly [number, number, number];
  readonly committedFirmware: readonly [number, number, number];
}

/** The report without its signature. */
export function writeSnpReport(fields: WrittenSnpReport): Uint8Array {
  const report = new Uint8Array(SNP_REPORT_BYTES);
  const view = new DataView(report.buffer);
  view.setUint32(0x00, fields.version, true);
  view.setUint32(0x04, fields.guestSvn, true);
  view.setBigUint64(0x08, fields.policy, true);
  report.set(bytes(fields.familyId), 0x10);
  report.set(bytes(fields.imageId), 0x20);
  view.setUint32(0x30, fields.vmpl, true);
  view.setUint32(0x34, fields.signatureAlgorithm, true);
  report.set(bytes(fields.currentTcb), 0x38);
  view.setBigUint64(0x40, fields.platformInfo, true);
  view.setUint32(0x48, fields.keyFlags, true);
  report.set(bytes(fields.reportData), 0x50);
  report.set(bytes(fields.measurement), 0x90);
  report.set(bytes(fields.hostData), 0xc0);
  report.set(bytes(fields.idKeyDigest), 0xe0);
  report.set(bytes(fields.authorKeyDigest), 0x110);
  report.set(bytes(fields.reportedTcb), 0x180);
  if (fields.version >= 3) {
    report.set([fields.cpuid.family, fields.cpuid.model, fields.cpuid.stepping], 0x188);
  }
  report.set(bytes(fields.chipId), 0x1a0);
  report.set(bytes(fields.committedTcb), 0x1e0);
  report.set(fields.currentFirmware, 0x1e8);
  report.set(fields.committedFirmware, 0x1ec);
  report.set(bytes(fields.launchTcb), 0x1f0);
  return report;
}

const signInPool = promisify(sign);

/** A copy of `report` with a fresh signature by a P-384 key, in AMD's little-endian form. */
export async function signSnpReport(report: Uint8Array, key: KeyObject): Promise<Uint8Array> {
  const signed = report.slice();
  const options = { key, dsaEncoding: "ieee-p1363" } as const;
  const signature = await signInPool("sha384", signed.subarray(0, 0x2a0), options);
  signed.fill(0, 0x2a0);
  signed.set(signature.subarray(0, 48).reverse(), 0x2a0);
  signed.set(signature.subarray(48, 96).reverse(), 0x2e8);
  return signed;
}

function bytes(hex: string): Uint8Array {
  const decoded = fromHex(hex);
  if (decoded === undefined) throw new RangeError(`not hex: ${hex}`);
  return decoded;
}
