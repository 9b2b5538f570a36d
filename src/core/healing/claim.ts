/** How claims compare, which may be voted for, and which prove a live group. */
import type { Sha256 } from "../brand.ts";
import type { Claim } from "./message.ts";
import type { RecordView } from "./record.ts";

/** A claim that was counted, with the digest by which a vote names it. */
export interface Heard {
  readonly claim: Claim;
  readonly digest: Sha256;
}

/**
 * Order of claims, negative if `a` is less: (epoch, generation, group, term, index, name). The group only separates:
 * term and index compare within one group, and without it the order would not be transitive when a forked store has
 * let two groups open under one epoch number.
 */
export function compareClaims(a: Claim, b: Claim): number {
  return (
    a.epoch - b.epoch ||
    a.generation - b.generation ||
    compareText(a.group ?? "", b.group ?? "") ||
    a.term - b.term ||
    a.index - b.index ||
    compareText(a.name, b.name)
  );
}

/**
 * Whether a claimant may be chosen (rule 3): its name counts, it holds secrets that the manifest lets it use without a
 * user, and it satisfies the manifest of the head it would build on. One with a live group of its own does not heal,
 * and would never open.
 */
export function isSelectable(claim: Claim, base: RecordView): boolean {
  const usable =
    claim.secrets === "memory" || (claim.secrets === "sealed" && base.policy === "sealed");
  return usable && claim.eligible && !claim.live && base.names.includes(claim.name);
}

/** The greatest selectable claim, if there is one. */
export function greatestSelectable(heard: readonly Heard[], base: RecordView): Heard | undefined {
  return heard
    .filter(({ claim }) => isSelectable(claim, base))
    .reduce<Heard | undefined>(
      (best, next) =>
        best === undefined || compareClaims(next.claim, best.claim) > 0 ? next : best,
      undefined,
    );
}

/**
 * Whether a claim proves a live group that healing must give way to (rule 2): the group of the newest head that this
 * receiver has verified, with exactly that head applied. A cut-off old quorum, however alive, blocks nobody.
 */
export function provesLiveGroup(claim: Claim, newest: RecordView): boolean {
  return (
    claim.live &&
    newest.names.includes(claim.name) &&
    claim.group === newest.group &&
    claim.record === newest.hash
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
