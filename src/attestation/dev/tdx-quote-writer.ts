/** Writes and signs TDX quotes, for the development platform and for tests. */
import { type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";
import { assert } from "../../core/assert.ts";
import { concat, fromHex } from "../../core/bytes.ts";
import { sha256Bytes } from "../../crypto/hash.ts";
import type { TdBody } from "../tdx/td-body.ts";

/** A quote's fields that can be chosen. Byte strings are hex. */
export interface WrittenTdxQuote {
  readonly version: 4 | 5;
  /** A version 5 quote has a TD 1.5 body if the body has `teeTcbSvn2` and `mrServiceTd`. */
  readonly body: TdBody<string>;
  readonly qeReport: WrittenQeReport;
  readonly qeAuthData: Uint8Array;
}

/** The fields of the quoting enclave's report that can be chosen; the rest is zero. */
export interface WrittenQeReport {
  readonly miscSelect: string;
  readonly attributes: string;
  readonly mrSigner: string;
  readonly isvProdId: number;
  readonly isvSvn: number;
  /** 64 bytes. @default what binds the attestation key and the authentication data */
  readonly reportData?: string;
}

/** The keys that sign a quote, both P-256. */
export interface TdxQuoteKeys {
  readonly attestation: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly pck: KeyObject;
}

/** Writes a quote, with the quoting enclave's report that vouches for the attestation key. */
export async function writeTdxQuote(
  quote: WrittenTdxQuote,
  keys: TdxQuoteKeys,
  pckChainPem: Uint8Array,
): Promise<Uint8Array> {
  const body = bodyBytes(quote.body);
  const descriptor =
    quote.version === 4
      ? new Uint8Array()
      : concat(uint16(quote.body.mrServiceTd === undefined ? 2 : 3), uint32(body.length));
  const signed = concat(header(quote.version), descriptor, body);
  const key = rawPoint(keys.attestation.publicKey);
  const report = qeReportBytes(quote.qeReport, sha256Bytes(concat(key, quote.qeAuthData)));
  const certification = concat(
    report,
    await rawSignature(report, keys.pck),
    uint16(quote.qeAuthData.length),
    quote.qeAuthData,
    uint16(5),
    uint32(pckChainPem.length),
    pckChainPem,
  );
  const authentication = concat(
    await rawSignature(signed, keys.attestation.privateKey),
    key,
    uint16(6),
    uint32(certification.length),
    certification,
  );
  return concat(signed, uint32(authentication.length), authentication);
}

/** r ‖ s, 64 bytes, of ECDSA P-256 with SHA-256. */
export function rawSignature(bytes: Uint8Array, key: KeyObject): Promise<Uint8Array> {
  return signInPool("sha256", bytes, { key, dsaEncoding: "ieee-p1363" });
}

const signInPool = promisify(sign);

function header(version: number): Uint8Array {
  const vendor = hexBytes("939a7233f79c4ca9940a0db3957f0607", 16);
  return concat(uint16(version), uint16(2), uint32(0x81), uint32(0), vendor, new Uint8Array(20));
}

function bodyBytes(body: TdBody<string>): Uint8Array {
  return concat(
    hexBytes(body.teeTcbSvn, 16),
    hexBytes(body.mrSeam, 48),
    hexBytes(body.mrSignerSeam, 48),
    hexBytes(body.seamAttributes, 8),
    hexBytes(body.tdAttributes, 8),
    hexBytes(body.xfam, 8),
    hexBytes(body.mrTd, 48),
    hexBytes(body.mrConfigId, 48),
    hexBytes(body.mrOwner, 48),
    hexBytes(body.mrOwnerConfig, 48),
    ...body.rtmrs.map((rtmr) => hexBytes(rtmr, 48)),
    hexBytes(body.reportData, 64),
    ...(body.teeTcbSvn2 === undefined ? [] : [hexBytes(body.teeTcbSvn2, 16)]),
    ...(body.mrServiceTd === undefined ? [] : [hexBytes(body.mrServiceTd, 48)]),
  );
}

function qeReportBytes(report: WrittenQeReport, binding: Uint8Array): Uint8Array {
  return concat(
    new Uint8Array(16),
    hexBytes(report.miscSelect, 4),
    new Uint8Array(28),
    hexBytes(report.attributes, 16),
    new Uint8Array(64),
    hexBytes(report.mrSigner, 32),
    new Uint8Array(96),
    uint16(report.isvProdId),
    uint16(report.isvSvn),
    new Uint8Array(60),
    report.reportData === undefined
      ? concat(binding, new Uint8Array(32))
      : hexBytes(report.reportData, 64),
  );
}

/** x ‖ y of a P-256 key: the end of its SPKI. */
function rawPoint(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: "der", type: "spki" }).subarray(-64));
}

function hexBytes(text: string, length: number): Uint8Array {
  const bytes = fromHex(text);
  assert(bytes?.length === length, `a quote's field has ${length} bytes`);
  return bytes;
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >> 8);
}

function uint32(value: number): Uint8Array {
  return concat(uint16(value % 0x1_0000), uint16(Math.floor(value / 0x1_0000)));
}
