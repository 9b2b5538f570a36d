/**
 * Intel's signed JSON documents: `{"<name>": {…}, "signature": "<hex>"}`, the signature being over the bytes of the
 * inner value exactly as they stand in the document.
 *
 * **Security:** the inner value is signed as text, so it is cut out of the text, never printed anew; and it is read
 * from the same parse, so that no second reader can see another document. Duplicate keys are refused.
 */
import {
  Fields,
  FaultSink,
  type JsonValue,
  type Reader,
  hexBytes,
  parseJson,
} from "../../core/json/index.ts";
import { utf8 } from "../../core/bytes.ts";
import { COLLATERAL_JSON_BYTES_MAX } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";

/** A document whose signature has not been checked yet. */
export interface SignedJson<T> {
  readonly value: T;
  /** The inner value's own bytes. */
  readonly signedBytes: Uint8Array;
  /** r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
}

/** Reads a signed document whose inner value is called `name`; the error is one sentence for people. */
export function parseSignedJson<T>(
  document: Uint8Array,
  name: string,
  reader: Reader<T>,
): Result<SignedJson<T>, string> {
  const faults = new FaultSink();
  const root = parseJson(document, COLLATERAL_JSON_BYTES_MAX, faults);
  if (root === undefined) return err(describe(faults));
  const inner: { at?: JsonValue } = {};
  const read = openObject((fields) => {
    const value = fields.required(name, (json, path, sink) => {
      inner.at = json;
      return reader(json, path, sink);
    });
    const signature = fields.required("signature", hexBytes({ min: 64, max: 64 }));
    fields.refuseUnknown();
    return value === undefined || signature === undefined ? undefined : { value, signature };
  })(root, "$", faults);
  if (read === undefined || inner.at === undefined || faults.count > 0) {
    return err(describe(faults));
  }
  // parseJson has shown that the document is UTF-8; offsets count in its decoded text.
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(document);
  const signedBytes = utf8(text.slice(inner.at.start, inner.at.end));
  return ok({ ...read, signedBytes });
}

/** An object that may hold more fields than this reader knows: the signer may add some at any time. */
export function openObject<T>(build: (fields: Fields) => T | undefined): Reader<T> {
  return (value, path, faults) => {
    if (value.kind !== "object") {
      faults.add(path, "must be an object");
      return undefined;
    }
    const before = faults.count;
    const built = build(new Fields(value.members, path, faults));
    return faults.count === before ? built : undefined;
  };
}

/** The whole if every part of it could be read. */
export function complete<T extends object>(parts: {
  readonly [K in keyof T]: T[K] | undefined;
}): T | undefined {
  return Object.values(parts).includes(undefined) ? undefined : (parts as T);
}

/** A time as Intel writes it, `2026-02-18T10:58:51Z`, in milliseconds since the Unix epoch. */
export const utcTime: Reader<number> = (value, path, faults) => {
  if (value.kind === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value.value)) {
    const millis = Date.parse(value.value);
    // Date.parse rolls 30 February over; a real date comes back unchanged.
    const real = Number.isFinite(millis) && isoSeconds(millis) === value.value;
    if (real) return millis;
  }
  faults.add(path, "must be a UTC time like 2026-02-18T10:58:51Z");
  return undefined;
};

function isoSeconds(millis: number): string {
  return `${new Date(millis).toISOString().slice(0, 19)}Z`;
}

function describe(faults: FaultSink): string {
  return faults
    .list()
    .map(({ path, message }) => `${path} ${message}`)
    .join("; ");
}
