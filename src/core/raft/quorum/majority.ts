/** Decisions by the majority of one set of voters. */
import type { LogIndex, NodeId } from "../types.ts";

/** Where a vote stands: `pending` as long as the missing answers can still decide it. */
export type VoteResult = "won" | "pending" | "lost";

/** Stands for "no bound": what an empty set of voters has committed, so that it never limits the other half. */
export const EVERYTHING: LogIndex = Number.MAX_SAFE_INTEGER;

/** Size of the smallest majority of `count` voters. */
function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

/**
 * The highest index that a majority of `voters` has acknowledged; a voter for which `acknowledged` knows nothing
 * counts as 0. Of no voters at all: {@link EVERYTHING}.
 */
export function majorityCommitted(
  voters: readonly NodeId[],
  acknowledged: (voter: NodeId) => LogIndex | undefined,
): LogIndex {
  if (voters.length === 0) return EVERYTHING;
  const indexes: LogIndex[] = [];
  for (const voter of voters) insertDescending(indexes, acknowledged(voter) ?? 0);
  return indexes[majorityOf(voters.length) - 1] ?? 0;
}

/** What `votes` decide among `voters`. Of no voters at all: won. */
export function majorityVote(
  voters: readonly NodeId[],
  votes: (voter: NodeId) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return "won";
  let granted = 0;
  let missing = 0;
  for (const voter of voters) {
    const vote = votes(voter);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = majorityOf(voters.length);
  if (granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}

/** Insertion sort: groups are small, and this allocates nothing. */
function insertDescending(sorted: LogIndex[], index: LogIndex): void {
  let at = sorted.length;
  sorted.push(index);
  while (at > 0 && (sorted[at - 1] ?? 0) < index) {
    sorted[at] = sorted[at - 1] ?? 0;
    at--;
  }
  sorted[at] = index;
}
