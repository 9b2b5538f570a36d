/**
 * The one encoding of records.
 *
 * A record document is its body (canonical JSON), a newline, the signature in base64, and a newline. The store's head
 * is such a document; its SHA-256 names the record.
 */
import { fromBase64, toBase64 } from "../base64.ts";
import type { Sha256 } from "../brand.ts";
import { concat, lengthPrefixedList, utf8 } from "../bytes.ts";
import { QuorateError } from "../errors.ts";
import { FaultSink, parseCanonical } from "../json/index.ts";
import { RECORD_BYTES_MAX } from "../limits.ts";
import { err, ok, type Result } from "../result.ts";
import { type HistoryRecord, RECORD_FORMAT } from "./record.ts";
import { recordReader } from "./record-reader.ts";

/** Length of a record's signature: ECDSA P-384, r ‖ s, s in the lower half. */
const RECORD_SIGNATURE_BYTES = 96;

/** A record with its bytes, as parsed or made. Whether the signature is right is for the shell to verify. */
export interface RecordDocument {
  readonly record: HistoryRecord;
  /** SHA-256 of `bytes`: the record's name. */
  readonly hash: Sha256;
  readonly bytes: Uint8Array;
  /** What the signature covers; see {@link recordSigningBytes}. */
  readonly signedBytes: Uint8Array;
  /** 96 bytes. */
  readonly signature: Uint8Array;
}

/** SHA-256, injected: the pure core has none. */
export type HashFunction = (bytes: Uint8Array) => Sha256;

const NEWLINE = 0x0a;
/** 96 bytes in base64. */
const SIGNATURE_CHARACTERS = 128;

/** The canonical JSON of a record's body. */
export function encodeRecordBody(record: HistoryRecord): Uint8Array {
  return utf8(
    JSON.stringify({
      format: RECORD_FORMAT,
      lineage: record.lineage,
      historyKey: toBase64(record.historyKey),
      generation: record.generation,
      epoch: record.epoch,
      kind: record.kind,
      previous: record.previous,
      manifest: record.manifest,
      approvals: record.approvals,
      rootCaKey: record.rootCaKey,
      meshCaKey: record.meshCaKey,
      rootCaCertificate: record.rootCaCertificate,
      meshCaCertificate: record.meshCaCertificate,
      meshCaIntermediate: record.meshCaIntermediate,
      shares: record.shares,
      recoveryCount: record.recoveryCount,
      createdAt: record.createdAt,
      author: { name: record.author.name, instance: record.author.instance },
      fenced: record.fenced,
      votes: record.votes,
    }),
  );
}

/** What the history key signs (ECDSA P-384, SHA-384) for a record. */
export function recordSigningBytes(record: HistoryRecord): Uint8Array {
  return signingBytes(encodeRecordBody(record));
}

/** The document of a record and its signature. */
export function sealRecord(
  record: HistoryRecord,
  signature: Uint8Array,
  sha256: HashFunction,
): RecordDocument {
  const body = encodeRecordBody(record);
  const bytes = concat(body, utf8(`\n${toBase64(signature)}\n`));
  return { record, hash: sha256(bytes), bytes, signedBytes: signingBytes(body), signature };
}

/**
 * Parses a record document. Fails with `store-corrupt` and every fault for anything but the exact form.
 *
 * **Security:** says nothing about the signature. The lineage is that of the key inside; whether it is the expected
 * one is for the caller.
 */
export function parseRecord(
  bytes: Uint8Array,
  sha256: HashFunction,
): Result<RecordDocument, QuorateError> {
  const faults = new FaultSink();
  if (bytes.length > RECORD_BYTES_MAX) {
    faults.add("$", `must be at most ${RECORD_BYTES_MAX} bytes long, and is ${bytes.length}`);
    return err(corrupt(faults));
  }
  const bodyEnd = bytes.indexOf(NEWLINE);
  const signature = bodyEnd < 0 ? undefined : parseSignature(bytes.subarray(bodyEnd + 1));
  if (signature === undefined) {
    faults.add("$", "must be a line of JSON and a line with a signature of 96 bytes in base64");
    return err(corrupt(faults));
  }
  const body = bytes.slice(0, bodyEnd);
  const record = parseCanonical(body, RECORD_BYTES_MAX, recordReader, encodeRecordBody, faults);
  if (record !== undefined && sha256(record.historyKey) !== record.lineage) {
    faults.add("$.lineage", "must be the SHA-256 of the history key");
  }
  if (record === undefined || faults.count > 0) return err(corrupt(faults));
  const own = bytes.slice();
  return ok({ record, hash: sha256(own), bytes: own, signedBytes: signingBytes(body), signature });
}

function signingBytes(body: Uint8Array): Uint8Array {
  return lengthPrefixedList(RECORD_FORMAT, body);
}

/** The signature in the document's second line, which must also be its last. */
function parseSignature(line: Uint8Array): Uint8Array | undefined {
  if (line.length !== SIGNATURE_CHARACTERS + 1 || line.at(-1) !== NEWLINE) return undefined;
  const signature = fromBase64(String.fromCharCode(...line.subarray(0, SIGNATURE_CHARACTERS)));
  // Padding can make a shorter one as long in base64.
  return signature?.length === RECORD_SIGNATURE_BYTES ? signature : undefined;
}

function corrupt(faults: FaultSink): QuorateError {
  const first = faults.list()[0];
  return new QuorateError(
    "store-corrupt",
    `a record can't be read: ${first?.path ?? "$"} ${first?.message ?? ""}`,
    { faults: faults.list() },
  );
}
