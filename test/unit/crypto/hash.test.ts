import { describe, expect, it } from "vitest";
import { isSha256 } from "../../../src/core/brand.ts";
import { toHex, utf8 } from "../../../src/core/bytes.ts";
import { sha256, sha256Bytes } from "../../../src/crypto/hash.ts";

describe("sha256", () => {
  it("gives the digest of FIPS 180-2's example in both forms", () => {
    const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(sha256(utf8("abc"))).toBe(expected);
    expect(isSha256(sha256(utf8("abc")))).toBe(true);
    expect(toHex(sha256Bytes(utf8("abc")))).toBe(expected);
  });
});
