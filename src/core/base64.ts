/** Standard base64 (RFC 4648 section 4) without `Buffer`: padded, canonical, nothing else accepted. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALID = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const sextetOf = new Map(Array.from(ALPHABET, (character, sextet) => [character, sextet]));

/** Padded standard base64 of `bytes`, without line breaks. */
export function toBase64(bytes: Uint8Array): string {
  let out = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const triple = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out += ALPHABET.charAt(triple >>> 18) + ALPHABET.charAt((triple >>> 12) & 63);
    out += left > 1 ? ALPHABET.charAt((triple >>> 6) & 63) : "=";
    out += left > 2 ? ALPHABET.charAt(triple & 63) : "=";
  }
  return out;
}

/**
 * The bytes of padded standard base64; `undefined` for anything else: white space, the URL alphabet, missing
 * padding, or stray bits below the last byte.
 *
 * **Security:** exactly one text is accepted for a byte string, so that a signed text cannot be varied.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!VALID.test(text)) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const out = new Uint8Array((text.length / 4) * 3 - padding);
  let offset = 0;
  for (let i = 0; i < text.length; i += 4) {
    const triple =
      (sextet(text, i) << 18) |
      (sextet(text, i + 1) << 12) |
      (sextet(text, i + 2) << 6) |
      sextet(text, i + 3);
    // Writes past the end of a typed array are dropped: exactly what padding means.
    out[offset++] = triple >>> 16;
    out[offset++] = triple >>> 8;
    out[offset++] = triple;
  }
  const strayBits = [0, 0b11, 0b1111][padding] ?? 0;
  return (sextet(text, text.length - 1 - padding) & strayBits) === 0 ? out : undefined;
}

function sextet(text: string, index: number): number {
  return sextetOf.get(text.charAt(index)) ?? 0;
}
