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

const WHITE_SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// The alternation consumes one plain character or one escape a step: linear, no backtracking.
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
/** With the `u` flag a surrogate matches only if it stands alone. UTF-8 has none; escapes can make one. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** One run over one text. Recursion is bounded by {@link JSON_DEPTH_MAX}. */
class Parser {
  readonly #text: string;
  readonly #faults: FaultSink;
  #offset = 0;

  constructor(text: string, faults: FaultSink) {
    this.#text = text;
    this.#faults = faults;
  }

  document(): JsonValue {
    const value = this.#value("$", 1);
    this.#match(WHITE_SPACE);
    if (this.#offset < this.#text.length) this.#fail("more text after the value", "$");
    return value;
  }

  #value(path: string, depth: number): JsonValue {
    this.#match(WHITE_SPACE);
    const start = this.#offset;
    switch (this.#text.charAt(start)) {
      case "{":
        return this.#object(path, depth);
      case "[":
        return this.#array(path, depth);
      case '"':
        return this.#string(path);
      case "t":
        this.#expect("true", path);
        return { kind: "boolean", value: true, start, end: this.#offset };
      case "f":
        this.#expect("false", path);
        return { kind: "boolean", value: false, start, end: this.#offset };
      case "n":
        this.#expect("null", path);
        return { kind: "null", start, end: this.#offset };
      default:
        return this.#number(path);
    }
  }

  #object(path: string, depth: number): JsonObject {
    const start = this.#open(path, depth);
    const members = new Map<string, JsonValue>();
    if (!this.#closes("}")) {
      do {
        this.#match(WHITE_SPACE);
        if (this.#text.charAt(this.#offset) !== '"') this.#fail("a key is expected", path);
        const key = this.#string(path).value;
        const keyPath = memberPath(path, key);
        this.#match(WHITE_SPACE);
        this.#expect(":", keyPath);
        const value = this.#value(keyPath, depth + 1);
        if (members.has(key)) this.#faults.add(keyPath, "occurs more than once");
        else members.set(key, value);
      } while (this.#continues("}", path));
    }
    return { kind: "object", members, start, end: this.#offset };
  }

  #array(path: string, depth: number): JsonArray {
    const start = this.#open(path, depth);
    const items: JsonValue[] = [];
    if (!this.#closes("]")) {
      do {
        items.push(this.#value(itemPath(path, items.length), depth + 1));
      } while (this.#continues("]", path));
    }
    return { kind: "array", items, start, end: this.#offset };
  }

  #string(path: string): JsonString {
    const start = this.#offset;
    this.#offset += 1;
    let value = "";
    let hasEscapes = false;
    for (;;) {
      value += this.#match(PLAIN_CHARACTERS);
      const next = this.#text.charAt(this.#offset);
      if (next === '"') break;
      if (next === "") this.#fail("the text ends inside a string", path);
      if (next !== "\\") this.#fail("a control character in a string must be escaped", path);
      const escape = this.#match(ESCAPE);
      if (escape === "") this.#fail("an escape sequence that JSON does not have", path);
      value += unescape(escape);
      hasEscapes = true;
    }
    this.#offset += 1;
    if (hasEscapes && LONE_SURROGATE.test(value)) {
      this.#offset = start;
      this.#fail("a string with half a surrogate pair", path);
    }
    return { kind: "string", value, start, end: this.#offset };
  }

  #number(path: string): JsonValue {
    const start = this.#offset;
    const source = this.#match(NUMBER);
    if (source === "") this.#fail(this.#unexpected("a value is expected"), path);
    const value = Number(source);
    if (!Number.isFinite(value)) {
      this.#offset = start;
      this.#fail("a number out of range", path);
    }
    return { kind: "number", value, start, end: this.#offset };
  }

  /** Steps over an opening bracket; returns where it was. */
  #open(path: string, depth: number): number {
    if (depth > JSON_DEPTH_MAX) this.#fail(`more than ${JSON_DEPTH_MAX} levels of nesting`, path);
    return this.#offset++;
  }

  /** Steps over `bracket` if it comes next: the list is empty. */
  #closes(bracket: string): boolean {
    this.#match(WHITE_SPACE);
    if (this.#text.charAt(this.#offset) !== bracket) return false;
    this.#offset += 1;
    return true;
  }

  /** True after a comma, false after `bracket`. */
  #continues(bracket: string, path: string): boolean {
    if (this.#closes(bracket)) return false;
    if (this.#text.charAt(this.#offset) !== ",") {
      this.#fail(this.#unexpected(`"," or "${bracket}" is expected`), path);
    }
    this.#offset += 1;
    return true;
  }

  #expect(word: string, path: string): void {
    if (!this.#text.startsWith(word, this.#offset)) {
      this.#fail(this.#unexpected(`${quote(word)} is expected`), path);
    }
    this.#offset += word.length;
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

  #fail(message: string, path: string): never {
    throw new SyntaxFault(message, this.#offset, path);
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
