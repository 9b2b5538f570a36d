/** The shares document: the seed's encrypted shares, which a record commits to by hash. */
import { toBase64 } from "../base64.ts";
import type { Sha256 } from "../brand.ts";
import { utf8 } from "../bytes.ts";
import { QuorateError } from "../errors.ts";
import {
  base64Bytes,
  distinctList,
  FaultSink,
  integer,
  object,
  oneOf,
  parseCanonical,
  type Reader,
  sha256,
  text,
} from "../json/index.ts";
import { OWNERS_MAX, RSA_BITS_MAX } from "../limits.ts";
import type { ShareAlgorithm, ShareOwnerSet } from "../manifest/manifest.ts";
import { isOwnerName } from "../manifest/names.ts";
import { err, ok, type Result } from "../result.ts";

const FORMAT = "quorate/shares/v1";
const ALGORITHMS = ["rsa-oaep-sha256", "x25519-hpke"] as const;
/** RSA's ciphertext is as long as its modulus; HPKE's has 145 bytes. */
const CIPHERTEXT_BYTES = { min: 1, max: RSA_BITS_MAX / 8 };
/** Generous for 64 shares under the largest RSA keys. */
const SHARES_BYTES_MAX = 256 * 1024;

/** One owner's share. */
export interface ShareEntry {
  /** Id of the owner's key. */
  readonly key: Sha256;
  readonly name: string;
  readonly algorithm: ShareAlgorithm;
  readonly ciphertext: Uint8Array;
  /** Hash of the share inside: tells a right share from a wrong one before anything is combined. */
  readonly commitment: Sha256;
}

/** All shares of one split, in the order of the manifest's share owners. */
export interface SharesDocument {
  /** How many shares rebuild the seed. */
  readonly threshold: number;
  readonly shares: readonly ShareEntry[];
}

/** The canonical document. */
export function encodeShares(document: SharesDocument): Uint8Array {
  return utf8(
    JSON.stringify({
      format: FORMAT,
      threshold: document.threshold,
      shares: document.shares.map((share) => ({
        key: share.key,
        name: share.name,
        algorithm: share.algorithm,
        ciphertext: toBase64(share.ciphertext),
        commitment: share.commitment,
      })),
    }),
  );
}

/** Parses a shares document; fails with `store-corrupt` and every fault. */
export function parseShares(bytes: Uint8Array): Result<SharesDocument, QuorateError> {
  const faults = new FaultSink();
  const document = parseCanonical(bytes, SHARES_BYTES_MAX, reader, encodeShares, faults);
  if (document !== undefined) return ok(document);
  return err(
    new QuorateError("store-corrupt", "the shares document is not valid", {
      faults: faults.list(),
    }),
  );
}

/**
 * True if the document has exactly one share for each of the manifest's share owners, in their order and with their
 * threshold. An update whose share owners fit the predecessor's document repeats it; any other splits anew.
 */
export function sharesFit(document: SharesDocument, owners: ShareOwnerSet): boolean {
  return (
    document.threshold === owners.threshold &&
    document.shares.length === owners.keys.length &&
    document.shares.every((share, index) => {
      const owner = owners.keys[index];
      return (
        share.key === owner?.keyId &&
        share.name === owner.name &&
        share.algorithm === owner.algorithm
      );
    })
  );
}

const share: Reader<ShareEntry> = object((fields) => {
  const key = fields.required("key", sha256);
  const name = fields.required("name", text("an owner's name", isOwnerName));
  const algorithm = fields.required("algorithm", oneOf(ALGORITHMS));
  const ciphertext = fields.required("ciphertext", base64Bytes(CIPHERTEXT_BYTES));
  const commitment = fields.required("commitment", sha256);
  if (key === undefined || name === undefined || algorithm === undefined) return undefined;
  if (ciphertext === undefined || commitment === undefined) return undefined;
  return { key, name, algorithm, ciphertext, commitment };
});

const shareList = distinctList(share, { min: 1, max: OWNERS_MAX }, [
  { of: (entry) => entry.key, field: "key" },
  { of: (entry) => entry.name, field: "name" },
  // Equal commitments are equal shares: the seed could never be rebuilt from both.
  { of: (entry) => entry.commitment, field: "commitment" },
]);

const reader: Reader<SharesDocument> = object((fields) => {
  fields.required("format", oneOf([FORMAT]));
  const threshold = fields.required("threshold", integer({ min: 1, max: OWNERS_MAX }));
  const shares = fields.required("shares", shareList);
  if (threshold === undefined || shares === undefined) return undefined;
  if (threshold > shares.length) {
    fields.faults.add(fields.pathOf("threshold"), "must be at most the number of shares");
  }
  return { threshold, shares };
});
