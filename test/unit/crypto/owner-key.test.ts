import { ECDH, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { toBase64 } from "../../../src/core/base64.ts";
import { concat, fromHex, toHex, utf8 } from "../../../src/core/bytes.ts";
import { OWNER_KEY_TEXT_MAX } from "../../../src/core/limits.ts";
import { unwrap } from "../../../src/core/result.ts";
import { spkiOf } from "../../../src/crypto/spki.ts";
import { sha256 } from "../../../src/crypto/hash.ts";
import {
  importOwnerKey,
  parseOwnerKey,
  signAsOwner,
  verifyOwnerSignature,
} from "../../../src/crypto/owner-key.ts";

const p256 = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const p384 = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
const ed = generateKeyPairSync("ed25519");
const pairs = [
  ["ecdsa-sha256", p256, "sha256"],
  ["ecdsa-sha384", p384, "sha384"],
  ["ed25519", ed, null],
] as const;
const manifest = utf8("approve this");

function pem(key: KeyObject): string {
  return key.export({ format: "pem", type: "spki" }).toString();
}

function ed25519Text(raw: Uint8Array): string {
  return toBase64(concat(fromHex("302a300506032b6570032100")!, raw));
}

function compressed(key: KeyObject, curve: string, prefix: string): string {
  const point = ECDH.convertKey(spkiOf(key).slice(-65), curve, undefined, undefined, "compressed");
  return toBase64(concat(fromHex(prefix)!, point as Buffer));
}

describe("an owner's key", () => {
  it.each(pairs)("%s is read from PEM and from base64, with one id", (algorithm, pair) => {
    const spki = spkiOf(pair.publicKey);
    for (const text of [pem(pair.publicKey), toBase64(spki), `\n ${pem(pair.publicKey)}\r\n`]) {
      const key = unwrap(parseOwnerKey(text));
      expect(key.algorithm).toBe(algorithm);
      expect(key.keyId).toBe(sha256(spki));
      expect(toHex(key.spki)).toBe(toHex(spki));
      expect(key.keyObject.equals(pair.publicKey)).toBe(true);
    }
    expect(unwrap(importOwnerKey(spki)).keyId).toBe(sha256(spki));
  });

  it.each(pairs)(
    "%s verifies signatures as openssl makes them, and no others",
    async (algorithm, pair, hash) => {
      const key = unwrap(parseOwnerKey(pem(pair.publicKey)));
      const signature = sign(hash, manifest, pair.privateKey);
      expect(await verifyOwnerSignature(key, manifest, signature)).toBe(true);
      const ours = await signAsOwner(pair.privateKey, algorithm, manifest);
      expect(await verifyOwnerSignature(key, manifest, ours)).toBe(true);
      const changed = Uint8Array.from(signature);
      changed[changed.length - 1]! ^= 1;
      const wrong = [
        verifyOwnerSignature(key, utf8("approve that"), signature),
        verifyOwnerSignature(key, manifest, changed),
        verifyOwnerSignature(key, manifest, signature.subarray(0, -1)),
        verifyOwnerSignature(key, manifest, Buffer.concat([signature, Buffer.of(0)])),
        verifyOwnerSignature(key, manifest, new Uint8Array(0)),
        verifyOwnerSignature(key, manifest, new Uint8Array(1_000_000)),
        ...pairs
          .filter(([other]) => other !== algorithm)
          .map(([, other, otherHash]) =>
            verifyOwnerSignature(key, manifest, sign(otherHash, manifest, other.privateKey)),
          ),
      ];
      expect(await Promise.all(wrong)).toEqual(wrong.map(() => false));
    },
  );

  it("takes ECDSA signatures only as DER and only with the curve's hash", async () => {
    const key = unwrap(importOwnerKey(spkiOf(p256.publicKey)));
    const raw = sign("sha256", manifest, { key: p256.privateKey, dsaEncoding: "ieee-p1363" });
    const otherHash = sign("sha384", manifest, p256.privateKey);
    expect(await verifyOwnerSignature(key, manifest, raw)).toBe(false);
    expect(await verifyOwnerSignature(key, manifest, otherHash)).toBe(false);
  });

  it("is refused as another algorithm, encoding or form, each time with a hint", () => {
    const spki = spkiOf(p256.publicKey);
    const offCurve = spki.slice();
    offCurve[offCurve.length - 1]! ^= 1;
    const refused = [
      pem(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey),
      pem(generateKeyPairSync("ec", { namedCurve: "secp521r1" }).publicKey),
      pem(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey),
      pem(generateKeyPairSync("ed448").publicKey),
      pem(generateKeyPairSync("x25519").publicKey),
      p256.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
      compressed(
        p256.publicKey,
        "prime256v1",
        "3039301306072a8648ce3d020106082a8648ce3d030107032200",
      ),
      toBase64(offCurve),
      toBase64(concat(spki, Uint8Array.of(0))),
      toBase64(spki).replace(/=*$/, " "),
      pem(p256.publicKey) + pem(p384.publicKey),
      "",
      "not a key",
      `${pem(p256.publicKey)}${" ".repeat(OWNER_KEY_TEXT_MAX)}`,
    ];
    for (const text of refused) {
      const result = parseOwnerKey(text);
      expect(!result.ok && result.error.code, text.slice(0, 80)).toBe("invalid-argument");
      expect(!result.ok && result.error.hint).toContain("public key");
    }
  });

  it("repeats nothing of a private key that was given by mistake", () => {
    const text = ed.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    const result = parseOwnerKey(text);
    expect(!result.ok && result.error.message).toContain("private key");
    expect(JSON.stringify(result)).not.toContain(text.split("\n")[1]!.slice(20));
  });

  it("is refused as an Ed25519 point of small order, under which anybody can sign", () => {
    // All points of order dividing eight, from a generator of that group.
    const torsion = ed25519.Point.fromHex(
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    );
    expect(torsion.isSmallOrder()).toBe(true);
    const seen = new Set<string>();
    let point = torsion;
    for (let i = 0; i < 8; i++) {
      seen.add(point.toHex());
      point = point.add(torsion);
    }
    expect(seen.size).toBe(8);
    const notReduced = ["ed", "ee", "f0"].map((low) => `${low}${"ff".repeat(30)}7f`);
    for (const hex of [...seen, ...notReduced]) {
      expect(parseOwnerKey(ed25519Text(fromHex(hex)!)).ok, hex).toBe(false);
    }
    const sound = ed25519.Point.BASE.toHex();
    expect(parseOwnerKey(ed25519Text(fromHex(sound)!)).ok).toBe(true);
  });
});
