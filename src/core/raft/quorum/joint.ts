/** Decisions of a group: by a majority, or while joint by a majority of each half (thesis section 4.3). */
import type { Configuration } from "../configuration.ts";
import type { LogIndex, NodeId } from "../types.ts";
import { majorityCommitted, majorityVote, type VoteResult } from "./majority.ts";

/** The two sets of voters; `votersOutgoing` is empty unless joint. */
export type Halves = Pick<Configuration, "voters" | "votersOutgoing">;

/**
 * The highest index that is on a majority of each half.
 *
 * **Security:** counting one half only would let two halves of a split group commit different entries.
 */
export function committedIndex(
  halves: Halves,
  acknowledged: (voter: NodeId) => LogIndex | undefined,
): LogIndex {
  const incoming = majorityCommitted(halves.voters, acknowledged);
  const outgoing = majorityCommitted(halves.votersOutgoing, acknowledged);
  return Math.min(incoming, outgoing);
}

/** Won if both halves are, lost as soon as one is. */
export function voteResult(
  halves: Halves,
  votes: (voter: NodeId) => boolean | undefined,
): VoteResult {
  const incoming = majorityVote(halves.voters, votes);
  const outgoing = majorityVote(halves.votersOutgoing, votes);
  if (incoming === outgoing) return incoming;
  return incoming === "lost" || outgoing === "lost" ? "lost" : "pending";
}
