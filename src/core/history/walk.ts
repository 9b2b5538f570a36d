/**
 * The walk from a head back to what is already verified, or to the genesis: which document to fetch next.
 *
 * Only hashes are kept, so that a long history takes little memory; verification fetches the documents once more, oldest
 * first (`chain.ts`). Nothing found on the way is believed before that.
 */
import type { Sha256 } from "../brand.ts";
import { HISTORY_RECORDS_MAX } from "../limits.ts";
import { chainLength } from "./link.ts";
import type { NamedRecord } from "./make-record.ts";

/** Why a walk can't go on. */
export type WalkFaultCode = "record-missing" | "record-invalid" | "length-mismatch" | "too-long";

/** Where a walk stands. */
export type Walk =
  | {
      readonly kind: "fetch";
      /** The record document to fetch next, by hash; then {@link continueWalk}. */
      readonly next: Sha256;
      /** Records walked so far. */
      readonly trail: Trail;
      /** How many records there are up to and including `next`. */
      readonly left: number;
    }
  | {
      readonly kind: "done";
      /** The known record on which the walked ones build; `undefined` if the first of them claims to be a genesis. */
      readonly base: Sha256 | undefined;
      /** Hashes from the one after `base` up to the head, oldest first; empty if the head itself is known. */
      readonly path: readonly Sha256[];
    }
  | { readonly kind: "broken"; readonly code: WalkFaultCode; readonly at: Sha256 };

/** Hashes of walked records, the oldest at hand: a list that grows without being copied. */
interface Trail {
  readonly hash: Sha256;
  readonly newer: Trail | undefined;
}

/** What fetching a record document gave: it, hashed and parsed, or not. */
export type FetchedRecord =
  | { readonly kind: "found"; readonly document: NamedRecord }
  | { readonly kind: "missing" }
  | { readonly kind: "invalid" };

/** Begins at a head. `isKnown` tells whether a record is verified already. */
export function startWalk(head: NamedRecord, isKnown: (hash: Sha256) => boolean): Walk {
  if (isKnown(head.hash)) return { kind: "done", base: head.hash, path: [] };
  if (chainLength(head.record) > HISTORY_RECORDS_MAX) {
    return { kind: "broken", code: "too-long", at: head.hash };
  }
  return stepBack(head, undefined, chainLength(head.record), isKnown);
}

/**
 * Goes on with what was fetched for `walk.next`. Ends after as many steps as the head's counters say, at the latest.
 */
export function continueWalk(
  walk: Extract<Walk, { kind: "fetch" }>,
  fetched: FetchedRecord,
  isKnown: (hash: Sha256) => boolean,
): Walk {
  const at = walk.next;
  if (fetched.kind !== "found") return { kind: "broken", code: `record-${fetched.kind}`, at };
  // The store's answer to a hash may be anything.
  if (fetched.document.hash !== at) return { kind: "broken", code: "record-invalid", at };
  return stepBack(fetched.document, walk.trail, walk.left, isKnown);
}

function stepBack(
  { record, hash }: NamedRecord,
  newer: Trail | undefined,
  length: number,
  isKnown: (hash: Sha256) => boolean,
): Walk {
  if (chainLength(record) !== length) return { kind: "broken", code: "length-mismatch", at: hash };
  const trail: Trail = { hash, newer };
  const { previous } = record;
  if (previous === null || isKnown(previous)) {
    return { kind: "done", base: previous ?? undefined, path: oldestFirst(trail) };
  }
  return { kind: "fetch", next: previous, trail, left: length - 1 };
}

function oldestFirst(trail: Trail): readonly Sha256[] {
  const path: Sha256[] = [];
  for (let at: Trail | undefined = trail; at !== undefined; at = at.newer) path.push(at.hash);
  return path;
}
