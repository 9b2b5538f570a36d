/**
 * Which documents each record of a history brings in: those that it refers to and its predecessor does not. So that a
 * page of the history costs what it contains, however long the history before it is.
 */
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import type { ChainProgress } from "../core/history/index.ts";
import { ownReferencesOf, referencesOf } from "./verified-history.ts";

/** A document that a record brings in. */
export interface NewReference {
  readonly hash: Sha256;
  /** Position of the last record before that refers to it too; -1 if none does. */
  readonly lastReferredAt: number;
}

/** The new references of a growing list of records, each worked out once, when first asked for. */
export class FirstReferences {
  readonly #links: ChainProgress[] = [];
  readonly #news: (readonly NewReference[])[] = [];
  /** Where a document was last referred to, of those that the newest of `#links` no longer refers to. */
  readonly #left = new Map<Sha256, number>();

  /** True if all records that were worked out are also records of `links`. */
  isOf(links: readonly ChainProgress[]): boolean {
    const last = this.#links.length - 1;
    // A link was verified on top of its predecessors: the same one has the same ones.
    return last < 0 || this.#links[last] === links[last];
  }

  /** What the record at `position` of `links` brings in; `links` must pass {@link isOf}. */
  at(links: readonly ChainProgress[], position: number): readonly NewReference[] {
    for (const link of links.slice(this.#links.length, position + 1)) this.#add(link);
    const news = this.#news[position];
    assert(news !== undefined, "the position is one of the history");
    return news;
  }

  #add(link: ChainProgress): void {
    const before = this.#links.at(-1);
    const position = this.#links.length;
    const isReferred = referredBy(link);
    for (const hash of candidates(before, link))
      if (!isReferred(hash)) this.#left.set(hash, position - 1);
    const wasReferred = referredBy(before);
    const news = new Set(candidates(link, before).filter((hash) => !wasReferred(hash)));
    this.#links.push(link);
    this.#news.push(
      [...news].map((hash) => ({ hash, lastReferredAt: this.#left.get(hash) ?? -1 })),
    );
  }
}

/** References of `link` that `other` may lack: two records of one manifest have its policies in common. */
function candidates(
  link: ChainProgress | undefined,
  other: ChainProgress | undefined,
): readonly Sha256[] {
  if (link === undefined) return [];
  const { manifest } = link.head.record;
  return manifest === other?.head.record.manifest ? ownReferencesOf(link) : referencesOf(link);
}

function referredBy(link: ChainProgress | undefined): (hash: Sha256) => boolean {
  if (link === undefined) return () => false;
  const own = new Set(ownReferencesOf(link));
  return (hash) => own.has(hash) || link.manifest.policies.has(hash);
}
