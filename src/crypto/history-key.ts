/**
 * The history key signs records: ECDSA P-384 with SHA-384, 96 bytes r ‖ s, s in its lower half. Operations take more
 * than a millisecond and run in the thread pool.
 *
 * **Security:** of the two signatures (r, s) and (r, n − s) that plain ECDSA accepts, only the lower is valid here, so
 * that a stored record has no second form with another hash.
 */
import { sign, verify, type KeyObject } from "node:crypto";
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import { fromHex, toHex } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { err, ok, type Result } from "../core/result.ts";
import { parseEllipticSpki } from "./elliptic-key.ts";
import { spkiOf } from "./spki.ts";
import { sha256 } from "./hash.ts";

/** Length of a signature: two numbers of 48 bytes. */
export const HISTORY_SIGNATURE_BYTES = 96;

/** The order n of P-384 (FIPS 186-5, SP 800-186 section 3.2.1.4). */
const ORDER = BigInt(
  "0xffffffffffffffffffffffffffffffffffffffffffffffff" +
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
);
const HALF_ORDER = ORDER >> 1n;
const NUMBER_BYTES = HISTORY_SIGNATURE_BYTES / 2;

/** Checks signatures of one history key. */
export interface HistoryVerifier {
  /** SPKI DER of the key. */
  readonly spki: Uint8Array;
  /** SHA-256 of the SPKI: the identity of the whole history. */
  readonly lineage: Sha256;
  /** True if `signature` over `signed` is this key's, in the one accepted form. Never rejects. */
  verify(signed: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/**
 * The verifier for the public key in `spki`. Fails with `verification-failed` unless it is P-384 in canonical DER.
 * Importing costs a fraction of a millisecond: make one per history, not per record.
 */
export function historyVerifier(spki: Uint8Array): Result<HistoryVerifier, QuorateError> {
  const key = parseEllipticSpki(spki);
  if (key?.curve !== "P-384") {
    return err(new QuorateError("verification-failed", "the history key is not a P-384 key"));
  }
  return ok({
    spki: key.spki,
    lineage: sha256(key.spki),
    verify: (signed, signature) =>
      isLow(signature) ? verifyRaw(key.keyObject, signed, signature) : Promise.resolve(false),
  });
}

/** The private history key. */
export class HistoryKey {
  /** SPKI DER of the public key. */
  readonly spki: Uint8Array;
  /** SHA-256 of the SPKI. */
  readonly lineage: Sha256;
  readonly #privateKey: KeyObject;

  /** @param privateKey a P-384 key. */
  constructor(privateKey: KeyObject) {
    assert(
      privateKey.asymmetricKeyDetails?.namedCurve === "secp384r1",
      "the history key is on P-384",
    );
    this.#privateKey = privateKey;
    this.spki = spkiOf(privateKey);
    this.lineage = sha256(this.spki);
  }

  /** Signs `signed`; 96 bytes, another value every time. */
  sign(signed: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const key = { key: this.#privateKey, dsaEncoding: "ieee-p1363" as const };
      sign("sha384", signed, key, (error, signature) => {
        if (error !== null) reject(error);
        else resolve(lowered(new Uint8Array(signature)));
      });
    });
  }
}

function verifyRaw(key: KeyObject, signed: Uint8Array, signature: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    verify("sha384", signed, { key, dsaEncoding: "ieee-p1363" }, signature, (error, valid) => {
      resolve(error === null && valid);
    });
  });
}

function isLow(signature: Uint8Array): boolean {
  return signature.length === HISTORY_SIGNATURE_BYTES && numberS(signature) <= HALF_ORDER;
}

function lowered(signature: Uint8Array): Uint8Array {
  const s = numberS(signature);
  if (s <= HALF_ORDER) return signature;
  const low = fromHex((ORDER - s).toString(16).padStart(2 * NUMBER_BYTES, "0"));
  assert(low?.length === NUMBER_BYTES, "a number below the order fits its field");
  signature.set(low, NUMBER_BYTES);
  return signature;
}

function numberS(signature: Uint8Array): bigint {
  return BigInt(`0x${toHex(signature.subarray(NUMBER_BYTES))}`);
}
