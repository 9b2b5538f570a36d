/** Records: the signed links of a lineage's history. Their encoding is in `record-document.ts`. */
import type { Epoch, Generation, InstanceId, Sha256 } from "../brand.ts";

/** The only format so far; also the prefix of what is signed. */
export const RECORD_FORMAT = "quorate/record/v1";

/** Why a record was made: the first, a new manifest, or one of the two kinds of takeover. */
export const RECORD_KINDS = ["genesis", "update", "recovery", "heal"] as const;
/** One of {@link RECORD_KINDS}. */
export type RecordKind = (typeof RECORD_KINDS)[number];

/** The certificate authorities of a record, by hash. */
export interface RecordAuthorities {
  /** SHA-256 of the root CA's SPKI; the same in the whole lineage. */
  readonly rootCaKey: Sha256;
  /** SHA-256 of the mesh CA's SPKI; a fresh key in every record. */
  readonly meshCaKey: Sha256;
  /** SHA-256 of certificates in DER: the root, the mesh CA signed by itself, and by the root. */
  readonly rootCaCertificate: Sha256;
  readonly meshCaCertificate: Sha256;
  readonly meshCaIntermediate: Sha256;
}

/** The coordinator that made a record. */
export interface RecordAuthor {
  readonly name: string;
  readonly instance: InstanceId;
}

/** What a record says. */
export interface HistoryRecord extends RecordAuthorities {
  /** SHA-256 of `historyKey`. */
  readonly lineage: Sha256;
  /** SPKI of the P-384 key that signs every record of the lineage. */
  readonly historyKey: Uint8Array;
  readonly generation: Generation;
  readonly epoch: Epoch;
  readonly kind: RecordKind;
  /** Hash of the predecessor's document; `null` exactly for genesis. */
  readonly previous: Sha256 | null;
  /** Hash of the manifest's bytes; takeovers repeat their predecessor's. */
  readonly manifest: Sha256;
  /** Hash of the approvals document; `null` exactly for takeovers. */
  readonly approvals: Sha256 | null;
  /** Hash of the shares document; `null` if the manifest has no share owners. */
  readonly shares: Sha256 | null;
  /** Number of `recovery` records up to and including this one. */
  readonly recoveryCount: number;
  /** RFC 3339, UTC, milliseconds. For people: it rests on the host's clock and decides nothing. */
  readonly createdAt: string;
  readonly author: RecordAuthor;
  /** For takeovers: whether the old group can't act any more. `null` otherwise. */
  readonly fenced: boolean | null;
  /** Hash of the votes document; `null` for everything but `heal`. */
  readonly votes: Sha256 | null;
}
