/**
 * Evidence in files: a bare report or quote as tools write it (raw, hex or base64), or our own form, which keeps the
 * host's certificates beside it: `{"format": "quorate/evidence/v1", "platform", "quote", "certificates"}`, byte
 * strings in base64.
 */
import { fromBase64, toBase64 } from "../core/base64.ts";
import { fromHex, utf8 } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { FaultSink, base64Bytes, object, oneOf, parseJson } from "../core/json/index.ts";
import {
  CERTIFICATE_TABLE_BYTES_MAX,
  EVIDENCE_FILE_BYTES_MAX,
  QUOTE_BYTES_MAX,
} from "../core/limits.ts";
import { PLATFORMS, type Platform } from "../core/manifest/reference-values.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Evidence } from "./evidence.ts";
import { SNP_REPORT_BYTES } from "./snp/report.ts";

/** Value of the field `format` of our own form. */
const EVIDENCE_FORMAT = "quorate/evidence/v1";

/** The JSON text of our own form. */
export function formatEvidenceFile(evidence: Evidence): Uint8Array {
  const form = {
    format: EVIDENCE_FORMAT,
    platform: evidence.platform,
    quote: toBase64(evidence.quote),
    certificates: toBase64(evidence.certificates),
  };
  return utf8(`${JSON.stringify(form, undefined, 2)}\n`);
}

/** Reads any of the forms. Fails with `evidence-malformed`; what the quote says is not judged. */
export function parseEvidenceFile(bytes: Uint8Array): Result<Evidence, QuorateError> {
  if (bytes.length > EVIDENCE_FILE_BYTES_MAX) {
    return malformed(`the file has ${bytes.length} bytes, more than any evidence`);
  }
  const text = asciiOf(bytes);
  if (text?.startsWith("{") === true) return parseOwnForm(bytes);
  const quote = text === undefined ? bytes : (fromHex(text) ?? fromBase64(text) ?? bytes);
  const platform = platformOf(quote);
  if (platform === undefined) {
    return malformed("this is neither an SEV-SNP report nor a TDX quote, raw, in hex or in base64");
  }
  return ok({ platform, quote, certificates: new Uint8Array(0) });
}

const ownForm = object<Evidence>((fields) => {
  fields.required("format", oneOf([EVIDENCE_FORMAT]));
  const platform = fields.required("platform", oneOf(PLATFORMS));
  const quote = fields.required("quote", base64Bytes({ min: 1, max: QUOTE_BYTES_MAX }));
  const certificates = fields.required(
    "certificates",
    base64Bytes({ min: 0, max: CERTIFICATE_TABLE_BYTES_MAX }),
  );
  if (platform === undefined || quote === undefined) return undefined;
  return certificates === undefined ? undefined : { platform, quote, certificates };
});

function parseOwnForm(bytes: Uint8Array): Result<Evidence, QuorateError> {
  const faults = new FaultSink();
  const root = parseJson(bytes, EVIDENCE_FILE_BYTES_MAX, faults);
  const evidence = root === undefined ? undefined : ownForm(root, "$", faults);
  if (evidence !== undefined && faults.count === 0) return ok(evidence);
  return err(
    new QuorateError("evidence-malformed", "the evidence file cannot be read", {
      faults: faults.list(),
    }),
  );
}

/** The text of a file of printable ASCII, without white space; `undefined` for anything else. */
function asciiOf(bytes: Uint8Array): string | undefined {
  for (const byte of bytes) {
    if (byte > 0x7e || (byte < 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
      return undefined;
    }
  }
  return new TextDecoder("latin1").decode(bytes).replace(/\s+/g, "");
}

/** By size, and by the vendor id of Intel's quoting enclaves. SGX quotes count as TDX: its verifier says why not. */
function platformOf(quote: Uint8Array): Platform | undefined {
  if (quote.length === SNP_REPORT_BYTES && (quote[0] ?? 0) <= 15) return "snp";
  const isIntel = INTEL_VENDOR_ID.every((byte, index) => quote[12 + index] === byte);
  return isIntel ? "tdx" : undefined;
}

const INTEL_VENDOR_ID = fromHex("939a7233f79c4ca9940a0db3957f0607") ?? new Uint8Array(16);

function malformed(message: string): Result<never, QuorateError> {
  const hint = `give a raw, hex or base64 report or quote, or the form ${EVIDENCE_FORMAT}`;
  return err(new QuorateError("evidence-malformed", message, { hint }));
}
