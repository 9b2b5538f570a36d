/** A history that was verified link by link, with every document that it refers to. */
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import type { RecordDocument } from "../core/history/index.ts";
import type { Manifest } from "../core/manifest/index.ts";

/** One verified record. */
export interface HistoryLink {
  readonly document: RecordDocument;
  /** The manifest that it puts or keeps in force. */
  readonly manifest: Manifest;
}

/** Records from genesis on, never empty. Immutable. */
export class VerifiedHistory {
  readonly links: readonly HistoryLink[];
  /** Manifests, approvals, policies, share documents, CA certificates, by hash. */
  readonly documents: ReadonlyMap<Sha256, Uint8Array>;
  readonly #positions: ReadonlyMap<Sha256, number>;

  constructor(links: readonly HistoryLink[], documents: ReadonlyMap<Sha256, Uint8Array>) {
    assert(links.length > 0, "a history has a genesis");
    this.links = links;
    this.documents = documents;
    this.#positions = new Map(links.map((link, index) => [link.document.hash, index]));
  }

  /** The first record. */
  get genesis(): HistoryLink {
    return this.#at(0);
  }

  /** The newest record. */
  get head(): HistoryLink {
    return this.#at(this.links.length - 1);
  }

  /** The newest genesis or update: what approvals refer to. */
  get lastSet(): HistoryLink {
    const link = this.links.findLast(({ document }) => isManifestChange(document.record.kind));
    assert(link !== undefined, "a history starts with a genesis");
    return link;
  }

  get lineage(): Sha256 {
    return this.head.document.record.lineage;
  }

  /** Position of a record, genesis at 0; `undefined` if it is not in this history. */
  positionOf(hash: Sha256): number | undefined {
    return this.#positions.get(hash);
  }

  /** This history with one more record; the caller has verified that it follows the head. */
  append(link: HistoryLink, documents: Iterable<readonly [Sha256, Uint8Array]>): VerifiedHistory {
    assert(link.document.record.previous === this.head.document.hash, "a record follows its predecessor");
    return new VerifiedHistory([...this.links, link], new Map([...this.documents, ...documents]));
  }

  /** A document that was read when the history was verified. */
  documentOf(hash: Sha256): Uint8Array {
    const bytes = this.documents.get(hash);
    assert(bytes !== undefined, "a verified history has all its documents");
    return bytes;
  }

  #at(index: number): HistoryLink {
    const link = this.links[index];
    assert(link !== undefined, "a history has no gaps");
    return link;
  }
}

/** True for the kinds that carry approvals and a manifest of their own. */
export function isManifestChange(kind: string): boolean {
  return kind === "genesis" || kind === "update";
}

/** Hashes of everything that a record refers to, its manifest's policies included; its predecessor excluded. */
export function referencesOf(link: HistoryLink): readonly Sha256[] {
  const { record } = link.document;
  const own = [
    record.manifest,
    record.approvals,
    record.shares,
    record.votes,
    record.rootCaCertificate,
    record.meshCaCertificate,
    record.meshCaIntermediate,
  ];
  return [...own.filter((hash) => hash !== null), ...link.manifest.policies.keys()];
}
