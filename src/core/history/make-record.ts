/** Makes the next record of a history: counters, links and what is repeated come from the predecessor. */
import type { Epoch, Generation, Sha256 } from "../brand.ts";
import type { HistoryRecord, RecordAuthor, RecordAuthorities } from "./record.ts";

/** What the maker of any record chooses. */
export interface NewRecord extends RecordAuthorities {
  /** RFC 3339, UTC, milliseconds. */
  readonly createdAt: string;
  readonly author: RecordAuthor;
}

/** What the maker of a record with a new manifest chooses. */
export interface NewManifestRecord extends NewRecord {
  readonly manifest: Sha256;
  readonly approvals: Sha256;
  /** `null` exactly if the manifest has no share owners. */
  readonly shares: Sha256 | null;
}

/** What the maker of a first record chooses. */
export interface NewGenesis extends NewManifestRecord {
  /** SHA-256 of the history key. */
  readonly lineage: Sha256;
  /** SPKI of the lineage's P-384 key. */
  readonly historyKey: Uint8Array;
}

/** A record with its name. */
export interface NamedRecord {
  readonly record: HistoryRecord;
  readonly hash: Sha256;
}

/** The first record of a lineage: generation 1, epoch 1. */
export function genesisRecord(made: NewGenesis): HistoryRecord {
  return {
    ...ownPart(made),
    lineage: made.lineage,
    historyKey: made.historyKey,
    generation: 1 as Generation,
    epoch: 1 as Epoch,
    kind: "genesis",
    previous: null,
    manifest: made.manifest,
    approvals: made.approvals,
    shares: made.shares,
    recoveryCount: 0,
    fenced: null,
    votes: null,
  };
}

/** A new manifest on top of `predecessor`: the next generation of the same epoch. */
export function updateRecord(predecessor: NamedRecord, made: NewManifestRecord): HistoryRecord {
  return {
    ...inherited(predecessor),
    ...ownPart(made),
    generation: (predecessor.record.generation + 1) as Generation,
    kind: "update",
    manifest: made.manifest,
    approvals: made.approvals,
    shares: made.shares,
  };
}

/** A takeover by share owners: the next epoch under the same manifest and the same shares. */
export function recoveryRecord(
  predecessor: NamedRecord,
  made: NewRecord & { readonly fenced: boolean },
): HistoryRecord {
  return {
    ...inherited(predecessor),
    ...ownPart(made),
    epoch: (predecessor.record.epoch + 1) as Epoch,
    kind: "recovery",
    recoveryCount: predecessor.record.recoveryCount + 1,
    fenced: made.fenced,
  };
}

/** A takeover by surviving coordinators: the next epoch under the same manifest and the same shares. */
export function healRecord(
  predecessor: NamedRecord,
  made: NewRecord & { readonly fenced: boolean; readonly votes: Sha256 },
): HistoryRecord {
  return {
    ...inherited(predecessor),
    ...ownPart(made),
    epoch: (predecessor.record.epoch + 1) as Epoch,
    kind: "heal",
    fenced: made.fenced,
    votes: made.votes,
  };
}

/** What a successor has from its predecessor unless its kind says otherwise. */
function inherited({ record, hash }: NamedRecord): Omit<HistoryRecord, keyof NewRecord | "kind"> {
  const { lineage, historyKey, generation, epoch, manifest, shares, recoveryCount } = record;
  return {
    ...{ lineage, historyKey, generation, epoch, manifest, shares, recoveryCount },
    previous: hash,
    approvals: null,
    fenced: null,
    votes: null,
  };
}

/** Only the named fields: a caller's object may carry more. */
function ownPart(made: NewRecord): NewRecord {
  return {
    rootCaKey: made.rootCaKey,
    meshCaKey: made.meshCaKey,
    rootCaCertificate: made.rootCaCertificate,
    meshCaCertificate: made.meshCaCertificate,
    meshCaIntermediate: made.meshCaIntermediate,
    createdAt: made.createdAt,
    author: { name: made.author.name, instance: made.author.instance },
  };
}
