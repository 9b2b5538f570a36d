/**
 * A strict reader of DER (X.690) for certificates, revocation lists and requests that strangers send.
 *
 * It accepts definite lengths in their shortest form and one-octet tags only, reads forward, copies nothing, and
 * is bounded in size and depth. What it refuses ends as an error value of {@link parseDer}, never as an exception.
 *
 * **Security:** one document has one reading. BER's alternatives (long lengths, indefinite lengths, padded
 * integers, odd booleans) would let two parsers see two different certificates under one signature.
 */
import { err, ok, type Result } from "../core/result.ts";
import { DER_BYTES_MAX, DER_DEPTH_MAX } from "../core/limits.ts";

/** Identifier octets of the universal types that certificates use. */
export const DER_TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Why a document is not the DER that its reader expected. */
export interface DerError {
  readonly message: string;
  /** Where in the document, in bytes from its start. */
  readonly offset: number;
}

/** One element as it stands in the document; both views share the document's memory. */
export interface DerElement {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number;
  readonly content: Uint8Array;
  /** Identifier, length and content. */
  readonly encoded: Uint8Array;
}

/**
 * Runs `read` on a document and returns what it makes of it. Anything malformed, anything left over behind the
 * outermost elements, and every {@link DerReader.fail} becomes an error value.
 *
 * @param bytesMax larger documents are refused unread. @default DER_BYTES_MAX
 */
export function parseDer<T>(
  bytes: Uint8Array,
  read: (reader: DerReader) => T,
  bytesMax: number = DER_BYTES_MAX,
): Result<T, DerError> {
  if (bytes.length > bytesMax) {
    return err({ message: `${bytes.length} bytes, more than ${bytesMax}`, offset: 0 });
  }
  try {
    const reader = new DerReader(bytes, 0, bytes.length, 0);
    const value = read(reader);
    reader.end();
    return ok(value);
  } catch (error) {
    if (error instanceof DerFault) return err({ message: error.message, offset: error.offset });
    throw error;
  }
}

/** The identifier octet of `[number]`, constructed: explicit tags, and implicit tags of constructed types. */
export function contextTag(number: number): number {
  return 0xa0 | number;
}

/** Reads the elements of one level in order. Every method moves past what it returns, or ends the whole parse. */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #depth: number;
  #offset: number;

  /** @internal Use {@link parseDer}. */
  constructor(bytes: Uint8Array, start: number, end: number, depth: number) {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
    this.#depth = depth;
  }

  /** Ends the parse with a reason, at the current offset. */
  fail(message: string): never {
    throw new DerFault(message, this.#offset);
  }

  /** True if nothing is left on this level. */
  atEnd(): boolean {
    return this.#offset === this.#end;
  }

  /** Demands that nothing is left on this level. */
  end(): void {
    if (!this.atEnd()) this.fail(`${this.#end - this.#offset} bytes are left over`);
  }

  /** The next identifier octet; `undefined` at the end. */
  peekTag(): number | undefined {
    return this.atEnd() ? undefined : this.#bytes[this.#offset];
  }

  /** The whole next element without moving past it: what a signature covers, or a name to compare. */
  peekEncoded(): Uint8Array {
    const start = this.#offset;
    const { encoded } = this.any();
    this.#offset = start;
    return encoded;
  }

  /** The next element, whatever it is. */
  any(): DerElement {
    const start = this.#offset;
    const tag = this.#octet();
    if ((tag & 0x1f) === 0x1f) this.fail("a tag number above 30");
    const length = this.#length();
    if (length > this.#end - this.#offset) this.fail("an element reaches past its parent's end");
    const contentStart = this.#offset;
    this.#offset += length;
    return {
      tag,
      content: this.#bytes.subarray(contentStart, this.#offset),
      encoded: this.#bytes.subarray(start, this.#offset),
    };
  }

  /** The next element, which must have this identifier octet. */
  element(tag: number): DerElement {
    const found = this.peekTag();
    if (found !== tag) this.fail(`expected tag ${hex(tag)}, found ${hex(found)}`);
    return this.any();
  }

  /** The next element if it has this identifier octet. */
  optional(tag: number): DerElement | undefined {
    return this.peekTag() === tag ? this.any() : undefined;
  }

  /**
   * Reads the inside of a constructed element with `read`, which must consume all of it.
   *
   * @param tag its identifier octet. @default SEQUENCE
   */
  inside<T>(read: (reader: DerReader) => T, tag: number = DER_TAG.sequence): T {
    if (this.#depth + 1 > DER_DEPTH_MAX) this.fail(`nested deeper than ${DER_DEPTH_MAX} levels`);
    const { content } = this.element(tag);
    const inner = new DerReader(
      this.#bytes,
      this.#offset - content.length,
      this.#offset,
      this.#depth + 1,
    );
    const value = read(inner);
    inner.end();
    return value;
  }

  /** {@link inside} if the next element has this identifier octet. */
  optionalInside<T>(tag: number, read: (reader: DerReader) => T): T | undefined {
    return this.peekTag() === tag ? this.inside(read, tag) : undefined;
  }

  /** Everything left on this level as a list, one `read` an element. */
  list<T>(read: (reader: DerReader) => T, itemsMax: number): T[] {
    const items: T[] = [];
    while (!this.atEnd()) {
      if (items.length === itemsMax) this.fail(`more than ${itemsMax} items`);
      items.push(read(this));
    }
    return items;
  }

  /** An object identifier in dotted form. */
  oid(): string {
    const { content } = this.element(DER_TAG.oid);
    if (content.length === 0 || content.length > OID_BYTES_MAX)
      this.fail("an odd object id length");
    const arcs: number[] = [];
    let arc = 0;
    let fresh = true;
    for (const octet of content) {
      if (fresh && octet === 0x80) this.fail("a padded object id");
      arc = arc * 128 + (octet & 0x7f);
      if (!Number.isSafeInteger(arc)) this.fail("an object id with a huge arc");
      fresh = (octet & 0x80) === 0;
      if (fresh) {
        arcs.push(arc);
        arc = 0;
      }
    }
    if (!fresh) this.fail("an object id that breaks off");
    const joint = arcs[0] ?? 0;
    const first = Math.min(2, Math.floor(joint / 40));
    return [first, joint - 40 * first, ...arcs.slice(1)].join(".");
  }

  /** An INTEGER of any size; content octets as they stand (two's complement, shortest form, big-endian). */
  integerBytes(tag: number = DER_TAG.integer): Uint8Array {
    const { content } = this.element(tag);
    const [first, second] = content;
    if (first === undefined) this.fail("an empty integer");
    if (second !== undefined && (first === 0 || first === 0xff) && first >> 7 === second >> 7) {
      this.fail("a padded integer");
    }
    return content;
  }

  /** An INTEGER (or ENUMERATED) from 0 to 2³¹−1. */
  smallInteger(tag: number = DER_TAG.integer): number {
    const content = this.integerBytes(tag);
    let value = 0;
    for (const octet of content) value = value * 256 + octet;
    if ((content[0] ?? 0) >= 0x80 || value > 0x7fff_ffff) {
      this.fail("an integer outside 0 to 2147483647");
    }
    return value;
  }

  /** A BOOLEAN in DER's only two forms. */
  boolean(): boolean {
    const { content } = this.element(DER_TAG.boolean);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) {
      this.fail("a boolean that is neither 00 nor FF");
    }
    return content[0] === 0xff;
  }

  /** A NULL. */
  null(): void {
    if (this.element(DER_TAG.null).content.length !== 0) this.fail("a NULL with content");
  }

  /** An OCTET STRING. */
  octetString(): Uint8Array {
    return this.element(DER_TAG.octetString).content;
  }

  /** A BIT STRING of whole octets: keys and signatures. */
  bitString(): Uint8Array {
    const { bytes, unusedBits } = this.namedBits();
    if (unusedBits !== 0) this.fail("a bit string with unused bits");
    return bytes;
  }

  /** A BIT STRING whose length is counted in bits; unused bits must be zero. */
  namedBits(): { readonly bytes: Uint8Array; readonly unusedBits: number } {
    const { content } = this.element(DER_TAG.bitString);
    const unusedBits = content[0];
    if (unusedBits === undefined || unusedBits > 7)
      this.fail("a bit string without its first octet");
    const bytes = content.subarray(1);
    const last = bytes[bytes.length - 1];
    if (last === undefined ? unusedBits !== 0 : (last & ((1 << unusedBits) - 1)) !== 0) {
      this.fail("a bit string with unused bits that are not zero");
    }
    return { bytes, unusedBits };
  }

  /** A string of one of the types that names use, as text. */
  text(): string {
    const { tag, content } = this.any();
    if (content.length > TEXT_BYTES_MAX) this.fail(`a string above ${TEXT_BYTES_MAX} bytes`);
    switch (tag) {
      case DER_TAG.utf8String:
        try {
          return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
        } catch {
          return this.fail("a UTF8String that is not UTF-8");
        }
      case DER_TAG.printableString:
      case DER_TAG.ia5String:
      case DER_TAG.teletexString:
        if (content.some((octet) => octet < 0x20 || octet > 0x7e)) {
          this.fail("a string with characters outside printable ASCII");
        }
        return String.fromCharCode(...content);
      default:
        return this.fail(`expected a string, found tag ${hex(tag)}`);
    }
  }

  /** A UTCTime or GeneralizedTime in the one form RFC 5280 allows, as milliseconds since the Unix epoch. */
  time(): number {
    const { tag, content } = this.any();
    const isUtc = tag === DER_TAG.utcTime;
    if (!isUtc && tag !== DER_TAG.generalizedTime)
      this.fail(`expected a time, found tag ${hex(tag)}`);
    const text = String.fromCharCode(...content.subarray(0, TIME_BYTES_MAX));
    if (!(isUtc ? /^\d{12}Z$/ : /^\d{14}Z$/).test(text)) this.fail("a time of another form");
    // RFC 5280: two-digit years 50–99 are 1950–1999.
    const full = !isUtc ? text : (text >= "5" ? "19" : "20") + text;
    const field = (start: number, length: number): number =>
      Number(full.slice(start, start + length));
    const fields = [field(0, 4), field(4, 2), field(6, 2), field(8, 2), field(10, 2), field(12, 2)];
    const [year = 0, month = 0, ...rest] = fields;
    const millis = Date.UTC(year, month - 1, ...rest);
    // Date.UTC rolls impossible fields over; a real date comes back unchanged.
    const back = new Date(millis).toISOString().replace(/[-:T]/g, "").slice(0, 14);
    if (back !== full.slice(0, 14)) this.fail("a time that does not exist");
    return millis;
  }

  #octet(): number {
    const octet = this.atEnd() ? undefined : this.#bytes[this.#offset];
    if (octet === undefined) this.fail("an element breaks off");
    this.#offset++;
    return octet;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    if (octets === 0) this.fail("an indefinite length");
    if (octets > 4) this.fail("a length above 4 GiB");
    let length = 0;
    for (let i = 0; i < octets; i++) length = length * 256 + this.#octet();
    if (length < 0x80 || length < 256 ** (octets - 1))
      this.fail("a length in a longer form than needed");
    return length;
  }
}

/** The longest in use are the project's own, made from a UUID: 34 octets (`pki/profile.ts`). */
const OID_BYTES_MAX = 64;
/** Strings in names: RFC 5280's upper bounds stay below. */
const TEXT_BYTES_MAX = 1024;
/** One octet more than the longest time, so that a longer one does not fit the pattern. */
const TIME_BYTES_MAX = 16;

/** Ends a parse from any depth; never leaves {@link parseDer}. */
class DerFault extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

function hex(tag: number | undefined): string {
  return tag === undefined ? "the end" : `0x${tag.toString(16).padStart(2, "0")}`;
}
