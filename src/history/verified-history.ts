/** A history that was verified link by link, with the documents that it refers to. Immutable. */
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import type {
  AppliedRecord,
  ChainProgress,
  HistoryRecord,
  RecordDocument,
  RecordPlace,
} from "../core/history/index.ts";
import type { Manifest } from "../core/manifest/index.ts";

/** Documents by hash. */
export type Documents = ReadonlyMap<Sha256, Uint8Array>;

/** Records from genesis on, never empty. */
export class VerifiedHistory {
  /** What was verified up to each record, genesis first. */
  readonly links: readonly ChainProgress[];
  /** Manifests, approvals, policies, share documents, CA certificates. Complete for the head; older ones as far as found. */
  readonly documents: Documents;
  readonly #positions: ReadonlyMap<Sha256, number>;

  constructor(links: readonly ChainProgress[], documents: Documents) {
    assert(links.length > 0, "a history has a genesis");
    this.links = links;
    this.documents = documents;
    this.#positions = new Map(links.map((link, index) => [link.head.hash, index]));
  }

  /** The newest link; its `head` is the newest record. */
  get head(): ChainProgress {
    return this.#at(this.links.length - 1);
  }

  get genesis(): RecordDocument {
    return this.#at(0).head;
  }

  get record(): HistoryRecord {
    return this.head.head.record;
  }

  get recordHash(): Sha256 {
    return this.head.head.hash;
  }

  get manifest(): Manifest {
    return this.head.manifest;
  }

  get lineage(): Sha256 {
    return this.record.lineage;
  }

  /** Where the newest record stands, for classification. */
  get place(): RecordPlace {
    const { generation, epoch } = this.record;
    return { hash: this.recordHash, generation, epoch, group: this.head.group };
  }

  /** The newest record as what the store's head is measured against. */
  get applied(): AppliedRecord {
    const isAncestor = (hash: Sha256): boolean => this.contains(hash) && hash !== this.recordHash;
    return { ...this.place, lineage: this.lineage, isAncestor };
  }

  /** True if the record is the head or one of its ancestors. */
  contains(hash: Sha256): boolean {
    return this.#positions.has(hash);
  }

  /** Position of a record, genesis at 0. */
  positionOf(hash: Sha256): number | undefined {
    return this.#positions.get(hash);
  }

  /** The history up to and including a record that it contains. */
  upTo(hash: Sha256): VerifiedHistory {
    const position = this.#positions.get(hash);
    assert(position !== undefined, "the record is in this history");
    return new VerifiedHistory(this.links.slice(0, position + 1), this.documents);
  }

  /** The newest genesis or update record, which approvals refer to. */
  get lastSet(): RecordDocument {
    return this.#setAt(this.links.length - 1);
  }

  /** The genesis or update record before the newest one; `undefined` if that one is the genesis. */
  get setBeforeLast(): RecordDocument | undefined {
    const position = this.#positions.get(this.head.lastApproved) ?? 0;
    return position === 0 ? undefined : this.#setAt(position - 1);
  }

  /** This history with one more verified link. */
  append(link: ChainProgress, documents: Iterable<readonly [Sha256, Uint8Array]>): VerifiedHistory {
    assert(link.head.record.previous === this.recordHash, "a record follows its predecessor");
    return new VerifiedHistory([...this.links, link], new Map([...this.documents, ...documents]));
  }

  /** A document of the head. */
  documentOf(hash: Sha256): Uint8Array {
    const bytes = this.documents.get(hash);
    assert(bytes !== undefined, "a verified history has the documents of its head");
    return bytes;
  }

  #setAt(position: number): RecordDocument {
    const hash = this.#at(position).lastApproved;
    return this.#at(this.#positions.get(hash) ?? 0).head;
  }

  #at(index: number): ChainProgress {
    const link = this.links[index];
    assert(link !== undefined, "a history has no gaps");
    return link;
  }
}

/** What byte strings take of HISTORY_PAGE_BYTES_MAX in a page of the history. */
export function pageBytes(parts: readonly Uint8Array[]): number {
  // A field's tag and length take at most 8 bytes.
  return parts.reduce((sum, part) => sum + part.length + 8, 0);
}

/** Hashes of everything that a record refers to, its manifest's policies included; its predecessor excluded. */
export function referencesOf(link: ChainProgress): readonly Sha256[] {
  return [...ownReferencesOf(link), ...link.manifest.policies.keys()];
}

/** Hashes of what the record itself names: all but its manifest's policies. */
export function ownReferencesOf(link: ChainProgress): readonly Sha256[] {
  const { record } = link.head;
  const named = [
    record.manifest,
    record.approvals,
    record.shares,
    record.votes,
    record.rootCaCertificate,
    record.meshCaCertificate,
    record.meshCaIntermediate,
  ];
  return named.filter((hash) => hash !== null);
}
