/**
 * A strict JSON parser (RFC 8259, and RFC 7493's ban on duplicate keys and lone surrogates).
 *
 * `JSON.parse` keeps the last of two members with one key and says nothing; two readers of a signed manifest could
 * then see different things. It also forgets where a value stood. Otherwise both accept the same texts, which the
 * property tests check.
 */
import { JSON_DEPTH_MAX } from "../limits.ts";
import { type FaultSink, itemPath, memberPath, quote } from "./fault-sink.ts";
import type { JsonArray, JsonObject, JsonString, JsonValue } from "./value.ts";

/**
 * Parses UTF-8 JSON text of at most `bytesMax` bytes and {@link JSON_DEPTH_MAX} levels, in time linear in its size.
 *
 * A text that is no JSON gives `undefined` and one fault with line and column. Duplicate keys give a fault each
 * and the value all the same (the first member stays), so that the caller can find the other faults too.
 *
 * **Security:** whoever uses the value must first see that `faults` is empty.
 */
export function parseJson(
  bytes: Uint8Array,
  bytesMax: number,
  faults: FaultSink,
): JsonValue | undefined {
  if (bytes.length > bytesMax) {
    faults.add("$", `must be at most ${bytesMax} bytes long, and is ${bytes.length}`);
    return undefined;
  }
  const text = decode(bytes);
  if (text === undefined) {
    faults.add("$", "must be UTF-8 text");
    return undefined;
  }
  try {
    return new Parser(text, faults).document();
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    const { line, column } = lineAndColumn(text, error.offset);
    faults.add(error.path, `is not JSON: ${error.message} at line ${line}, column ${column}`);
    return undefined;
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    // A byte order mark stays in the text and is refused there: the hash covers it, the reader would not see it.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // TextDecoder throws for malformed UTF-8 and for nothing else.
    return undefined;
  }
}

/** Leaves the recursion at the first character that cannot belong to a JSON text. Never leaves this file. */
class SyntaxFault extends Error {
  readonly offset: number;
  readonly path: string;
  constructor(message: string, offset: number, path: string) {
    super(message);
    this.offset = offset;
    this.path = path;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
/** With the `u` flag a surrogate matches only if it stands alone. UTF-8 has none; escapes can make one. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** One run over one text. Recursion is bounded by {@link JSON_DEPTH_MAX}. */
class Parser {
  readonly #text: string;
  readonly #faults: FaultSink;
  #offset = 0;
  /** Keys and indices from the root to the value at hand; only a fault makes a path of them. */
  readonly #place: (string | number)[] = [];

  constructor(text: string, faults: FaultSink) {
    this.#text = text;
    this.#faults = faults;
  }

  document(): JsonValue {
    const value = this.#value();
    this.#skipWhiteSpace();
    if (this.#offset < this.#text.length) this.#fail("more text after the value");
    return value;
  }

  #value(): JsonValue {
    this.#skipWhiteSpace();
    const start = this.#offset;
    switch (this.#text.charAt(start)) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      case "t":
        this.#expect("true");
        return { kind: "boolean", value: true, start, end: this.#offset };
      case "f":
        this.#expect("false");
        return { kind: "boolean", value: false, start, end: this.#offset };
      case "n":
        this.#expect("null");
        return { kind: "null", start, end: this.#offset };
      default:
        return this.#number();
    }
  }

  #object(): JsonObject {
    const start = this.#open();
    const members = new Map<string, JsonValue>();
    if (!this.#closes("}")) {
      do {
        this.#skipWhiteSpace();
        if (this.#text.charCodeAt(this.#offset) !== QUOTE) this.#fail("a key is expected");
        const key = this.#string().value;
        this.#place.push(key);
        this.#skipWhiteSpace();
        this.#expect(":");
        const value = this.#value();
        if (members.has(key)) this.#faults.add(this.#path(), "occurs more than once");
        else members.set(key, value);
        this.#place.pop();
      } while (this.#continues("}"));
    }
    return { kind: "object", members, start, end: this.#offset };
  }

  #array(): JsonArray {
    const start = this.#open();
    const items: JsonValue[] = [];
    if (!this.#closes("]")) {
      do {
        this.#place.push(items.length);
        items.push(this.#value());
        this.#place.pop();
      } while (this.#continues("]"));
    }
    return { kind: "array", items, start, end: this.#offset };
  }

  #string(): JsonString {
    const start = this.#offset;
    this.#offset += 1;
    let value = this.#plainCharacters();
    if (this.#text.charCodeAt(this.#offset) === BACKSLASH) {
      do {
        value += this.#escape() + this.#plainCharacters();
      } while (this.#text.charCodeAt(this.#offset) === BACKSLASH);
      if (LONE_SURROGATE.test(value)) {
        this.#offset = start;
        this.#fail("a string with half a surrogate pair");
      }
    }
    this.#offset += 1;
    return { kind: "string", value, start, end: this.#offset };
  }

  /** Steps over the part of a string before its end or next escape. */
  #plainCharacters(): string {
    const start = this.#offset;
    for (;;) {
      const code = this.#text.charCodeAt(this.#offset);
      if (code === QUOTE || code === BACKSLASH) return this.#text.slice(start, this.#offset);
      if (Number.isNaN(code)) this.#fail("the text ends inside a string");
      if (code < SPACE) this.#fail("a control character in a string must be escaped");
      this.#offset += 1;
    }
  }

  #escape(): string {
    const escape = this.#match(ESCAPE);
    if (escape === "") this.#fail("an escape sequence that JSON does not have");
    return unescape(escape);
  }

  #number(): JsonValue {
    const start = this.#offset;
    const source = this.#match(NUMBER);
    if (source === "") this.#fail(this.#unexpected("a value is expected"));
    const value = Number(source);
    if (!Number.isFinite(value)) {
      this.#offset = start;
      this.#fail("a number out of range");
    }
    return { kind: "number", value, start, end: this.#offset };
  }

  /** Steps over an opening bracket; returns where it was. */
  #open(): number {
    if (this.#place.length >= JSON_DEPTH_MAX) {
      this.#fail(`more than ${JSON_DEPTH_MAX} levels of nesting`);
    }
    return this.#offset++;
  }

  /** Steps over `bracket` if it comes next: the list is empty, or at its end. */
  #closes(bracket: string): boolean {
    this.#skipWhiteSpace();
    if (this.#text.charAt(this.#offset) !== bracket) return false;
    this.#offset += 1;
    return true;
  }

  /** True after a comma, false after `bracket`. */
  #continues(bracket: string): boolean {
    if (this.#closes(bracket)) return false;
    if (this.#text.charAt(this.#offset) !== ",") {
      this.#fail(this.#unexpected(`"," or "${bracket}" is expected`));
    }
    this.#offset += 1;
    return true;
  }

  #expect(word: string): void {
    if (!this.#text.startsWith(word, this.#offset)) {
      this.#fail(this.#unexpected(`${quote(word)} is expected`));
    }
    this.#offset += word.length;
  }

  #skipWhiteSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#offset);
      const isWhite =
        code === SPACE || code === LINE_FEED || code === CARRIAGE_RETURN || code === TAB;
      if (!isWhite) return;
      this.#offset += 1;
    }
  }

  /** Steps over what the sticky `pattern` matches here, which may be nothing. */
  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#offset;
    const matched = pattern.exec(this.#text)?.[0] ?? "";
    this.#offset += matched.length;
    return matched;
  }

  #unexpected(expectation: string): string {
    const next = this.#text.codePointAt(this.#offset);
    const found = next === undefined ? "the text ends" : quote(String.fromCodePoint(next));
    return `${expectation}, found ${found}`;
  }

  #path(): string {
    let path = "$";
    for (const step of this.#place) {
      path = typeof step === "number" ? itemPath(path, step) : memberPath(path, step);
    }
    return path;
  }

  #fail(message: string): never {
    throw new SyntaxFault(message, this.#offset, this.#path());
  }
}

function unescape(escape: string): string {
  switch (escape.charAt(1)) {
    case "b":
      return "\b";
    case "f":
      return "\f";
    case "n":
      return "\n";
    case "r":
      return "\r";
    case "t":
      return "\t";
    case "u":
      return String.fromCharCode(Number.parseInt(escape.slice(2), 16));
    default:
      return escape.charAt(1);
  }
}

function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  let line = 1;
  for (const character of before) if (character === "\n") line += 1;
  return { line, column: offset - lineStart + 1 };
}
