import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "../../../src/core/bytes.ts";
import { DER_TAG, type DerReader, parseDer } from "../../../src/crypto/der.ts";
import {
  derBitString,
  derElement,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derSetOf,
  derTime,
  derTrue,
  derUnsigned,
} from "../../../src/crypto/der-writer.ts";

function readBack<T>(bytes: Uint8Array, read: (der: DerReader) => T): T {
  const result = parseDer(bytes, read);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

describe("the DER writer", () => {
  it("writes the examples of X.690 and RFC 5280", () => {
    expect(toHex(derInteger(0))).toBe("020100");
    expect(toHex(derInteger(127))).toBe("02017f");
    expect(toHex(derInteger(128))).toBe("02020080");
    expect(toHex(derInteger(256))).toBe("02020100");
    expect(toHex(derUnsigned(new Uint8Array(0)))).toBe("020100");
    expect(toHex(derUnsigned(Uint8Array.of(0, 0, 5)))).toBe("020105");
    expect(toHex(derOid("1.2.840.113549.1.1.1"))).toBe("06092a864886f70d010101");
    expect(toHex(derOid("2.999.3"))).toBe("0603883703");
    expect(toHex(derTrue())).toBe("0101ff");
    expect(toHex(derSetOf(derTrue()))).toBe("31030101ff");
    expect(toHex(derBitString(Uint8Array.of(5)))).toBe("03020005");
    expect(toHex(derOctetString(Uint8Array.of(1), Uint8Array.of(2)))).toBe("04020102");
  });

  it("writes times as UTCTime up to 2049 and GeneralizedTime from 2050", () => {
    const time = (text: string): string =>
      Buffer.from(derTime(Date.parse(text)).subarray(2)).toString();
    expect(time("2049-12-31T23:59:59.999Z")).toBe("491231235959Z");
    expect(time("2050-01-01T00:00:00Z")).toBe("20500101000000Z");
    expect(time("1950-01-01T00:00:00Z")).toBe("500101000000Z");
    expect(() => derTime(Date.parse("1949-12-31T23:59:59Z"))).toThrow("1950");
    expect(() => derTime(Date.parse("+010000-01-01T00:00:00Z"))).toThrow("9999");
  });

  it("writes what the strict reader reads back, at every length form", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.constantFrom(127, 128, 255, 256, 65535, 65536).map((length) => new Uint8Array(length)),
        ),
        (content) => {
          const encoded = derSequence(derOctetString(content));
          const read = readBack(encoded, (der) => der.inside((inner) => inner.octetString()));
          expect(toHex(read)).toBe(toHex(content));
        },
      ),
    );
  });

  it("writes numbers, object ids and times that the strict reader reads back", () => {
    const arc = fc.integer({ min: 0, max: 2 ** 40 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x7fff_ffff }),
        fc.array(arc, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: Date.UTC(1950), max: Date.UTC(2200) }),
        (number, arcs, millis) => {
          const oid = ["1.3", ...arcs].join(".");
          const encoded = derSequence(derInteger(number), derOid(oid), derTime(millis));
          const read = readBack(encoded, (der) =>
            der.inside((inner) => [inner.smallInteger(), inner.oid(), inner.time()] as const),
          );
          expect(read).toEqual([number, oid, Math.floor(millis / 1000) * 1000]);
        },
      ),
    );
  });

  it("keeps large numbers positive and without padding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        const read = readBack(derUnsigned(bytes), (der) => der.integerBytes());
        expect(BigInt(`0x${toHex(read)}`)).toBe(BigInt(`0x${toHex(bytes)}`));
        expect(read[0]! < 0x80).toBe(true);
      }),
    );
  });

  it("treats a number out of range or an object id that isn't one as a programmer's fault", () => {
    for (const value of [-1, 1.5, 2 ** 53]) expect(() => derInteger(value)).toThrow();
    for (const oid of ["", "1", "3.1", "1.2.x"]) expect(() => derOid(oid)).toThrow();
    expect(derElement(DER_TAG.ia5String, utf8("a"))).toHaveLength(3);
  });
});
