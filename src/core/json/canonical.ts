/** Canonical documents: the one JSON text, without white space and in fixed field order, that a value has. */
import { equalBytes } from "../bytes.ts";
import type { FaultSink } from "./fault-sink.ts";
import { parseJson } from "./parse.ts";
import type { Reader } from "./readers.ts";

/**
 * Parses bytes that must be exactly what `encode` gives for the value read from them; faults otherwise.
 *
 * **Security:** a document has one encoding, so its hash can't be varied without changing what it says.
 */
export function parseCanonical<T>(
  bytes: Uint8Array,
  bytesMax: number,
  reader: Reader<T>,
  encode: (value: T) => Uint8Array,
  faults: FaultSink,
): T | undefined {
  const json = parseJson(bytes, bytesMax, faults);
  const value = json === undefined ? undefined : reader(json, "$", faults);
  if (value === undefined || faults.count > 0) return undefined;
  if (equalBytes(encode(value), bytes)) return value;
  faults.add("$", "is not in canonical form: fixed field order, no white space, shortest spelling");
  return undefined;
}
