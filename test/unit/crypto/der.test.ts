import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../src/core/bytes.ts";
import { DER_TAG, type DerReader, contextTag, parseDer } from "../../../src/crypto/der.ts";

/** What `read` makes of a document in hex, or the reason of the refusal. */
function read(document: string, reader: (der: DerReader) => unknown): unknown {
  const result = parseDer(fromHex(document.replaceAll(" ", ""))!, reader);
  return result.ok ? result.value : `refused at ${result.error.offset}: ${result.error.message}`;
}

const oid = (der: DerReader): string => der.oid();
const integer = (der: DerReader): number => der.smallInteger();
const time = (der: DerReader): string => new Date(der.time()).toISOString();
const ascii = (text: string): string => toHex(new TextEncoder().encode(text));

describe("lengths and tags", () => {
  it("reads an element with a length of one, two and three octets", () => {
    expect(read("0401aa", (der) => der.octetString().length)).toBe(1);
    expect(read(`048180${"00".repeat(128)}`, (der) => der.octetString().length)).toBe(128);
    expect(read(`04820100${"00".repeat(256)}`, (der) => der.octetString().length)).toBe(256);
  });

  it.each([
    ["an indefinite length", "0480aa0000", "indefinite"],
    ["a long form for a short length", "048101aa", "longer form"],
    ["a length with a leading zero octet", `04820080${"00".repeat(128)}`, "longer form"],
    ["a length of five octets", "04850000000001aa", "above 4 GiB"],
    ["a length beyond the document", "0402aa", "past its parent's end"],
    ["a document that ends after the tag", "04", "breaks off"],
    ["a document that ends within the length", "048201", "breaks off"],
    ["an empty document", "", "expected tag 0x04, found the end"],
    ["another tag", "0401aa".replace("04", "05"), "expected tag 0x04, found 0x05"],
  ])("refuses %s", (_name, document, reason) => {
    expect(read(document, (der) => der.octetString())).toContain(reason);
  });

  it("refuses tag numbers above 30", () => {
    expect(read("1f810101aa", (der) => der.any())).toContain("above 30");
  });

  it("refuses bytes behind the outermost element, with their offset", () => {
    expect(read("0401aa00", (der) => der.octetString().length)).toBe(
      "refused at 3: 1 bytes are left over",
    );
  });

  it("refuses bytes left over inside a sequence", () => {
    expect(read("3004 0500 0500", (der) => der.inside((inner) => inner.null()))).toContain(
      "left over",
    );
  });

  it("refuses an element that reaches past its parent", () => {
    expect(read("3003 0402aa bb", (der) => der.inside((inner) => inner.octetString()))).toContain(
      "past its parent's end",
    );
  });

  it("stops at the depth limit instead of the stack's", () => {
    const deep = (der: DerReader): number =>
      der.atEnd() ? 0 : der.inside((inner) => deep(inner)) + 1;
    const nested = (levels: number): string => {
      let document = "";
      for (let i = 0; i < levels; i++) {
        const length = document.length / 2;
        document = `30${length.toString(16).padStart(2, "0")}${document}`;
      }
      return document;
    };
    expect(read(nested(16), deep)).toBe(16);
    expect(read(nested(17), deep)).toContain("nested deeper than 16");
  });

  it("refuses a document above the size limit unread", () => {
    const result = parseDer(new Uint8Array(11), () => expect.fail("was read"), 10);
    expect(result).toMatchObject({ ok: false, error: { message: "11 bytes, more than 10" } });
  });

  it("lets faults of the program through", () => {
    const fault = new TypeError("a bug");
    expect(() =>
      parseDer(new Uint8Array(0), () => {
        throw fault;
      }),
    ).toThrow(fault);
  });

  it("reads optional elements only when they are there", () => {
    const reader = (der: DerReader): unknown => [
      der.optionalInside(contextTag(0), (inner) => inner.smallInteger()),
      der.optional(DER_TAG.null)?.tag,
    ];
    expect(read("a003020107 0500", reader)).toEqual([7, 5]);
    expect(read("0500", reader)).toEqual([undefined, 5]);
    expect(read("", reader)).toEqual([undefined, undefined]);
  });

  it("bounds lists", () => {
    const reader = (der: DerReader): unknown => der.list((item) => item.smallInteger(), 2);
    expect(read("020101 020102", reader)).toEqual([1, 2]);
    expect(read("020101 020102 020103", reader)).toContain("more than 2 items");
  });
});

describe("object ids", () => {
  it.each([
    ["0603550403", "2.5.4.3"],
    ["06092a864886f70d01010a", "1.2.840.113549.1.1.10"],
    ["06028837", "2.999"],
    ["06012a", "1.2"],
  ])("reads %s as %s", (document, expected) => {
    expect(read(document, oid)).toBe(expected);
  });

  it.each([
    ["no octets", "0600", "odd object id length"],
    ["a padded arc", "0603558003", "padded"],
    ["an arc that breaks off", "06025584", "breaks off"],
    ["an arc above 2^53", "060955ffffffffffffff7f", "huge arc"],
    ["65 octets", `0641${"01".repeat(65)}`, "odd object id length"],
  ])("refuses %s", (_name, document, reason) => {
    expect(read(document, oid)).toContain(reason);
  });
});

describe("numbers and booleans", () => {
  it.each([
    ["020100", 0],
    ["02017f", 127],
    ["02020080", 128],
    ["02047fffffff", 0x7fff_ffff],
  ])("reads %s as %d", (document, expected) => {
    expect(read(document, integer)).toBe(expected);
  });

  it.each([
    ["an empty integer", "0200", "empty"],
    ["a padded positive integer", "0202007f", "padded"],
    ["a padded negative integer", "0202ff80", "padded"],
    ["a negative integer", "0201ff", "outside"],
    ["2^31", "02050080000000", "outside"],
  ])("refuses %s as a small integer", (_name, document, reason) => {
    expect(read(document, integer)).toContain(reason);
  });

  it("gives big integers as their content octets", () => {
    expect(read("0209 00ffffffffffffffff", (der) => toHex(der.integerBytes()))).toBe(
      "00ffffffffffffffff",
    );
  });

  it("knows exactly two booleans", () => {
    expect(read("0101ff", (der) => der.boolean())).toBe(true);
    expect(read("010100", (der) => der.boolean())).toBe(false);
    expect(read("010101", (der) => der.boolean())).toContain("neither 00 nor FF");
    expect(read("01020000", (der) => der.boolean())).toContain("neither 00 nor FF");
  });

  it("refuses a NULL with content", () => {
    expect(read("050100", (der) => der.null())).toContain("NULL with content");
  });
});

describe("bit strings", () => {
  it("reads whole octets and named bits", () => {
    expect(read("030300aabb", (der) => toHex(der.bitString()))).toBe("aabb");
    expect(read("03020780", (der) => der.namedBits().unusedBits)).toBe(7);
  });

  it.each([
    ["no first octet", "0300", "first octet"],
    ["eight unused bits", "03020880", "first octet"],
    ["unused bits of nothing", "030101", "not zero"],
    ["unused bits that are set", "03020181", "not zero"],
  ])("refuses %s", (_name, document, reason) => {
    expect(read(document, (der) => der.namedBits())).toContain(reason);
  });

  it("refuses unused bits where octets are expected", () => {
    expect(read("03020780", (der) => der.bitString())).toContain("unused bits");
  });
});

describe("strings", () => {
  const text = (der: DerReader): string => der.text();

  it("reads UTF-8 and ASCII strings", () => {
    expect(read("0c04c3a47878", text)).toBe("äxx");
    expect(read("1302414d", text)).toBe("AM");
  });

  it.each([
    ["broken UTF-8", "0c01ff", "not UTF-8"],
    ["a control character", "13020041", "printable ASCII"],
    ["a tag that is no string", "040141", "expected a string"],
    ["1025 bytes", `13820401${"41".repeat(1025)}`, "above 1024 bytes"],
  ])("refuses %s", (_name, document, reason) => {
    expect(read(document, text)).toContain(reason);
  });
});

describe("times", () => {
  it.each([
    ["17", "200102030405Z", "2020-01-02T03:04:05.000Z"],
    ["17", "491231235959Z", "2049-12-31T23:59:59.000Z"],
    ["17", "500101000000Z", "1950-01-01T00:00:00.000Z"],
    ["18", "20500101000000Z", "2050-01-01T00:00:00.000Z"],
  ])("reads tag %s %s as %s", (tag, written, expected) => {
    const length = written.length.toString(16).padStart(2, "0");
    expect(read(`${tag}${length}${ascii(written)}`, time)).toBe(expected);
  });

  it.each([
    ["no seconds", "17", "2001020304Z", "another form"],
    ["an offset", "17", "200102030405+0100", "another form"],
    ["fractions", "18", "20200102030405.5Z", "another form"],
    ["the 30th of February", "17", "200230000000Z", "does not exist"],
    ["hour 24", "17", "200101240000Z", "does not exist"],
    ["year 50 in four digits", "18", "00500101000000Z", "does not exist"],
    ["another tag", "04", "200102030405Z", "expected a time"],
  ])("refuses %s", (_name, tag, written, reason) => {
    const length = written.length.toString(16).padStart(2, "0");
    expect(read(`${tag}${length}${ascii(written)}`, time)).toContain(reason);
  });
});
