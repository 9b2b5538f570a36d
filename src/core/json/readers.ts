/**
 * Typed readers: turn a {@link JsonValue} into a domain type and report every fault with its path.
 *
 * A reader gives `undefined` exactly when it has added a fault. Whoever composes readers goes on after a fault, to
 * find the next one, and trusts the whole only if the sink stayed empty.
 */
import { fromBase64 } from "../base64.ts";
import { isSha256, type Sha256 } from "../brand.ts";
import { fromHex } from "../bytes.ts";
import { type FaultSink, itemPath, memberPath, quote } from "./fault-sink.ts";
import type { JsonValue } from "./value.ts";

/** Reads one value found at `path`; `undefined` after adding at least one fault. */
export type Reader<T> = (value: JsonValue, path: string, faults: FaultSink) => T | undefined;

/** Inclusive bounds of a number or a length. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** `true` or `false`. */
export const boolean: Reader<boolean> = (value, path, faults) => {
  if (value.kind === "boolean") return value.value;
  addMismatch(value, "true or false", path, faults);
  return undefined;
};

/** An integer within `bounds`. A number that a double does not hold exactly is refused. */
export function integer(bounds: Bounds): Reader<number> {
  const expected = `an integer from ${bounds.min} to ${bounds.max}`;
  return (value, path, faults) => {
    if (value.kind !== "number") {
      addMismatch(value, expected, path, faults);
      return undefined;
    }
    const inside = value.value >= bounds.min && value.value <= bounds.max;
    // Adding 0 turns -0 into 0.
    if (Number.isSafeInteger(value.value) && inside) return value.value + 0;
    faults.add(path, `must be ${expected}, not ${value.value}`);
    return undefined;
  };
}

/** A string that `accepts` takes. `expected` completes the sentence "must be …". */
export function text(expected: string, accepts: (text: string) => boolean): Reader<string> {
  return (value, path, faults) => {
    if (value.kind !== "string") {
      addMismatch(value, expected, path, faults);
      return undefined;
    }
    if (accepts(value.value)) return value.value;
    faults.add(path, `must be ${expected}, not ${quote(value.value)}`);
    return undefined;
  };
}

/** One of a few words. */
export function oneOf<const Word extends string>(words: readonly Word[]): Reader<Word> {
  const expected = words.map(quote).join(" or ");
  return (value, path, faults) => {
    const word = words.find((candidate) => value.kind === "string" && value.value === candidate);
    if (word === undefined) {
      const found = value.kind === "string" ? quote(value.value) : article(value);
      faults.add(path, `must be ${expected}, not ${found}`);
    }
    return word;
  };
}

/** A SHA-256 digest: 64 lower-case hex digits. */
export const sha256: Reader<Sha256> = (value, path, faults) => {
  const digest = text("a SHA-256 digest in 64 lower-case hex digits", isSha256)(
    value,
    path,
    faults,
  );
  return digest as Sha256 | undefined;
};

/** A byte string in hex, either case, its length in bytes within `bounds`. */
export function hexBytes(bounds: Bounds): Reader<Uint8Array> {
  return bytesIn("hex", fromHex, bounds);
}

/** A byte string in padded standard base64, its length in bytes within `bounds`. */
export function base64Bytes(bounds: Bounds): Reader<Uint8Array> {
  return bytesIn("base64", fromBase64, bounds);
}

/** An array whose length is within `bounds`; items that could not be read are left out. */
export function list<T>(item: Reader<T>, bounds: Bounds): Reader<readonly T[]> {
  return (value, path, faults) => {
    if (value.kind !== "array") {
      addMismatch(value, "an array", path, faults);
      return undefined;
    }
    if (!checkCount(value.items.length, "items", bounds, path, faults)) return undefined;
    return value.items
      .map((each, index) => item(each, itemPath(path, index), faults))
      .filter((each) => each !== undefined);
  };
}

/** What must not occur twice in a list: the item itself, or one of its fields. */
export interface Identity<T> {
  /** Equal for items that count as the same. */
  readonly of: (item: T) => string;
  /** The field that a fault points at, if not the item. */
  readonly field?: string;
}

/** A {@link list} in which no identity occurs twice; the later of two gets the fault and stays in the list. */
export function distinctList<T>(
  item: Reader<T>,
  bounds: Bounds,
  identities: readonly Identity<T>[],
): Reader<readonly T[]> {
  return (value, path, faults) => {
    const firstPaths = identities.map(() => new Map<string, string>());
    const distinctItem: Reader<T> = (each, itemsPath, sink) => {
      const read = item(each, itemsPath, sink);
      if (read === undefined) return undefined;
      for (const [index, identity] of identities.entries()) {
        const seen = firstPaths[index];
        const { field } = identity;
        const here = field === undefined ? itemsPath : memberPath(itemsPath, field);
        const first = seen?.get(identity.of(read));
        if (first === undefined) seen?.set(identity.of(read), here);
        else sink.add(here, `repeats ${first}`);
      }
      return read;
    };
    return list(distinctItem, bounds)(value, path, faults);
  };
}

/** An object used as a map; members whose key or value could not be read are left out. */
export function mapOf<K extends string, T>(
  key: Reader<K>,
  item: Reader<T>,
  bounds: Bounds,
): Reader<ReadonlyMap<K, T>> {
  return (value, path, faults) => {
    if (value.kind !== "object") {
      addMismatch(value, "an object", path, faults);
      return undefined;
    }
    if (!checkCount(value.members.size, "members", bounds, path, faults)) return undefined;
    const out = new Map<K, T>();
    for (const [name, member] of value.members) {
      const here = memberPath(path, name);
      const { start, end } = member;
      const readKey = key({ kind: "string", value: name, start, end }, here, faults);
      const readItem = item(member, here, faults);
      if (readKey !== undefined && readItem !== undefined) out.set(readKey, readItem);
    }
    return out;
  };
}

/** An object with known fields. `build` asks for each; fields that it did not ask for are faults. */
export function object<T>(build: (fields: Fields) => T | undefined): Reader<T> {
  return (value, path, faults) => {
    if (value.kind !== "object") {
      addMismatch(value, "an object", path, faults);
      return undefined;
    }
    const fields = new Fields(value.members, path, faults);
    const before = faults.count;
    const built = build(fields);
    fields.refuseUnknown();
    return faults.count === before ? built : undefined;
  };
}

/** The fields of one object, as {@link object} hands them to its builder. */
export class Fields {
  /** The object's own path. */
  readonly path: string;
  readonly faults: FaultSink;
  readonly #members: ReadonlyMap<string, JsonValue>;
  readonly #known = new Set<string>();

  constructor(members: ReadonlyMap<string, JsonValue>, path: string, faults: FaultSink) {
    this.#members = members;
    this.path = path;
    this.faults = faults;
  }

  /** A field that must be there. */
  required<T>(name: string, reader: Reader<T>): T | undefined {
    this.#known.add(name);
    const member = this.#members.get(name);
    if (member !== undefined) return reader(member, this.pathOf(name), this.faults);
    this.faults.add(this.pathOf(name), "is missing");
    return undefined;
  }

  /** A field that may be left out: `undefined` then, as after a fault. `null` does not count as left out. */
  optional<T>(name: string, reader: Reader<T>): T | undefined {
    this.#known.add(name);
    const member = this.#members.get(name);
    return member === undefined ? undefined : reader(member, this.pathOf(name), this.faults);
  }

  /** The JSON path of a field, whose name is one of the program's own plain words. */
  pathOf(name: string): string {
    return `${this.path}.${name}`;
  }

  /** Adds a fault for every field that nobody asked for. */
  refuseUnknown(): void {
    for (const name of this.#members.keys()) {
      if (this.#known.has(name)) continue;
      this.faults.add(memberPath(this.path, name), "is not a known field");
    }
  }
}

/** `null`, or what `reader` reads. The wrapper tells a read `null` from a fault. */
export function nullable<T>(reader: Reader<T>): Reader<{ readonly value: T | null }> {
  return (value, path, faults) => {
    if (value.kind === "null") return { value: null };
    const read = reader(value, path, faults);
    return read === undefined ? undefined : { value: read };
  };
}

function bytesIn(
  encoding: string,
  decode: (text: string) => Uint8Array | undefined,
  bounds: Bounds,
): Reader<Uint8Array> {
  const size = bounds.min === bounds.max ? `${bounds.min}` : `${bounds.min} to ${bounds.max}`;
  const expected = `${size} bytes in ${encoding}`;
  return (value, path, faults) => {
    if (value.kind !== "string") {
      addMismatch(value, expected, path, faults);
      return undefined;
    }
    const bytes = decode(value.value);
    if (bytes !== undefined && bytes.length >= bounds.min && bytes.length <= bounds.max) {
      return bytes;
    }
    const found = bytes === undefined ? quote(value.value) : `${bytes.length} bytes`;
    faults.add(path, `must be ${expected}, not ${found}`);
    return undefined;
  };
}

function checkCount(
  count: number,
  of: string,
  bounds: Bounds,
  path: string,
  faults: FaultSink,
): boolean {
  if (count >= bounds.min && count <= bounds.max) return true;
  faults.add(path, `must have ${bounds.min} to ${bounds.max} ${of}, and has ${count}`);
  return false;
}

function addMismatch(value: JsonValue, expected: string, path: string, faults: FaultSink): void {
  faults.add(path, `must be ${expected}, not ${article(value)}`);
}

function article(value: JsonValue): string {
  switch (value.kind) {
    case "null":
      return "null";
    case "array":
    case "object":
      return `an ${value.kind}`;
    case "boolean":
    case "number":
    case "string":
      return `a ${value.kind}`;
  }
}
