import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromBase64, toBase64 } from "../../../src/core/base64.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { FaultSink, type JsonValue, parseJson } from "../../../src/core/json/index.ts";

const BYTES_MAX = 100_000;

/** What `JSON.parse` would have given. */
function plain(value: JsonValue): unknown {
  switch (value.kind) {
    case "object": {
      const out = Object.create(null) as Record<string, unknown>;
      for (const [key, member] of value.members) out[key] = plain(member);
      return out;
    }
    case "array":
      return value.items.map(plain);
    case "null":
      return null;
    case "boolean":
    case "number":
    case "string":
      return value.value;
  }
}

function ours(source: string): { value: JsonValue | undefined; faults: FaultSink } {
  const faults = new FaultSink();
  return { value: parseJson(utf8(source), BYTES_MAX, faults), faults };
}

function theirs(source: string): { parsed: true; value: unknown } | { parsed: false } {
  try {
    return { parsed: true, value: JSON.parse(source) as unknown };
  } catch {
    // A syntax error: the answer that the oracle is asked for.
    return { parsed: false };
  }
}

/** Faults for which a text that `JSON.parse` takes may be refused. */
const STRICTER = /surrogate|out of range|more than once/;

/** Expects the same answer as the oracle's; tells what it was. */
function compare(source: string): "accepted" | "stricter" | "refused" {
  const expected = theirs(source);
  const { value, faults } = ours(source);
  if (!expected.parsed) {
    expect(value).toBeUndefined();
    return "refused";
  }
  if (value === undefined || faults.count > 0) {
    expect(faults.list()[0]?.message).toMatch(STRICTER);
    return "stricter";
  }
  expect(JSON.stringify(plain(value))).toBe(JSON.stringify(expected.value));
  return "accepted";
}

describe("parseJson against JSON.parse", () => {
  it("reads every JSON value that JSON.stringify writes", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6 }),
        fc.constantFrom(undefined, 1, "\t"),
        (value, space) => {
          const source = JSON.stringify(value, undefined, space);
          const { value: parsed, faults } = ours(source);
          expect(faults.list()).toEqual([]);
          expect(JSON.stringify(plain(parsed!))).toBe(JSON.stringify(value));
        },
      ),
    );
  });

  it("accepts exactly the same texts, apart from duplicate keys, lone surrogates and huge numbers", () => {
    const token = fc.constantFrom(
      ...[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\u00a0",
        "\ufeff",
        "/",
        "'",
        '"',
        "\\",
        "\\u0061",
      ],
      ...["-", "+", ".", "e", "E", "0", "1", "00", "1.5", "1e5", "-0", "NaN", "Infinity", "1e999"],
      ...["true", "false", "null", "nul", '"a"', '"b"', '"\\ud800"', '"\\n"', '"\u0001"', "\u2028"],
    );
    const counts = { accepted: 0, stricter: 0, refused: 0 };
    fc.assert(
      fc.property(fc.array(token, { maxLength: 9 }), (tokens) => {
        counts[compare(tokens.join(""))] += 1;
      }),
      { numRuns: 5_000 },
    );
    expect(counts.accepted).toBeGreaterThan(100);
    expect(counts.stricter).toBeGreaterThan(10);
    expect(counts.refused).toBeGreaterThan(1_000);
  });

  it("agrees about valid texts with one character changed", () => {
    const mutation = fc.record({
      value: fc.jsonValue({ maxDepth: 4 }),
      at: fc.nat(),
      character: fc.string({ minLength: 0, maxLength: 1 }),
    });
    fc.assert(
      fc.property(mutation, ({ value, at, character }) => {
        const source = JSON.stringify(value);
        const place = at % (source.length + 1);
        const changed = source.slice(0, place) + character + source.slice(place + 1);
        // The cut may leave half a pair in a JavaScript string; UTF-8 cannot hold that.
        fc.pre(!/\p{Surrogate}/u.test(changed));
        compare(changed);
      }),
      { numRuns: 1_000 },
    );
  });

  it("finds a duplicate exactly if two decoded keys of one object are equal", () => {
    const key = fc.constantFrom("a", "b", "\\u0061", "\\u0062", "A", "__proto__");
    fc.assert(
      fc.property(fc.array(key, { maxLength: 5 }), (keys) => {
        const { faults } = ours(`{${keys.map((each) => `"${each}":0`).join(",")}}`);
        const decoded = keys.map((each) => JSON.parse(`"${each}"`) as string);
        expect(faults.count).toBe(keys.length - new Set(decoded).size);
      }),
    );
  });
});

describe("base64 against Buffer", () => {
  it("writes what Buffer writes and reads it back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      }),
    );
  });

  it("accepts a text exactly if Buffer writes the same text again", () => {
    const character = fc.constantFrom("A", "B", "Q", "/", "+", "=", "-", " ", "g");
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(character, { maxLength: 8 }), (characters) => {
        const source = characters.join("");
        const canonical = Buffer.from(source, "base64").toString("base64") === source;
        expect(fromBase64(source) !== undefined).toBe(canonical);
        if (canonical) accepted += 1;
      }),
      { numRuns: 3_000 },
    );
    expect(accepted).toBeGreaterThan(50);
  });
});
