import { describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import {
  base64Bytes,
  boolean,
  FaultSink,
  hexBytes,
  integer,
  list,
  mapOf,
  nullable,
  object,
  oneOf,
  parseJson,
  quote,
  type Reader,
  sha256,
  text,
} from "../../../../src/core/json/index.ts";
import { FAULTS_MAX } from "../../../../src/core/limits.ts";

function read<T>(reader: Reader<T>, source: string): T | string[] {
  const faults = new FaultSink();
  const value = parseJson(utf8(source), 10_000, faults);
  const result = value === undefined ? undefined : reader(value, "$", faults);
  if (faults.count > 0) return faults.list().map((fault) => `${fault.path} ${fault.message}`);
  return result!;
}

const small = integer({ min: 0, max: 10 });

describe("readers", () => {
  it("read values of their type", () => {
    expect(read(boolean, "true")).toBe(true);
    expect(read(small, "1e1")).toBe(10);
    expect(Object.is(read(small, "-0"), 0)).toBe(true);
    expect(
      read(
        text("anything", () => true),
        '"x"',
      ),
    ).toBe("x");
    expect(read(oneOf(["a", "b"]), '"b"')).toBe("b");
    expect(read(sha256, `"${"0a".repeat(32)}"`)).toBe("0a".repeat(32));
    expect(read(hexBytes({ min: 2, max: 2 }), '"0aFF"')).toEqual(Uint8Array.of(10, 255));
    expect(read(base64Bytes({ min: 0, max: 3 }), '"AQI="')).toEqual(Uint8Array.of(1, 2));
    expect(read(list(small, { min: 1, max: 2 }), "[1,2]")).toEqual([1, 2]);
    expect(read(nullable(small), "null")).toEqual({ value: null });
    expect(read(nullable(small), "0")).toEqual({ value: 0 });
  });

  it.each<[string, Reader<unknown>, string, string]>([
    ["a string for a boolean", boolean, '"true"', "$ must be true or false, not a string"],
    ["a fraction", small, "1.5", "$ must be an integer from 0 to 10, not 1.5"],
    ["a number above", small, "11", "$ must be an integer from 0 to 10, not 11"],
    ["a number as text", small, '"1"', "$ must be an integer from 0 to 10, not a string"],
    [
      "an integer beyond 2^53",
      integer({ min: 0, max: 2 ** 60 }),
      "9007199254740993",
      `$ must be an integer from 0 to ${2 ** 60}, not 9007199254740992`,
    ],
    ["an unknown word", oneOf(["a", "b"]), '"c"', '$ must be "a" or "b", not "c"'],
    ["null for a word", oneOf(["a"]), "null", '$ must be "a", not null'],
    ["an object for text", text("a name", () => true), "{}", "$ must be a name, not an object"],
    [
      "upper-case hex as a digest",
      sha256,
      `"${"0A".repeat(32)}"`,
      `$ must be a SHA-256 digest in 64 lower-case hex digits, not "${"0A".repeat(32)}"`,
    ],
    ["odd hex", hexBytes({ min: 1, max: 4 }), '"abc"', '$ must be 1 to 4 bytes in hex, not "abc"'],
    ["short hex", hexBytes({ min: 2, max: 2 }), '"ab"', "$ must be 2 bytes in hex, not 1 bytes"],
    [
      "base64 without padding",
      base64Bytes({ min: 1, max: 4 }),
      '"AQI"',
      '$ must be 1 to 4 bytes in base64, not "AQI"',
    ],
    ["too few items", list(small, { min: 1, max: 2 }), "[]", "$ must have 1 to 2 items, and has 0"],
    [
      "an object for an array",
      list(small, { min: 0, max: 2 }),
      "{}",
      "$ must be an array, not an object",
    ],
  ])("refuse %s", (_, reader, source, fault) => {
    expect(read(reader, source)).toEqual([fault]);
  });

  it("find every fault of an object: wrong, missing and unknown fields", () => {
    const reader = object((fields) => {
      const a = fields.required("a", small);
      const b = fields.required("b", boolean);
      const c = fields.optional("c", list(small, { min: 0, max: 9 }));
      return a === undefined || b === undefined ? undefined : { a, b, c };
    });
    expect(read(reader, '{"a":1,"b":true}')).toEqual({ a: 1, b: true, c: undefined });
    expect(read(reader, '{"a":11,"c":[1,"x",{}],"z z":1,"__proto__":2}')).toEqual([
      "$.a must be an integer from 0 to 10, not 11",
      "$.b is missing",
      "$.c[1] must be an integer from 0 to 10, not a string",
      "$.c[2] must be an integer from 0 to 10, not an object",
      '$["z z"] is not a known field',
      "$.__proto__ is not a known field",
    ]);
    expect(read(reader, '{"a":1,"b":true,"c":null}')).toEqual(["$.c must be an array, not null"]);
  });

  it("read an object as a map and check its keys", () => {
    const key = text("a lower-case word", (word) => /^[a-z]+$/.test(word));
    const reader = mapOf(key, small, { min: 1, max: 3 });
    expect(read(reader, '{"b":1,"a":2}')).toEqual(
      new Map([
        ["b", 1],
        ["a", 2],
      ]),
    );
    expect(read(reader, '{"B":1,"a":true}')).toEqual([
      '$.B must be a lower-case word, not "B"',
      "$.a must be an integer from 0 to 10, not a boolean",
    ]);
    expect(read(reader, "{}")).toEqual(["$ must have 1 to 3 members, and has 0"]);
  });
});

describe("FaultSink", () => {
  it("lists a bounded number of faults and counts the rest", () => {
    const faults = new FaultSink();
    for (let i = 0; i < FAULTS_MAX + 7; i++) faults.add(`$[${i}]`, "is wrong");
    expect(faults.count).toBe(FAULTS_MAX + 7);
    expect(faults.list()).toHaveLength(FAULTS_MAX + 1);
    expect(faults.list().at(-1)).toEqual({ path: "$", message: "has 7 further faults" });
  });
});

describe("quote", () => {
  it("cuts long text and escapes what could steer a terminal", () => {
    expect(quote("a".repeat(100))).toBe(`"${"a".repeat(80)}…"`);
    expect(quote("\u001b[31m\u009b\u202e")).toBe('"\\u001b[31m\\u009b\\u202e"');
  });
});
