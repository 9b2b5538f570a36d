import { generateKeyPairSync, sign, verify } from "node:crypto";
import { p384 } from "@noble/curves/nist.js";
import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "../../../src/core/bytes.ts";
import { unwrap } from "../../../src/core/result.ts";
import { spkiOf } from "../../../src/crypto/spki.ts";
import { sha256 } from "../../../src/crypto/hash.ts";
import { HistoryKey, historyVerifier } from "../../../src/crypto/history-key.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
const key = new HistoryKey(privateKey);
const verifier = unwrap(historyVerifier(key.spki));
const record = utf8("a record");
const order = p384.Point.Fn.ORDER;

function numberS(signature: Uint8Array): bigint {
  return BigInt(`0x${toHex(signature.subarray(48))}`);
}

/** The other signature that plain ECDSA accepts for the same message. */
function mirrored(signature: Uint8Array): Uint8Array {
  const s = (order - numberS(signature)).toString(16).padStart(96, "0");
  return Uint8Array.from(Buffer.concat([signature.subarray(0, 48), Buffer.from(s, "hex")]));
}

describe("the history key", () => {
  it("names the lineage by its SPKI", () => {
    expect(key.lineage).toBe(sha256(spkiOf(publicKey)));
    expect(verifier.lineage).toBe(key.lineage);
  });

  it("signs in 96 bytes that it, node:crypto and a second library accept, always with the lower s", async () => {
    let mirroredByUs = 0;
    for (let i = 0; i < 24; i++) {
      const signature = await key.sign(record);
      expect(signature).toHaveLength(96);
      expect(numberS(signature) <= order / 2n).toBe(true);
      expect(await verifier.verify(record, signature)).toBe(true);
      const options = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
      expect(verify("sha384", record, options, signature)).toBe(true);
      if (i === 0) {
        const point = key.spki.subarray(-97);
        expect(p384.verify(signature, record, point, { prehash: true, lowS: true })).toBe(true);
      }
      const raw = sign("sha384", record, { key: privateKey, dsaEncoding: "ieee-p1363" });
      if (numberS(raw) > order / 2n) mirroredByUs++;
    }
    // Without normalisation about half would be high: the check above did have something to find.
    expect(mirroredByUs).toBeGreaterThan(0);
  });

  it("refuses the mirrored signature, which plain ECDSA accepts", async () => {
    const signature = mirrored(await key.sign(record));
    const options = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
    expect(verify("sha384", record, options, signature)).toBe(true);
    expect(await verifier.verify(record, signature)).toBe(false);
  });

  it("refuses changed bytes, other lengths, zeros, numbers out of range and another key", async () => {
    const signature = await key.sign(record);
    const other = new HistoryKey(generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey);
    const changed = signature.slice();
    changed[5]! ^= 1;
    const cases: [Uint8Array, Uint8Array][] = [
      [utf8("another record"), signature],
      [record, changed],
      [record, signature.subarray(0, 95)],
      [record, new Uint8Array(0)],
      [record, new Uint8Array(96)],
      [record, new Uint8Array(96).fill(0xff)],
      [record, Uint8Array.from([...signature, 0])],
      [record, await other.sign(record)],
    ];
    for (const [bytes, candidate] of cases) {
      expect(await verifier.verify(bytes, candidate)).toBe(false);
    }
  });

  it("is not imported from another curve, another encoding, or garbage", () => {
    const p256 = spkiOf(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey);
    const offCurve = key.spki.slice();
    offCurve[offCurve.length - 1]! ^= 1;
    for (const spki of [p256, offCurve, key.spki.subarray(1), new Uint8Array(120), utf8("no")]) {
      const result = historyVerifier(spki);
      expect(!result.ok && result.error.code).toBe("verification-failed");
    }
  });
});
