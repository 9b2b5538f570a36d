import { describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { FaultSink, type JsonValue, parseJson } from "../../../../src/core/json/index.ts";
import { FAULTS_MAX, JSON_DEPTH_MAX } from "../../../../src/core/limits.ts";

const BYTES_MAX = 1024 * 1024;

function parse(source: string | Uint8Array): { value: JsonValue | undefined; faults: string[] } {
  const faults = new FaultSink();
  const bytes = typeof source === "string" ? utf8(source) : source;
  const value = parseJson(bytes, BYTES_MAX, faults);
  return { value, faults: faults.list().map((fault) => `${fault.path} ${fault.message}`) };
}

describe("parseJson", () => {
  it("keeps the members of an object in order, and the place of every value", () => {
    const source = ` {"b": [1, true], "a": "x"} `;
    const { value, faults } = parse(source);
    expect(faults).toEqual([]);
    if (value?.kind !== "object") throw new Error("an object is expected");
    expect([...value.members.keys()]).toEqual(["b", "a"]);
    const b = value.members.get("b")!;
    expect(source.slice(b.start, b.end)).toBe("[1, true]");
    expect(source.slice(value.start, value.end)).toBe(`{"b": [1, true], "a": "x"}`);
  });

  it("reports every duplicate key with its path, also when an escape hides it", () => {
    const { value, faults } = parse(`{"a":1,"\\u0061":2,"c":{"d":1,"d":[{"e":1,"e":2}]}}`);
    expect(value?.kind).toBe("object");
    expect(faults).toEqual([
      "$.a occurs more than once",
      "$.c.d[0].e occurs more than once",
      "$.c.d occurs more than once",
    ]);
  });

  it("treats __proto__ and constructor as ordinary keys", () => {
    const { value, faults } = parse(`{"__proto__":{"admin":true},"constructor":1}`);
    expect(faults).toEqual([]);
    if (value?.kind !== "object") throw new Error("an object is expected");
    expect([...value.members.keys()]).toEqual(["__proto__", "constructor"]);
    expect(Object.hasOwn(Object.prototype, "admin")).toBe(false);
    expect(parse(`{"__proto__":1,"__proto__":2}`).faults).toHaveLength(1);
  });

  it.each([
    ["", "$ is not JSON: a value is expected, found the text ends at line 1, column 1"],
    ["{", "$ is not JSON: a key is expected at line 1, column 2"],
    ['{"a":1,}', "$ is not JSON: a key is expected at line 1, column 8"],
    ["[1,]", '$[1] is not JSON: a value is expected, found "]" at line 1, column 4'],
    ["[1 2]", '$ is not JSON: "," or "]" is expected, found "2" at line 1, column 4'],
    ['{"a" 1}', '$.a is not JSON: ":" is expected, found "1" at line 1, column 6'],
    ["{a:1}", "$ is not JSON: a key is expected at line 1, column 2"],
    ["1 2", "$ is not JSON: more text after the value at line 1, column 3"],
    ["01", "$ is not JSON: more text after the value at line 1, column 2"],
    ["+1", '$ is not JSON: a value is expected, found "+" at line 1, column 1'],
    ["NaN", '$ is not JSON: a value is expected, found "N" at line 1, column 1'],
    ["nul", '$ is not JSON: "null" is expected, found "n" at line 1, column 1'],
    ["// c\n1", '$ is not JSON: a value is expected, found "/" at line 1, column 1'],
    ["'a'", `$ is not JSON: a value is expected, found "'" at line 1, column 1`],
    ['"\\x41"', "$ is not JSON: an escape sequence that JSON does not have at line 1, column 2"],
    ['"\\u00"', "$ is not JSON: an escape sequence that JSON does not have at line 1, column 2"],
    [
      '"a\nb"',
      "$ is not JSON: a control character in a string must be escaped at line 1, column 3",
    ],
    ['"abc', "$ is not JSON: the text ends inside a string at line 1, column 5"],
    [
      '{"a":\n [1,\n  ?]}',
      '$.a[1] is not JSON: a value is expected, found "?" at line 3, column 3',
    ],
    ["[1e999]", "$[0] is not JSON: a number out of range at line 1, column 2"],
    ["\u00a0 1", '$ is not JSON: a value is expected, found "\u00a0" at line 1, column 1'],
  ])("refuses %j and says where", (source, fault) => {
    expect(parse(source)).toEqual({ value: undefined, faults: [fault] });
  });

  it.each([['"\\ud800"'], ['"\\udc00\\ud800"'], ['{"\\ud83d":1}'], ['"\\ud83d\\u0041"']])(
    "refuses the lone surrogate in %s",
    (source) => {
      const { value, faults } = parse(source);
      expect(value).toBeUndefined();
      expect(faults[0]).toMatch(/half a surrogate pair/);
    },
  );

  it("joins an escaped surrogate pair", () => {
    expect(parse('"\\ud83d\\ude00"').value).toMatchObject({ value: "😀" });
  });

  it.each([
    ["a lone continuation byte", [0x22, 0x80, 0x22]],
    ["an overlong slash", [0x22, 0xc0, 0xaf, 0x22]],
    ["an encoded surrogate", [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ["UTF-16", [0xff, 0xfe, 0x31, 0x00]],
  ])("refuses %s as no UTF-8", (_, bytes) => {
    expect(parse(Uint8Array.from(bytes)).faults).toEqual(["$ must be UTF-8 text"]);
  });

  it("refuses a byte order mark, which the hash would cover unseen", () => {
    expect(parse(Uint8Array.from([0xef, 0xbb, 0xbf, 0x31])).value).toBeUndefined();
  });

  it("takes the deepest allowed nesting and refuses one level more", () => {
    const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    expect(parse(nested(JSON_DEPTH_MAX)).faults).toEqual([]);
    const { value, faults } = parse(nested(JSON_DEPTH_MAX + 1));
    expect(value).toBeUndefined();
    expect(faults[0]).toMatch(/more than 16 levels/);
  });

  it("refuses a text that is too long before looking at it", () => {
    const faults = new FaultSink();
    expect(parseJson(utf8("[1234]"), 5, faults)).toBeUndefined();
    expect(faults.list()).toEqual([
      { path: "$", message: "must be at most 5 bytes long, and is 6" },
    ]);
  });

  it.each([
    ["a bracket flood", "[".repeat(BYTES_MAX)],
    ["a flat flood of arrays", `[${"[],".repeat(BYTES_MAX / 4)}0]`],
    ["a flood of escapes", `"${"\\u0061".repeat(BYTES_MAX / 7)}"`],
    ["a flood of duplicate keys", `{${'"a":0,'.repeat(BYTES_MAX / 8)}"a":0}`],
    ["a long key many times", `{"${"k".repeat(1000)}":[${"{},".repeat(BYTES_MAX / 4)}0]}`],
    ["a long number", "9".repeat(BYTES_MAX)],
    ["a string that never ends", `"${"a".repeat(BYTES_MAX - 1)}`],
    ["white space without end", " ".repeat(BYTES_MAX)],
    ["line breaks before a fault", `${"\n".repeat(BYTES_MAX - 1)}?`],
  ])("answers %s of a mebibyte within a second, with few faults", (_, source) => {
    const started = performance.now();
    const { faults } = parse(source);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(faults.length).toBeLessThanOrEqual(FAULTS_MAX + 1);
    expect(faults.every((fault) => fault.length < 500)).toBe(true);
  });
});
