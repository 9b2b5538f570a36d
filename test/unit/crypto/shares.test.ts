import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, publicEncrypt, constants } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toBase64 } from "../../../src/core/base64.ts";
import type { Sha256 } from "../../../src/core/brand.ts";
import { concat, fromHex, toHex } from "../../../src/core/bytes.ts";
import { unwrap } from "../../../src/core/result.ts";
import {
  derBitString,
  derElement,
  derInteger,
  derOid,
  derSequence,
  derUnsigned,
} from "../../../src/crypto/der-writer.ts";
import { spkiOf } from "../../../src/crypto/spki.ts";
import { sha256 } from "../../../src/crypto/hash.ts";
import { Secret } from "../../../src/crypto/secret.ts";
import { parseShareOwnerKey, shareOwnerKeyOf } from "../../../src/crypto/share-owner-key.ts";
import {
  combineShares,
  decryptShare,
  encryptShare,
  recognizeShare,
  SHARE_BYTES,
  shareCommitment,
  splitSeed,
} from "../../../src/crypto/shares.ts";

const lineage = "ab".repeat(32) as Sha256;
const x25519 = generateKeyPairSync("x25519");
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });

function seed(): Secret {
  return Secret.random(96);
}

function hex(secret: Secret): string {
  return secret.use(toHex);
}

function codeOf(result: { ok: boolean; error?: { code: string } }): string | undefined {
  return result.ok ? "ok" : result.error?.code;
}

/** An SPKI with any modulus and exponent. */
function rsaText(modulus: Uint8Array, exponent: Uint8Array): string {
  const key = derSequence(derUnsigned(modulus), derUnsigned(exponent));
  const algorithm = derSequence(derOid("1.2.840.113549.1.1.1"), derElement(0x05));
  return toBase64(derSequence(algorithm, derBitString(key)));
}

describe("splitting and combining", () => {
  it("gives the seed back for any k of n shares in any order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }).chain((n) =>
          fc.record({
            k: fc.integer({ min: 1, max: n }),
            order: fc.shuffledSubarray([...Array(n).keys()], { minLength: n }),
          }),
        ),
        async ({ k, order }) => {
          const secret = seed();
          const shares = await splitSeed(secret, k, order.length);
          const commitments = shares.map(shareCommitment);
          expect(shares.every(({ length }) => length === SHARE_BYTES)).toBe(true);
          expect(new Set(commitments).size).toBe(order.length);
          const chosen = order.slice(0, k).map((index) => shares[index]!);
          expect(hex(unwrap(await combineShares(chosen, k, commitments)))).toBe(hex(secret));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("also takes more shares than are needed", async () => {
    const secret = seed();
    const shares = await splitSeed(secret, 2, 3);
    const result = await combineShares(shares, 2, shares.map(shareCommitment));
    expect(hex(unwrap(result))).toBe(hex(secret));
  });

  it("with k = 1 makes each share the seed and its own number", async () => {
    const secret = seed();
    const shares = await splitSeed(secret, 1, 3);
    expect(shares.map(hex)).toEqual(["01", "02", "03"].map((x) => hex(secret) + x));
    const only = await splitSeed(secret, 1, 1);
    expect(only.map(hex)).toEqual([`${hex(secret)}01`]);
  });

  it("splits anew every time", async () => {
    const secret = seed();
    const [a, b] = await Promise.all([splitSeed(secret, 2, 3), splitSeed(secret, 2, 3)]);
    expect(a.map(hex).some((share) => b.map(hex).includes(share))).toBe(false);
  });

  it("commits by the published formula", async () => {
    const [share] = await splitSeed(seed(), 1, 1);
    const prefix = "0000001b" + Buffer.from("quorate/share-commitment/v1").toString("hex");
    expect(shareCommitment(share!)).toBe(sha256(fromHex(`${prefix}00000061${hex(share!)}`)!));
  });

  it("tells a wrong, damaged, foreign, mixed, duplicate or missing share apart", async () => {
    const secret = seed();
    const shares = await splitSeed(secret, 2, 3);
    const commitments = shares.map(shareCommitment);
    const again = await splitSeed(secret, 2, 3);
    const damaged = Secret.take(fromHex(hex(shares[1]!).replace(/..$/, "00"))!);
    const short = Secret.take(fromHex(hex(shares[1]!).slice(2))!);
    const wrong: [readonly Secret[], string][] = [
      [[shares[0]!, Secret.random(SHARE_BYTES)], "share-invalid"],
      [[shares[0]!, damaged], "share-invalid"],
      [[shares[0]!, short], "share-invalid"],
      [[shares[0]!, again[1]!], "share-invalid"],
      [[again[0]!, again[1]!], "share-invalid"],
      [[shares[0]!, shares[0]!], "share-duplicate"],
      [[shares[0]!, shares[1]!, shares[0]!], "share-duplicate"],
      [[shares[0]!], "invalid-argument"],
      [[], "invalid-argument"],
    ];
    for (const [given, code] of wrong) {
      expect(codeOf(await combineShares(given, 2, commitments))).toBe(code);
    }
    expect(recognizeShare(shares[2]!, commitments)).toEqual({ ok: true, value: commitments[2] });
    // Nothing was consumed: the right shares still work.
    expect(codeOf(await combineShares(shares.slice(1), 2, commitments))).toBe("ok");
  });
});

describe("encrypting a share", () => {
  it.each([
    ["x25519-hpke", x25519],
    ["rsa-oaep-sha256", rsa],
  ] as const)("to %s opens with the owner's key only", async (algorithm, pair) => {
    const [share] = await splitSeed(seed(), 1, 1);
    const owner = unwrap(
      parseShareOwnerKey(pair.publicKey.export({ format: "pem", type: "spki" }).toString()),
    );
    const encrypted = unwrap(await encryptShare(share!, owner, lineage));
    expect(encrypted).toMatchObject({
      algorithm,
      key: sha256(spkiOf(pair.publicKey)),
      commitment: shareCommitment(share!),
    });
    expect(toHex(encrypted.ciphertext)).not.toContain(hex(share!).slice(0, 20));
    const opened = unwrap(await decryptShare(encrypted, pair.privateKey, lineage));
    expect(hex(opened)).toBe(hex(share!));

    const changed = encrypted.ciphertext.slice();
    changed[40]! ^= 1;
    const stranger = generateKeyPairSync("x25519").privateKey;
    const results = [
      await decryptShare(encrypted, stranger, lineage),
      await decryptShare({ ...encrypted, ciphertext: changed }, pair.privateKey, lineage),
      await decryptShare({ ...encrypted, ciphertext: new Uint8Array(5) }, pair.privateKey, lineage),
    ];
    expect(results.map(codeOf)).toEqual(results.map(() => "decryption-failed"));
    const other = { ...encrypted, commitment: "00".repeat(32) as Sha256 };
    expect(codeOf(await decryptShare(other, pair.privateKey, lineage))).toBe("share-invalid");
  });

  it("binds an X25519 share to its lineage", async () => {
    const [share] = await splitSeed(seed(), 1, 1);
    const owner = unwrap(shareOwnerKeyOf(x25519.publicKey));
    const encrypted = unwrap(await encryptShare(share!, owner, lineage));
    const result = await decryptShare(encrypted, x25519.privateKey, "ef".repeat(32) as Sha256);
    expect(codeOf(result)).toBe("decryption-failed");
  });

  it("uses the published OAEP parameters, so that openssl opens it", async () => {
    const [share] = await splitSeed(seed(), 1, 1);
    const owner = unwrap(shareOwnerKeyOf(rsa.publicKey));
    const encrypted = unwrap(await encryptShare(share!, owner, lineage));
    const label = Buffer.from("quorate/share/v1").toString("hex");
    const folder = mkdtempSync(join(tmpdir(), "quorate-share-"));
    try {
      const keyFile = join(folder, "key.pem");
      writeFileSync(keyFile, rsa.privateKey.export({ format: "pem", type: "pkcs8" }));
      const options = [
        "rsa_padding_mode:oaep",
        "rsa_oaep_md:sha256",
        "rsa_mgf1_md:sha256",
        `rsa_oaep_label:${label}`,
      ].flatMap((option) => ["-pkeyopt", option]);
      const command = ["pkeyutl", "-decrypt", "-inkey", keyFile, ...options];
      const opened = execFileSync("openssl", command, { input: encrypted.ciphertext });
      expect(toHex(opened)).toBe(hex(share!));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("refuses a ciphertext whose inside has another length than a share", async () => {
    const encrypted = {
      key: sha256(spkiOf(rsa.publicKey)),
      algorithm: "rsa-oaep-sha256" as const,
      ciphertext: publicEncrypt(
        {
          key: rsa.publicKey,
          padding: constants.RSA_PKCS1_OAEP_PADDING,
          oaepHash: "sha256",
          oaepLabel: Buffer.from("quorate/share/v1"),
        },
        Buffer.from("short"),
      ),
      commitment: "00".repeat(32) as Sha256,
    };
    expect(codeOf(await decryptShare(encrypted, rsa.privateKey, lineage))).toBe("share-invalid");
  });
});

describe("a share owner's key", () => {
  const modulus = fromHex(
    Buffer.from(rsa.publicKey.export({ format: "jwk" }).n!, "base64url").toString("hex"),
  )!;
  const f4 = Uint8Array.of(1, 0, 1);

  it("is RSA from 2048 to 8192 bits with exponent 65537, or X25519", () => {
    expect(codeOf(parseShareOwnerKey(rsaText(modulus, f4)))).toBe("ok");
    const big = new Uint8Array(1024).fill(0xff);
    expect(codeOf(parseShareOwnerKey(rsaText(big, f4)))).toBe("ok");
    expect(codeOf(parseShareOwnerKey(toBase64(spkiOf(x25519.publicKey))))).toBe("ok");
  });

  it("is refused if nothing can safely be encrypted to it", () => {
    const even = modulus.slice();
    even[even.length - 1]! &= 0xfe;
    const canonical = spkiOf(rsa.publicKey);
    const lowOrder = concat(fromHex("302a300506032b656e032100")!, new Uint8Array(32));
    const pss = generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey;
    const refused: [string, string][] = [
      ["1024 bits", rsaText(modulus.slice(0, 128), f4)],
      ["2047 bits", rsaText(Uint8Array.of(0x7f, ...modulus.slice(1)), f4)],
      ["8193 bits", rsaText(concat(Uint8Array.of(1), new Uint8Array(1024).fill(255)), f4)],
      ["exponent 1", rsaText(modulus, Uint8Array.of(1))],
      ["exponent 3", rsaText(modulus, Uint8Array.of(3))],
      ["exponent 65536", rsaText(modulus, Uint8Array.of(1, 0, 0))],
      ["huge exponent", rsaText(modulus, new Uint8Array(200).fill(255))],
      ["even modulus", rsaText(even, f4)],
      ["PSS only", toBase64(spkiOf(pss))],
      [
        "P-256",
        toBase64(spkiOf(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey)),
      ],
      ["X448", toBase64(spkiOf(generateKeyPairSync("x448").publicKey))],
      ["low order", toBase64(lowOrder)],
      ["trailing byte", toBase64(concat(canonical, Uint8Array.of(0)))],
      [
        "no NULL",
        toBase64(
          derSequence(
            derSequence(derOid("1.2.840.113549.1.1.1")),
            derBitString(derSequence(derUnsigned(modulus), derInteger(65537))),
          ),
        ),
      ],
      ["private", rsa.privateKey.export({ format: "pem", type: "pkcs8" }).toString()],
      ["garbage", "AAAA"],
      ["empty", ""],
    ];
    for (const [name, text] of refused) {
      expect(codeOf(parseShareOwnerKey(text)), name).toBe("invalid-argument");
    }
  });

  it("has one id, whichever form it came in", () => {
    const keys = [
      parseShareOwnerKey(rsa.publicKey.export({ format: "pem", type: "spki" }).toString()),
      parseShareOwnerKey(toBase64(spkiOf(rsa.publicKey))),
      shareOwnerKeyOf(rsa.privateKey),
      shareOwnerKeyOf(createPublicKey(rsa.privateKey)),
    ].map((result) => unwrap(result).keyId);
    expect(new Set(keys).size).toBe(1);
  });
});
