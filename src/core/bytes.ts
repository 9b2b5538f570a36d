/** Byte strings without `Buffer`: concatenation, hex, UTF-8 and the length prefix used in everything that is signed. */

const encoder = new TextEncoder();

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** One byte string with all `parts` in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/**
 * `lp` of the specifications: a 4-byte big-endian length, then the bytes themselves (text as UTF-8).
 *
 * **Security:** every signed or hashed structure is a concatenation of such parts, so that no two different
 * lists of parts have the same encoding.
 */
export function lengthPrefixed(part: Uint8Array | string): Uint8Array {
  const bytes = typeof part === "string" ? utf8(part) : part;
  const out = new Uint8Array(4 + bytes.length);
  new DataView(out.buffer).setUint32(0, bytes.length);
  out.set(bytes, 4);
  return out;
}

/** Concatenation of {@link lengthPrefixed} parts. */
export function lengthPrefixedList(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  return concat(...parts.map(lengthPrefixed));
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += byte.toString(16).padStart(2, "0");
  return out;
}

/** Bytes of a hex string in either case; `undefined` if it is not one. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** True if both hold the same bytes. Not constant-time: for public values only (see `crypto/constant-time.ts`). */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
