/** A forward reader of little-endian structures in which every length comes from a stranger. */

/** Ends a parse whose input breaks off. Whoever makes the reader catches it; it never leaves the parser. */
export class EndOfInput extends Error {
  override readonly name = "EndOfInput";
  /** What was being read, how many bytes it takes, and how many were left. */
  readonly what: string;
  readonly wanted: number;
  readonly left: number;

  constructor(what: string, wanted: number, left: number) {
    super(`${what} needs ${wanted} bytes, ${left} are left`);
    this.what = what;
    this.wanted = wanted;
    this.left = left;
  }
}

/** Reads views, never copies; a read past the end throws {@link EndOfInput} and moves nothing. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes consumed so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes not consumed yet. */
  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  /** The next `length` bytes as a view. `what` names them in the error. */
  take(length: number, what: string): Uint8Array {
    if (length > this.left) throw new EndOfInput(what, length, this.left);
    const start = this.#offset;
    this.#offset += length;
    return this.#bytes.subarray(start, this.#offset);
  }

  /** An unsigned 16-bit integer. */
  uint16(what: string): number {
    const [low = 0, high = 0] = this.take(2, what);
    return low | (high << 8);
  }

  /** An unsigned 32-bit integer. */
  uint32(what: string): number {
    const low = this.uint16(what);
    return low + this.uint16(what) * 0x1_0000;
  }
}
