/**
 * Parser of TDX quotes, format versions 4 and 5 (Intel TDX DCAP Quoting Library API, appendix 3).
 *
 * Layout: header (48), v5: body type and size (6), TD body, length of the authentication data (4), then the
 * authentication data: quote signature (64), attestation key (64), certification data of type 6, which holds the
 * QE report (384), its signature (64), QE authentication data, and certification data of type 5, the PEM chain.
 * Every length must fit exactly; only bytes behind the authentication data are free, because clouds pad quotes.
 */
import { toHex } from "../../core/bytes.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { type Failure, type FailureCode, failure } from "../failure.ts";
import { ByteReader, EndOfInput } from "./byte-reader.ts";
import { ENCLAVE_REPORT_BYTES, type EnclaveReport, readEnclaveReport } from "./enclave-report.ts";
import { readTdBody, TD_BODY_10_BYTES, TD_BODY_15_BYTES, type TdBody } from "./td-body.ts";

/** A parsed quote. Nothing in it is proved yet. Byte strings are views of the input. */
export interface TdxQuote {
  readonly version: 4 | 5;
  readonly body: TdBody;
  /** Header to body: what the attestation key signs. */
  readonly signedBytes: Uint8Array;
  /** r ‖ s, 64 bytes, by the attestation key. */
  readonly signature: Uint8Array;
  /** The P-256 point x ‖ y, 64 bytes. */
  readonly attestationKey: Uint8Array;
  readonly qeReport: EnclaveReport;
  /** What the PCK signs. */
  readonly qeReportBytes: Uint8Array;
  /** r ‖ s, 64 bytes, by the PCK. */
  readonly qeReportSignature: Uint8Array;
  readonly qeAuthData: Uint8Array;
  /** PEM certificates, PCK first; without the closing NUL that some quote generators add. */
  readonly pckChainPem: Uint8Array;
  /** Bytes behind the authentication data: ignored, and reported as a warning. */
  readonly trailingBytes: number;
}

/**
 * Parses a quote in time linear in its size. The error is one of the failures that the first group of
 * `TDX_FAILURE_MEANINGS` names.
 *
 * **Security:** a success says nothing of genuineness; see `createTdxVerifier`.
 */
export function parseTdxQuote(bytes: Uint8Array): Result<TdxQuote, Failure> {
  try {
    return ok(readQuote(bytes));
  } catch (error) {
    if (error instanceof QuoteRefusal) return err(error.failure);
    if (!(error instanceof EndOfInput)) throw error;
    const { what, wanted, left } = error;
    return err(failure("tdx-quote-truncated", `${wanted} bytes`, `${left} bytes`, what));
  }
}

const TEE_TYPE_SGX = 0;
const TEE_TYPE_TDX = 0x81;
const KEY_TYPE_ECDSA_P256 = 2;
const INTEL_QE_VENDOR = "939a7233f79c4ca9940a0db3957f0607";
const BODY_TYPE_SGX_ENCLAVE = 1;
const BODY_TYPE_TD_10 = 2;
const BODY_TYPE_TD_15 = 3;
const CERTIFICATION_QE_REPORT = 6;
const CERTIFICATION_PCK_CHAIN = 5;

/** Ends the parse for a reason other than a short input; never leaves this file. */
class QuoteRefusal extends Error {
  readonly failure: Failure;

  constructor(code: FailureCode, expected: string | number, found: string | number) {
    super(code);
    this.failure = failure(code, expected, found);
  }
}

function readQuote(bytes: Uint8Array): TdxQuote {
  const reader = new ByteReader(bytes);
  const version = readHeader(reader);
  const body = readTdBody(reader, version === 4 ? TD_BODY_10_BYTES : readBodyHeader(reader));
  const signedBytes = bytes.subarray(0, reader.offset);
  const authentication = nested(reader, "authentication data");
  const trailingBytes = reader.left;

  const signature = authentication.take(64, "quote signature");
  const attestationKey = authentication.take(64, "attestation key");
  demandType(authentication, CERTIFICATION_QE_REPORT);
  const certification = nested(authentication, "QE certification data");
  demandEnd(authentication, "authentication data");

  const qeReportBytes = certification.take(ENCLAVE_REPORT_BYTES, "QE report");
  const qeReportSignature = certification.take(64, "QE report signature");
  const qeAuthData = certification.take(certification.uint16("QE auth data size"), "QE auth data");
  demandType(certification, CERTIFICATION_PCK_CHAIN);
  const chain = certification.take(certification.uint32("PCK chain size"), "PCK chain");
  demandEnd(certification, "QE certification data");

  return {
    version,
    body,
    signedBytes,
    signature,
    attestationKey,
    qeReport: readEnclaveReport(qeReportBytes),
    qeReportBytes,
    qeReportSignature,
    qeAuthData,
    pckChainPem: chain[chain.length - 1] === 0 ? chain.subarray(0, -1) : chain,
    trailingBytes,
  };
}

function readHeader(reader: ByteReader): 4 | 5 {
  const version = reader.uint16("version");
  if (version === 3) {
    throw new QuoteRefusal("tdx-not-a-td", "quote version 4 or 5", "3, an SGX enclave's quote");
  }
  if (version !== 4 && version !== 5) {
    throw new QuoteRefusal("tdx-quote-version", "4 or 5", version);
  }
  const keyType = reader.uint16("attestation key type");
  if (keyType !== KEY_TYPE_ECDSA_P256) {
    throw new QuoteRefusal("tdx-quote-key-type", KEY_TYPE_ECDSA_P256, keyType);
  }
  const teeType = reader.uint32("TEE type");
  if (teeType === TEE_TYPE_SGX) {
    throw new QuoteRefusal("tdx-not-a-td", "TEE type 0x81", "0, an SGX enclave");
  }
  if (teeType !== TEE_TYPE_TDX) {
    throw new QuoteRefusal("tdx-quote-tee-type", "0x81", `0x${teeType.toString(16)}`);
  }
  reader.take(4, "reserved");
  const vendor = toHex(reader.take(16, "QE vendor id"));
  if (vendor !== INTEL_QE_VENDOR) {
    throw new QuoteRefusal("tdx-quote-vendor", INTEL_QE_VENDOR, vendor);
  }
  reader.take(20, "user data");
  return version;
}

/** Version 5's body descriptor; the size that stands for the type. */
function readBodyHeader(reader: ByteReader): typeof TD_BODY_10_BYTES | typeof TD_BODY_15_BYTES {
  const type = reader.uint16("body type");
  const size = reader.uint32("body size");
  if (type === BODY_TYPE_SGX_ENCLAVE) {
    throw new QuoteRefusal("tdx-not-a-td", "body type 2 or 3", "1, an SGX enclave report");
  }
  if (type === BODY_TYPE_TD_10 && size === TD_BODY_10_BYTES) return TD_BODY_10_BYTES;
  if (type === BODY_TYPE_TD_15 && size === TD_BODY_15_BYTES) return TD_BODY_15_BYTES;
  const expected = `type 2 of ${TD_BODY_10_BYTES} bytes or type 3 of ${TD_BODY_15_BYTES}`;
  throw new QuoteRefusal("tdx-quote-body-type", expected, `type ${type} of ${size} bytes`);
}

function nested(reader: ByteReader, what: string): ByteReader {
  const size = reader.uint32(`${what} size`);
  return new ByteReader(reader.take(size, what));
}

function demandType(reader: ByteReader, expected: number): void {
  const type = reader.uint16("certification data type");
  if (type !== expected) throw new QuoteRefusal("tdx-quote-certification", expected, type);
}

function demandEnd(reader: ByteReader, what: string): void {
  if (reader.left === 0) return;
  throw new QuoteRefusal("tdx-quote-length", `nothing behind the ${what}`, `${reader.left} bytes`);
}
