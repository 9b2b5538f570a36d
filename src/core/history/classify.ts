/** What the store's head means to a coordinator that has applied a record: the table "Reading the store". */
import type { Epoch, Generation, Sha256 } from "../brand.ts";

/** A verified record's place in its history. */
export interface RecordPlace {
  readonly hash: Sha256;
  readonly generation: Generation;
  readonly epoch: Epoch;
  /** Hash of the record that opened the epoch. */
  readonly group: Sha256;
}

/** The record that the group (or the single coordinator) has applied, with the history that led to it. */
export interface AppliedRecord extends RecordPlace {
  readonly lineage: Sha256;
  /** True for the hashes of all records before it, and of no others. */
  readonly isAncestor: (hash: Sha256) => boolean;
}

/**
 * What one linearizable read of the head showed. An error of the store is none of these: it says nothing about the
 * head, and changes nothing.
 */
export type ObservedHead =
  | { readonly kind: "missing" }
  /** Not the form of a record. */
  | { readonly kind: "unparsable" }
  /** A record of the named lineage whose signature does not verify. */
  | { readonly kind: "badly-signed"; readonly lineage: Sha256 }
  /** Well signed, but its history can't be verified: a document is missing, or breaks a rule. */
  | { readonly kind: "unverified"; readonly lineage: Sha256; readonly hash: Sha256 }
  /** Well signed, and its whole history verified. */
  | {
      readonly kind: "verified";
      readonly lineage: Sha256;
      readonly place: RecordPlace;
      /** True if the applied record is among its ancestors. */
      readonly descendsFromApplied: boolean;
    };

/** What it means, and so what to do. */
export type HeadClass =
  /** The head is the applied record. */
  | { readonly kind: "same" }
  /** The store went back, to nothing or to an ancestor: re-assert. */
  | { readonly kind: "rollback"; readonly to: Sha256 | "missing" }
  /** The store shows something broken: re-assert. */
  | { readonly kind: "corruption"; readonly found: "unparsable" | "badly-signed" }
  /** An update of our epoch: activate it or become stale. */
  | { readonly kind: "follow"; readonly head: RecordPlace }
  /** Another group opened a later epoch on top of ours: become stale, join it. */
  | { readonly kind: "taken-over"; readonly head: RecordPlace }
  /** A sibling within our epoch, which this group never committed: re-assert. */
  | { readonly kind: "branch"; readonly head: RecordPlace }
  /** FORK: issue nothing, write nothing, say so. */
  | { readonly kind: "fork"; readonly reason: ForkReason };

/** Which FORK it is, for people. */
export type ForkReason =
  /** A valid history of another lineage. */
  | "other-lineage"
  /** A history of our lineage that left ours before the epoch was opened, or never met it. */
  | "other-history"
  /** A head whose history can't be verified. */
  | "unverified";

/**
 * The table of DESIGN section 8; the first line that matches decides.
 *
 * **Security:** only `same` allows to go on issuing. Whoever re-asserts must have been confirmed as the leader by a
 * read that started after the head was read.
 */
export function classifyHead(applied: AppliedRecord, head: ObservedHead): HeadClass {
  switch (head.kind) {
    case "missing":
      return { kind: "rollback", to: "missing" };
    case "unparsable":
      return { kind: "corruption", found: "unparsable" };
    case "badly-signed":
      return head.lineage === applied.lineage
        ? { kind: "corruption", found: "badly-signed" }
        : { kind: "fork", reason: "unverified" };
    case "unverified":
      // Our own record and its ancestors are verified, whatever documents the store has lost since.
      return head.lineage === applied.lineage
        ? (knownClass(applied, head.hash) ?? { kind: "fork", reason: "unverified" })
        : { kind: "fork", reason: "unverified" };
    case "verified":
      return head.lineage === applied.lineage
        ? (knownClass(applied, head.place.hash) ?? unknownClass(applied, head))
        : { kind: "fork", reason: "other-lineage" };
  }
}

/** The class of a head that the applied record's own history contains. */
function knownClass(applied: AppliedRecord, hash: Sha256): HeadClass | undefined {
  if (hash === applied.hash) return { kind: "same" };
  return applied.isAncestor(hash) ? { kind: "rollback", to: hash } : undefined;
}

function unknownClass(
  applied: AppliedRecord,
  { place, descendsFromApplied }: Extract<ObservedHead, { kind: "verified" }>,
): HeadClass {
  if (descendsFromApplied) {
    return place.epoch === applied.epoch
      ? { kind: "follow", head: place }
      : { kind: "taken-over", head: place };
  }
  return place.group === applied.group
    ? { kind: "branch", head: place }
    : { kind: "fork", reason: "other-history" };
}

/** True for the classes after which the group's leader puts its own record back. */
export function demandsReassertion(head: HeadClass): boolean {
  return head.kind === "rollback" || head.kind === "corruption" || head.kind === "branch";
}
