/**
 * Shares of the seed: Shamir's scheme over GF(2⁸) on seed ‖ salt, every share committed to and encrypted to its owner.
 *
 * A share has 97 bytes: 96 of the polynomial's values, then its coordinate x (1 … 255, never two alike). The library
 * covers thresholds from two up; with a threshold of one the polynomial is constant, so a share is seed ‖ salt ‖ x.
 *
 * **Security:** a commitment is a hash over 768 bits that nobody can guess; it tells a wrong share from a right one
 * before anything is combined, and reveals nothing.
 */
import { constants, privateDecrypt, publicEncrypt, type KeyObject } from "node:crypto";
import { combine, split } from "shamir-secret-sharing";
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import { lengthPrefixedList, utf8 } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import type { ShareEntry } from "../core/history/shares.ts";
import { OWNERS_MAX } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import { sha256 } from "./hash.ts";
import { hpkeInfo, hpkeSeal, HpkeRecipient } from "./hpke.ts";
import { Secret } from "./secret.ts";
import { SEED_AND_SALT_BYTES } from "./seed-engine.ts";
import { shareOwnerKeyOf, type ShareOwnerKey } from "./share-owner-key.ts";
import { rawX25519 } from "./x25519.ts";

/** Length of a share. */
export const SHARE_BYTES = SEED_AND_SALT_BYTES + 1;

const PURPOSE = "quorate/share/v1";
/** Stands where other HPKE messages name a record or an instance: a share outlives both. */
const SUBJECT = "share";

/** One owner's share as the record's shares document carries it, but for the owner's name. */
export type EncryptedShare = Omit<ShareEntry, "name">;

/**
 * Splits seed ‖ salt (96 bytes) so that `threshold` of `count` shares rebuild it. The caller disposes the shares.
 *
 * @param threshold from 1 to `count`. @param count from 1 to OWNERS_MAX.
 */
export async function splitSeed(
  seedAndSalt: Secret,
  threshold: number,
  count: number,
): Promise<readonly Secret[]> {
  assert(seedAndSalt.length === SEED_AND_SALT_BYTES, "seed and salt have 96 bytes");
  assert(Number.isSafeInteger(count) && count >= 1 && count <= OWNERS_MAX, "1 to 64 shares");
  assert(Number.isSafeInteger(threshold) && threshold >= 1 && threshold <= count, "1 ≤ k ≤ n");
  const shares = await seedAndSalt.use((bytes) =>
    threshold === 1 ? constantShares(bytes, count) : split(bytes, count, threshold),
  );
  return shares.map((share) => Secret.take(share));
}

/** `SHA-256(lp("quorate/share-commitment/v1") ‖ lp(share))`: public, and binding. */
export function shareCommitment(share: Secret): Sha256 {
  return share.use((bytes) => sha256(lengthPrefixedList("quorate/share-commitment/v1", bytes)));
}

/**
 * Encrypts `share` to its owner: RSA-OAEP with SHA-256 and the label `quorate/share/v1`, or HPKE bound to lineage
 * and key. Fails with `invalid-argument` if the key can't be encrypted to.
 */
export async function encryptShare(
  share: Secret,
  owner: ShareOwnerKey,
  lineage: Sha256,
): Promise<Result<EncryptedShare, QuorateError>> {
  const ciphertext = await encrypt(share, owner, lineage);
  if (!ciphertext.ok) return ciphertext;
  return ok({
    key: owner.keyId,
    algorithm: owner.algorithm,
    ciphertext: ciphertext.value,
    commitment: shareCommitment(share),
  });
}

/**
 * Opens a share with its owner's private key and checks it against its commitment. RSA blocks the calling thread for
 * up to 0.1 s: made for the owner's command line.
 *
 * Fails with `decryption-failed` for another key, lineage or ciphertext, and with `share-invalid` if what comes out is
 * not the share that was committed to.
 */
export async function decryptShare(
  encrypted: EncryptedShare,
  privateKey: KeyObject,
  lineage: Sha256,
): Promise<Result<Secret, QuorateError>> {
  const owner = shareOwnerKeyOf(privateKey);
  if (!owner.ok) return owner;
  if (owner.value.keyId !== encrypted.key || owner.value.algorithm !== encrypted.algorithm) {
    return err(new QuorateError("decryption-failed", "this share belongs to another key"));
  }
  const share =
    encrypted.algorithm === "x25519-hpke"
      ? await (
          await HpkeRecipient.from(privateKey)
        ).open(shareInfo(lineage, encrypted.key), encrypted.ciphertext)
      : decryptRsa(encrypted.ciphertext, privateKey);
  if (!share.ok) return share;
  if (share.value.length === SHARE_BYTES && shareCommitment(share.value) === encrypted.commitment) {
    return share;
  }
  share.value.dispose();
  return err(new QuorateError("share-invalid", "the share is not the one that was committed to"));
}

/**
 * Finds which of a record's commitments `share` opens. Fails with `share-invalid` if it is none of them: a wrong or
 * damaged share, or one from another split.
 */
export function recognizeShare(
  share: Secret,
  commitments: readonly Sha256[],
): Result<Sha256, QuorateError> {
  const commitment = share.length === SHARE_BYTES ? shareCommitment(share) : undefined;
  if (commitment !== undefined && commitments.includes(commitment)) return ok(commitment);
  return err(
    new QuorateError("share-invalid", "the share is not one of this record's", {
      hint: "Fetch the encrypted share again from the current record and decrypt it with its key",
    }),
  );
}

/**
 * Rebuilds seed ‖ salt. Every share must open one of `commitments`, none twice, `threshold` of them at least.
 *
 * Fails with `share-invalid` (wrong, damaged, or of another split), `share-duplicate`, or `invalid-argument` (too
 * few). The shares stay the caller's.
 *
 * **Security:** the commitments come from a verified record, and the caller compares the lineage of the rebuilt seed.
 */
export async function combineShares(
  shares: readonly Secret[],
  threshold: number,
  commitments: readonly Sha256[],
): Promise<Result<Secret, QuorateError>> {
  const seen = new Set<Sha256>();
  for (const share of shares) {
    const commitment = recognizeShare(share, commitments);
    if (!commitment.ok) return commitment;
    if (seen.has(commitment.value)) {
      return err(new QuorateError("share-duplicate", "the same share was given twice"));
    }
    seen.add(commitment.value);
  }
  if (shares.length < threshold) {
    return err(
      new QuorateError("invalid-argument", `${shares.length} of ${threshold} shares are there`),
    );
  }
  const points = shares.slice(0, threshold).map((share) => share.use((bytes) => bytes.slice()));
  try {
    const seedAndSalt =
      threshold === 1 ? points[0]?.slice(0, SEED_AND_SALT_BYTES) : await combine(points);
    assert(seedAndSalt !== undefined, "a threshold is one at least");
    return ok(Secret.take(seedAndSalt));
  } finally {
    for (const point of points) point.fill(0);
  }
}

function constantShares(seedAndSalt: Uint8Array, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => {
    const share = new Uint8Array(SHARE_BYTES);
    share.set(seedAndSalt);
    share[SEED_AND_SALT_BYTES] = index + 1;
    return share;
  });
}

async function encrypt(
  share: Secret,
  owner: ShareOwnerKey,
  lineage: Sha256,
): Promise<Result<Uint8Array, QuorateError>> {
  if (owner.algorithm === "x25519-hpke") {
    return hpkeSeal(rawX25519(owner.keyObject), shareInfo(lineage, owner.keyId), share);
  }
  const ciphertext = share.use((bytes) => publicEncrypt({ key: owner.keyObject, ...OAEP }, bytes));
  return ok(new Uint8Array(ciphertext));
}

function decryptRsa(ciphertext: Uint8Array, key: KeyObject): Result<Secret, QuorateError> {
  try {
    return ok(Secret.take(privateDecrypt({ key, ...OAEP }, ciphertext)));
  } catch (cause) {
    return err(new QuorateError("decryption-failed", "the share can't be decrypted", { cause }));
  }
}

const OAEP = {
  padding: constants.RSA_PKCS1_OAEP_PADDING,
  oaepHash: "sha256",
  oaepLabel: Buffer.from(utf8(PURPOSE)),
} as const;

function shareInfo(lineage: Sha256, keyId: Sha256): Uint8Array {
  return hpkeInfo(PURPOSE, lineage, SUBJECT, keyId);
}
