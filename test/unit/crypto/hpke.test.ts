import { createDecipheriv, createHmac, createPrivateKey, createPublicKey } from "node:crypto";
import { diffieHellman, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import { concat, fromHex, toHex, utf8 } from "../../../src/core/bytes.ts";
import { SEALED_BYTES_MAX } from "../../../src/core/limits.ts";
import { unwrap } from "../../../src/core/result.ts";
import { hpkeInfo, HpkeRecipient, hpkeSeal } from "../../../src/crypto/hpke.ts";
import { Secret } from "../../../src/crypto/secret.ts";
import { x25519Spki } from "../../../src/crypto/x25519.ts";

const lineage = "ab".repeat(32) as Sha256;
const keyId = "cd".repeat(32);
const info = hpkeInfo("quorate/share/v1", lineage, "share", keyId);

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex)!;
}

function privateKeyOf(raw: Uint8Array) {
  const prefix = bytesOf("302e020100300506032b656e04220420");
  return createPrivateKey({ key: Buffer.concat([prefix, raw]), format: "der", type: "pkcs8" });
}

function mac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHmac("sha256", key)
      .update(concat(...parts))
      .digest(),
  );
}

/** RFC 9180 written out a second time: base mode, X25519, HKDF-SHA256, first message of a context. */
function referenceOpen(options: {
  readonly aead: { readonly id: number; readonly cipher: "aes-128-gcm" | "aes-256-gcm" };
  readonly privateKey: Uint8Array;
  readonly sealed: Uint8Array;
  readonly info: Uint8Array;
  readonly aad?: Uint8Array;
}): Uint8Array {
  const keyBytes = options.aead.cipher === "aes-128-gcm" ? 16 : 32;
  const kemSuite = concat(utf8("KEM"), Uint8Array.of(0, 32));
  const suite = concat(utf8("HPKE"), Uint8Array.of(0, 32, 0, 1, 0, options.aead.id));
  const extract = (id: Uint8Array, salt: Uint8Array, label: string, input: Uint8Array) =>
    mac(salt, utf8("HPKE-v1"), id, utf8(label), input);
  const expand = (id: Uint8Array, key: Uint8Array, label: string, text: Uint8Array, n: number) =>
    mac(key, Uint8Array.of(0, n), utf8("HPKE-v1"), id, utf8(label), text, Uint8Array.of(1)).slice(
      0,
      n,
    );
  const none = new Uint8Array(0);
  const enc = options.sealed.subarray(0, 32);
  const privateKey = privateKeyOf(options.privateKey);
  const own = createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(12);
  const publicKey = createPublicKey({
    key: Buffer.from(x25519Spki(enc)),
    format: "der",
    type: "spki",
  });
  const dh = diffieHellman({ privateKey, publicKey });
  const shared = expand(
    kemSuite,
    extract(kemSuite, none, "eae_prk", dh),
    "shared_secret",
    concat(enc, own),
    32,
  );
  const context = concat(
    Uint8Array.of(0),
    extract(suite, none, "psk_id_hash", none),
    extract(suite, none, "info_hash", options.info),
  );
  const secret = extract(suite, shared, "secret", none);
  const key = expand(suite, secret, "key", context, keyBytes);
  const nonce = expand(suite, secret, "base_nonce", context, 12);
  const decipher = createDecipheriv(options.aead.cipher, key, nonce);
  decipher.setAAD(options.aad ?? none);
  decipher.setAuthTag(options.sealed.subarray(-16));
  return concat(decipher.update(options.sealed.subarray(32, -16)), decipher.final());
}

const aes256 = { id: 2, cipher: "aes-256-gcm" } as const;

describe("HPKE", () => {
  it("has a second implementation beside it that agrees with RFC 9180 appendix A.1.1", () => {
    const plaintext = referenceOpen({
      aead: { id: 1, cipher: "aes-128-gcm" },
      privateKey: bytesOf("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"),
      sealed: bytesOf(
        "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431" +
          "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9" +
          "6d8770ac83d07bea87e13c512a",
      ),
      info: bytesOf("4f6465206f6e2061204772656369616e2055726e"),
      aad: utf8("Count-0"),
    });
    expect(Buffer.from(plaintext).toString()).toBe("Beauty is truth, truth beauty");
  });

  it("seals what the second implementation opens", async () => {
    const raw = Uint8Array.from({ length: 32 }, (_, index) => index);
    const recipient = await HpkeRecipient.from(privateKeyOf(raw));
    for (const length of [0, 1, 97, 5000]) {
      const plaintext = new Uint8Array(length).fill(7);
      const sealed = unwrap(
        await hpkeSeal(recipient.publicKey, info, Secret.take(plaintext.slice())),
      );
      expect(sealed).toHaveLength(32 + length + 16);
      const opened = referenceOpen({ aead: aes256, privateKey: raw, sealed, info });
      expect(toHex(opened)).toBe(toHex(plaintext));
    }
  });

  it("opens what another implementation (pyca/cryptography 48) sealed", async () => {
    const recipient = await HpkeRecipient.from(
      privateKeyOf(Uint8Array.from({ length: 32 }, (_, index) => index)),
    );
    const sealed = bytesOf(
      "b9ab4945c7334697275bf82bb92813248fe967397a9feb6a6adef98c293d122c" +
        "e85ce2568bd8659f291b852d8527e2005dc6c5f639540c9305ea94a858cd914e" +
        "1ce96d5031081ac1cf1efb88dcc0775a",
    );
    const opened = unwrap(await recipient.open(info, sealed));
    expect(opened.use((bytes) => Buffer.from(bytes).toString())).toBe(
      "sealed by another implementation",
    );
  });

  it("takes its info from length-prefixed parts, so that none can slide into its neighbour", () => {
    expect(toHex(hpkeInfo("a", lineage, "b", "cd"))).toBe(
      `000000016100000040${toHex(utf8(lineage))}0000000162000000026364`,
    );
  });

  it("opens only with the same key and info, and only the whole unchanged message", async () => {
    const recipient = await HpkeRecipient.generate();
    const other = await HpkeRecipient.generate();
    const sealed = unwrap(await hpkeSeal(recipient.publicKey, info, Secret.random(97)));
    expect(unwrap(await recipient.open(info, sealed)).length).toBe(97);
    const otherInfos = [
      hpkeInfo("quorate/wrap/v1", lineage, "share", keyId),
      hpkeInfo("quorate/share/v1", "ef".repeat(32) as Sha256, "share", keyId),
      hpkeInfo("quorate/share/v1", lineage, "other", keyId),
      hpkeInfo("quorate/share/v1", lineage, "share", "ef".repeat(32)),
    ];
    const changes = [0, 31, 32, 80, sealed.length - 1].map((index) => {
      const changed = sealed.slice();
      changed[index]! ^= 1;
      return changed;
    });
    const lowOrder = sealed.slice();
    lowOrder.fill(0, 0, 32);
    const attempts = [
      other.open(info, sealed),
      ...otherInfos.map((wrong) => recipient.open(wrong, sealed)),
      ...changes.map((wrong) => recipient.open(info, wrong)),
      recipient.open(info, lowOrder),
      recipient.open(info, sealed.subarray(0, -1)),
      recipient.open(info, sealed.subarray(0, 40)),
      recipient.open(info, new Uint8Array(0)),
      recipient.open(info, new Uint8Array(SEALED_BYTES_MAX + 1)),
    ];
    for (const attempt of attempts) {
      const result = await attempt;
      expect(!result.ok && result.error.code).toBe("decryption-failed");
    }
  });

  it("refuses to seal to a point of low order", async () => {
    for (const publicKey of [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))]) {
      const result = await hpkeSeal(publicKey, info, Secret.random(8));
      expect(!result.ok && result.error.code).toBe("invalid-argument");
    }
  });

  it("works with keys that node:crypto made", async () => {
    const { privateKey } = generateKeyPairSync("x25519");
    const recipient = await HpkeRecipient.from(privateKey);
    const sealed = unwrap(await hpkeSeal(recipient.publicKey, info, Secret.take(utf8("hello"))));
    const opened = unwrap(await recipient.open(info, sealed));
    expect(opened.use((bytes) => Buffer.from(bytes).toString())).toBe("hello");
  });
});
