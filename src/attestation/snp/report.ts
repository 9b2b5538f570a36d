/**
 * The SEV-SNP attestation report (AMD document 56860, "SEV Secure Nested Paging Firmware ABI Specification",
 * table "ATTESTATION_REPORT"): 1184 bytes, little-endian, versions 2 to 5.
 */
import { toHex } from "../../core/bytes.ts";
import type { SnpProductLine } from "../../core/manifest/snp-reference-values.ts";
import { type Failure, failure } from "../failure.ts";

/** Length of every report in bytes. */
export const SNP_REPORT_BYTES = 1184;

/** A firmware version. */
export interface SnpFirmwareVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

/** Which processor wrote the report (CPUID leaf 1); reports since version 3 say it. */
export interface SnpCpuid {
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
}

/** A report's fields. Byte strings are lower-case hex; TCBs are raw, because their layout depends on the product. */
export interface SnpReport {
  readonly version: number;
  readonly guestSvn: number;
  /** The guest policy, 64 bits. */
  readonly policy: bigint;
  readonly familyId: string;
  readonly imageId: string;
  readonly vmpl: number;
  readonly signatureAlgorithm: number;
  /** Host facts, 64 bits. */
  readonly platformInfo: bigint;
  readonly authorKeyEnabled: boolean;
  readonly chipKeyMasked: boolean;
  /** 0 VCEK, 1 VLEK, 7 none. */
  readonly signingKey: number;
  readonly reportData: string;
  readonly measurement: string;
  readonly hostData: string;
  readonly idKeyDigest: string;
  readonly authorKeyDigest: string;
  readonly reportId: string;
  readonly reportIdMigrationAgent: string;
  /** `undefined` in version 2. */
  readonly cpuid: SnpCpuid | undefined;
  /** 64 bytes; zero if masked. */
  readonly chipId: string;
  /** 8 bytes each; `tcb.ts` reads them. */
  readonly currentTcb: string;
  readonly reportedTcb: string;
  readonly committedTcb: string;
  readonly launchTcb: string;
  readonly currentFirmware: SnpFirmwareVersion;
  readonly committedFirmware: SnpFirmwareVersion;
  /** Mitigation vectors, 64 bits; zero before version 5. */
  readonly launchMitigations: bigint;
  readonly currentMitigations: bigint;
}

/** A parsed report with what its signature covers. */
export interface ParsedSnpReport {
  readonly report: SnpReport;
  /** Bytes 0x000–0x29F. */
  readonly signedBytes: Uint8Array;
  /** r ‖ s, big-endian, 48 bytes each. */
  readonly signature: Uint8Array;
}

/**
 * Reads a report. Without `parsed`, its form is unknown (`snp-report-length`, `snp-report-version`); beside `parsed`
 * the failures are fields that must be zero (`snp-reserved-not-zero`), and an unknown signature algorithm or key.
 */
export function parseSnpReport(bytes: Uint8Array): {
  readonly parsed: ParsedSnpReport | undefined;
  readonly failures: readonly Failure[];
} {
  if (bytes.length !== SNP_REPORT_BYTES) {
    const found = `${bytes.length} bytes`;
    const wrong = failure("snp-report-length", `${SNP_REPORT_BYTES} bytes`, found);
    return { parsed: undefined, failures: [wrong] };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(0, true);
  if (version < 2 || version > 5) {
    const wrong = failure("snp-report-version", "2 to 5", version);
    return { parsed: undefined, failures: [wrong] };
  }
  const report = readFields(bytes, view, version);
  const failures: Failure[] = [];
  for (const [start, end] of reservedRanges(version)) {
    if (bytes.subarray(start, end).every((byte) => byte === 0)) continue;
    const place = `bytes 0x${start.toString(16)} to 0x${(end - 1).toString(16)}`;
    const found = toHex(bytes.subarray(start, end));
    failures.push(failure("snp-reserved-not-zero", "zero", found, place));
  }
  if (report.signatureAlgorithm !== 1) {
    failures.push(failure("snp-signature-algorithm", 1, report.signatureAlgorithm));
  }
  if (report.signingKey > 1) {
    failures.push(failure("snp-signing-key", "0 or 1", report.signingKey));
  }
  const signature = new Uint8Array(96);
  signature.set(bytes.slice(0x2a0, 0x2a0 + 48).reverse(), 0);
  signature.set(bytes.slice(0x2e8, 0x2e8 + 48).reverse(), 48);
  return { parsed: { report, signedBytes: bytes.subarray(0, 0x2a0), signature }, failures };
}

/** The product line that a family and model belong to (AMD document 57230, Key Distribution Service). */
export function snpProductLine(cpuid: SnpCpuid): SnpProductLine | undefined {
  const { family, model } = cpuid;
  if (family === 0x19 && model <= 0x0f) return "Milan";
  if (family === 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf))) {
    return "Genoa";
  }
  return family === 0x1a && model <= 0x11 ? "Turin" : undefined;
}

function readFields(bytes: Uint8Array, view: DataView, version: number): SnpReport {
  const hex = (offset: number, length: number): string =>
    toHex(bytes.subarray(offset, offset + length));
  const firmware = (offset: number): SnpFirmwareVersion => ({
    build: view.getUint8(offset),
    minor: view.getUint8(offset + 1),
    major: view.getUint8(offset + 2),
  });
  const flags = view.getUint32(0x48, true);
  return {
    version,
    guestSvn: view.getUint32(0x04, true),
    policy: view.getBigUint64(0x08, true),
    familyId: hex(0x10, 16),
    imageId: hex(0x20, 16),
    vmpl: view.getUint32(0x30, true),
    signatureAlgorithm: view.getUint32(0x34, true),
    currentTcb: hex(0x38, 8),
    platformInfo: view.getBigUint64(0x40, true),
    authorKeyEnabled: (flags & 1) !== 0,
    chipKeyMasked: (flags & 2) !== 0,
    signingKey: (flags >> 2) & 7,
    reportData: hex(0x50, 64),
    measurement: hex(0x90, 48),
    hostData: hex(0xc0, 32),
    idKeyDigest: hex(0xe0, 48),
    authorKeyDigest: hex(0x110, 48),
    reportId: hex(0x140, 32),
    reportIdMigrationAgent: hex(0x160, 32),
    reportedTcb: hex(0x180, 8),
    cpuid:
      version < 3
        ? undefined
        : {
            family: view.getUint8(0x188),
            model: view.getUint8(0x189),
            stepping: view.getUint8(0x18a),
          },
    chipId: hex(0x1a0, 64),
    committedTcb: hex(0x1e0, 8),
    currentFirmware: firmware(0x1e8),
    committedFirmware: firmware(0x1ec),
    launchTcb: hex(0x1f0, 8),
    launchMitigations: version < 5 ? 0n : view.getBigUint64(0x1f8, true),
    currentMitigations: version < 5 ? 0n : view.getBigUint64(0x200, true),
  };
}

/** Half-open ranges that must be zero. The flags' own reserved bits (above 4) are left to the firmware. */
function reservedRanges(version: number): readonly (readonly [number, number])[] {
  return [
    [0x4c, 0x50],
    version < 3 ? [0x188, 0x1a0] : [0x18b, 0x1a0],
    [0x1eb, 0x1ec],
    [0x1ef, 0x1f0],
    version < 5 ? [0x1f8, 0x2a0] : [0x208, 0x2a0],
    // R and S have 72 bytes each, of which P-384 uses 48.
    [0x2d0, 0x2e8],
    [0x318, 0x330],
    [0x330, 0x4a0],
  ];
}
