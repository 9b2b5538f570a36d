/** The SGX report of the quoting enclave, which the PCK signs and which binds the attestation key. */
import { ByteReader } from "./byte-reader.ts";

/** Bytes of an SGX report body. */
export const ENCLAVE_REPORT_BYTES = 384;

/** The fields that an appraisal of the quoting enclave needs; byte strings are views. */
export interface EnclaveReport {
  /** 4 bytes, little-endian: extended features. */
  readonly miscSelect: Uint8Array;
  /** 16 bytes: flags, then the extended feature mask. Bit 1 of the first byte is debug. */
  readonly attributes: Uint8Array;
  readonly mrEnclave: Uint8Array;
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  readonly isvSvn: number;
  /** 64 bytes: SHA-256 over attestation key and authentication data, then 32 zero bytes. */
  readonly reportData: Uint8Array;
}

/** Reads exactly {@link ENCLAVE_REPORT_BYTES} bytes (Intel SDM volume 3D, REPORT structure). */
export function readEnclaveReport(bytes: Uint8Array): EnclaveReport {
  const reader = new ByteReader(bytes);
  reader.take(16, "cpusvn");
  const miscSelect = reader.take(4, "miscselect");
  reader.take(28, "reserved and isvextprodid");
  const attributes = reader.take(16, "attributes");
  const mrEnclave = reader.take(32, "mrenclave");
  reader.take(32, "reserved");
  const mrSigner = reader.take(32, "mrsigner");
  reader.take(96, "reserved and configid");
  const isvProdId = reader.uint16("isvprodid");
  const isvSvn = reader.uint16("isvsvn");
  reader.take(60, "configsvn, reserved and isvfamilyid");
  const reportData = reader.take(64, "report_data");
  return { miscSelect, attributes, mrEnclave, mrSigner, isvProdId, isvSvn, reportData };
}
