/** One page of the history: records, and the documents that they are the first to refer to. */
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import type { ChainProgress } from "../core/history/index.ts";
import { QuorateError } from "../core/errors.ts";
import { HISTORY_PAGE_BYTES_MAX, HISTORY_PAGE_MAX } from "../core/limits.ts";
import { FirstReferences } from "../history/first-references.ts";
import { pageBytes, referencesOf, type VerifiedHistory } from "../history/verified-history.ts";

export interface PageRequest {
  readonly afterRecord: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

/**
 * The page after a record that the caller knows, or after an earlier page.
 *
 * @throws QuorateError `not-found` for a record of another history, `invalid-argument` for a foreign token.
 */
export function historyPage(history: VerifiedHistory, request: PageRequest) {
  const first = startOf(history, request.afterRecord);
  let at = request.pageToken === "" ? first : tokenPosition(history, request.pageToken, first);
  const references = firstReferences(history);
  const records: Uint8Array[] = [];
  const documents: Uint8Array[] = [];
  const size =
    request.pageSize === 0 ? HISTORY_PAGE_MAX : Math.min(request.pageSize, HISTORY_PAGE_MAX);
  let room = HISTORY_PAGE_BYTES_MAX;
  for (; at < history.links.length && records.length < size; at++) {
    const link = history.links[at];
    if (link === undefined) break;
    // What a record of this listing has brought in is with the caller; what came before the listing may not be.
    const news =
      at === first
        ? new Set(referencesOf(link))
        : references
            .at(history.links, at)
            .filter(({ lastReferredAt }) => lastReferredAt < first)
            .map(({ hash }) => hash);
    const found = [...news]
      .map((hash) => history.documents.get(hash))
      .filter((bytes) => bytes !== undefined);
    const bytes = pageBytes([link.head.bytes, ...found]);
    if (bytes > room && records.length > 0) break;
    room -= bytes;
    records.push(link.head.bytes);
    documents.push(...found);
  }
  return {
    records,
    documents,
    nextPageToken: at < history.links.length ? `${tokenLineage(history)}.${at}` : "",
    headRecordHash: history.recordHash,
  };
}

/** Kept from page to page, and from head to head, as long as there is a history with this genesis. */
const REFERENCES = new WeakMap<ChainProgress, FirstReferences>();

function firstReferences({ links }: VerifiedHistory): FirstReferences {
  const [genesis] = links;
  assert(genesis !== undefined, "a history has a genesis");
  const known = REFERENCES.get(genesis);
  if (known?.isOf(links) === true) return known;
  const references = new FirstReferences();
  REFERENCES.set(genesis, references);
  return references;
}

function startOf(history: VerifiedHistory, after: string): number {
  if (after === "") return 0;
  const position = history.positionOf(after as Sha256);
  if (position !== undefined) return position + 1;
  throw new QuorateError(
    "not-found",
    "the history does not contain the record that you have verified",
    {
      hint: "this coordinator serves another history, or its store was rolled back; ask for the whole history to compare",
      details: { head: history.recordHash },
    },
  );
}

function tokenPosition(history: VerifiedHistory, token: string, first: number): number {
  const [, lineage, at] = PAGE_TOKEN.exec(token) ?? [];
  const position = Number(at);
  const isOurs = lineage === tokenLineage(history);
  if (isOurs && position > first && position <= history.links.length) return position;
  throw new QuorateError("invalid-argument", "the page token is not one of this history", {
    hint: "ask for the first page again",
  });
}

/** Lineage and position of the page's first record. */
const PAGE_TOKEN = /^([0-9a-f]{16})\.([1-9][0-9]{0,6})$/;

function tokenLineage({ lineage }: VerifiedHistory): string {
  return lineage.slice(0, 16);
}
