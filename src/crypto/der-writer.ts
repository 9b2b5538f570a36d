/**
 * A small DER (X.690) writer: what certificate templates, requests and key files need, and no more. The reader is
 * `der.ts`.
 */
import { assert } from "../core/assert.ts";
import { concat, utf8 } from "../core/bytes.ts";
import { DER_TAG } from "./der.ts";

/** One element: identifier octet, shortest length, the contents in order. */
export function derElement(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  return concat(derHeader(tag, length), ...contents);
}

/** A SEQUENCE of encoded elements. */
export function derSequence(...elements: readonly Uint8Array[]): Uint8Array {
  return derElement(DER_TAG.sequence, ...elements);
}

/** A SET of one encoded element (several would have to be sorted). */
export function derSetOf(element: Uint8Array): Uint8Array {
  return derElement(DER_TAG.set, element);
}

/** An INTEGER from the big-endian bytes of a number that is not negative; leading zeros are dropped. */
export function derUnsigned(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  const first = digits[0];
  if (first === undefined) return derElement(DER_TAG.integer, Uint8Array.of(0));
  return first < 0x80
    ? derElement(DER_TAG.integer, digits)
    : derElement(DER_TAG.integer, Uint8Array.of(0), digits);
}

/** An INTEGER from a number between 0 and 2⁵³−1. */
export function derInteger(value: number): Uint8Array {
  assert(Number.isSafeInteger(value) && value >= 0, "a DER integer is a safe integer from 0 up");
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return derUnsigned(bytes);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function derOid(dotted: string): Uint8Array {
  const [first = -1, second = -1, ...rest] = dotted.split(".").map(Number);
  assert(first >= 0 && first <= 2 && second >= 0, "an object id has two arcs at least");
  return derElement(
    DER_TAG.oid,
    ...[first * 40 + second, ...rest].map((arc) => {
      assert(Number.isSafeInteger(arc), "an object id's arcs are numbers");
      const octets = [arc % 128];
      for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
        octets.unshift((left % 128) | 0x80);
      }
      return Uint8Array.from(octets);
    }),
  );
}

/** A BIT STRING of whole octets. */
export function derBitString(bytes: Uint8Array): Uint8Array {
  return derElement(DER_TAG.bitString, Uint8Array.of(0), bytes);
}

/** An OCTET STRING. */
export function derOctetString(...contents: readonly Uint8Array[]): Uint8Array {
  return derElement(DER_TAG.octetString, ...contents);
}

/** BOOLEAN TRUE (FALSE is a default everywhere in X.509, and defaults are not encoded). */
export function derTrue(): Uint8Array {
  return derElement(DER_TAG.boolean, Uint8Array.of(0xff));
}

/**
 * A time to the second as RFC 5280 wants it: UTCTime up to 2049, GeneralizedTime from 2050.
 *
 * @param millis milliseconds since the Unix epoch, from 1950 to 9999; fractions of a second are cut off.
 */
export function derTime(millis: number): Uint8Array {
  const text = new Date(millis).toISOString().slice(0, 19).replace(/[-:T]/g, "");
  const year = Number(text.slice(0, 4));
  assert(year >= 1950 && text.length === 14, "a certificate's time is from 1950 to 9999");
  return year < 2050
    ? derElement(DER_TAG.utcTime, utf8(`${text.slice(2)}Z`))
    : derElement(DER_TAG.generalizedTime, utf8(`${text}Z`));
}

function derHeader(tag: number, length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(tag, length);
  if (length < 0x100) return Uint8Array.of(tag, 0x81, length);
  if (length < 0x1_0000) return Uint8Array.of(tag, 0x82, length >> 8, length & 0xff);
  assert(length < 0x100_0000, "a DER element stays below 16 MiB");
  return Uint8Array.of(tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff);
}
