/**
 * HPKE (RFC 9180) in the one form that the project uses: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
 * AES-256-GCM, one message a context. A sealed message is `enc` (32 bytes), then the ciphertext with its tag.
 *
 * A message takes some milliseconds, most of them outside the event loop: never on a path taken per issuance.
 */
import { createPublicKey, webcrypto, type KeyObject } from "node:crypto";
import {
  Aes256Gcm,
  CipherSuite,
  DhkemX25519HkdfSha256,
  EncapError,
  HkdfSha256,
  HpkeError,
} from "@hpke/core";
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import { concat, lengthPrefixedList } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { SEALED_BYTES_MAX } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import { rawX25519, x25519Spki, X25519_BYTES } from "./x25519.ts";
import { Secret } from "./secret.ts";

const TAG_BYTES = 16;
const X25519 = { name: "X25519" };

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/**
 * HPKE `info` of every message in the project: `lp(purpose) ‖ lp(lineage) ‖ lp(subject) ‖ lp(recipient)`.
 *
 * @param purpose what is sealed, with its format's version, e.g. `quorate/share/v1`.
 * @param subject hash of the record, or id of the instance, that the message belongs to.
 * @param recipient id of the key or instance that may open it.
 *
 * **Security:** a message opens only under the same four values, so none can be replayed as another.
 */
export function hpkeInfo(
  purpose: string,
  lineage: Sha256,
  subject: string,
  recipient: string,
): Uint8Array {
  return lengthPrefixedList(purpose, lineage, subject, recipient);
}

/**
 * Seals `plaintext` to a raw X25519 public key (32 bytes); `enc ‖ ciphertext`.
 *
 * Fails with `invalid-argument` if the key is one of the low-order points, which share a known secret with everybody.
 */
export async function hpkeSeal(
  publicKey: Uint8Array,
  info: Uint8Array,
  plaintext: Secret,
): Promise<Result<Uint8Array, QuorateError>> {
  assert(publicKey.length === X25519_BYTES, "a raw X25519 key has 32 bytes");
  try {
    const recipientPublicKey = await webcrypto.subtle.importKey("raw", publicKey, X25519, true, []);
    const { enc, ct } = await plaintext.use((bytes) =>
      suite.seal({ recipientPublicKey, info }, bytes),
    );
    return ok(concat(new Uint8Array(enc), new Uint8Array(ct)));
  } catch (cause) {
    if (!(cause instanceof EncapError)) throw cause;
    return err(
      new QuorateError("invalid-argument", "the X25519 key can't be encrypted to", { cause }),
    );
  }
}

/** A private X25519 key that opens what {@link hpkeSeal} sealed to {@link publicKey}. */
export class HpkeRecipient {
  /** The raw public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly #pair: webcrypto.CryptoKeyPair;

  private constructor(publicKey: Uint8Array, pair: webcrypto.CryptoKeyPair) {
    this.publicKey = publicKey;
    this.#pair = pair;
  }

  /** A fresh key whose private half can't be exported: the key of a coordinator's instance. */
  static async generate(): Promise<HpkeRecipient> {
    const pair = (await webcrypto.subtle.generateKey(X25519, false, [
      "deriveBits",
    ])) as webcrypto.CryptoKeyPair;
    return new HpkeRecipient(
      new Uint8Array(await webcrypto.subtle.exportKey("raw", pair.publicKey)),
      pair,
    );
  }

  /** A key that exists already: a share owner's, from a file. `privateKey` must be X25519. */
  static async from(privateKey: KeyObject): Promise<HpkeRecipient> {
    assert(privateKey.asymmetricKeyType === "x25519", "an HPKE recipient has an X25519 key");
    const publicKey = rawX25519(createPublicKey(privateKey));
    const pkcs8 = Secret.take(privateKey.export({ format: "der", type: "pkcs8" }));
    try {
      const pair = {
        privateKey: await pkcs8.use((bytes) =>
          webcrypto.subtle.importKey("pkcs8", bytes, X25519, false, ["deriveBits"]),
        ),
        publicKey: await webcrypto.subtle.importKey(
          "spki",
          x25519Spki(publicKey),
          X25519,
          true,
          [],
        ),
      };
      return new HpkeRecipient(publicKey, pair);
    } finally {
      pkcs8.dispose();
    }
  }

  /**
   * Opens a sealed message. Fails with `decryption-failed`, whatever the reason: another key, another `info`, a
   * changed or cut message.
   */
  async open(info: Uint8Array, sealed: Uint8Array): Promise<Result<Secret, QuorateError>> {
    if (sealed.length < X25519_BYTES + TAG_BYTES || sealed.length > SEALED_BYTES_MAX) {
      return err(cannotOpen());
    }
    try {
      const plaintext = await suite.open(
        { recipientKey: this.#pair, enc: sealed.slice(0, X25519_BYTES), info },
        sealed.slice(X25519_BYTES),
      );
      return ok(Secret.take(new Uint8Array(plaintext)));
    } catch (cause) {
      if (!(cause instanceof HpkeError)) throw cause;
      return err(cannotOpen(cause));
    }
  }
}

function cannotOpen(cause?: unknown): QuorateError {
  return new QuorateError(
    "decryption-failed",
    "the message was not encrypted to this key for this purpose, or was changed on its way",
    { cause },
  );
}
