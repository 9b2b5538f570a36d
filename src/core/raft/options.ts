/** What a node is made from. */
import type { Prng } from "../prng.ts";
import type { Snapshot } from "./snapshot.ts";
import type { GroupId, NodeId } from "./types.ts";

/** Bounds of one node; the defaults are `RAFT_…` in `core/limits.ts`. Bytes count payload plus a fixed overhead. */
export interface RaftLimits {
  /** Entries' bytes in one append; one entry always goes. */
  readonly appendBytesMax: number;
  /** Appends sent to one follower and not yet acknowledged. */
  readonly inflightMessagesMax: number;
  /** Their bytes. */
  readonly inflightBytesMax: number;
  /** Payload of entries appended by a leader and not yet committed; the first one always goes. */
  readonly uncommittedBytesMax: number;
  /** Payload of one proposal. */
  readonly proposalBytesMax: number;
  /** Bytes of the committed entries in one Ready; one entry always goes. */
  readonly applyBytesMax: number;
  /** Number of committed entries in one Ready. */
  readonly applyEntriesMax: number;
  /** Entries in memory after which applied ones are dropped, however far behind a follower is. */
  readonly logEntriesMax: number;
  /** Bytes in memory after which applied ones are dropped. */
  readonly logBytesMax: number;
  /** Proposals, and reads, of this node that wait for their result; reads of others on a leader too. */
  readonly waitingMax: number;
  /** Answers to each member's forwarded proposals that a leader remembers, in case the message is repeated. */
  readonly answersKeptMax: number;
}

/** What {@link import("./raft-node.ts").RaftNode} is made from. */
export interface RaftOptions {
  readonly id: NodeId;
  readonly groupId: GroupId;
  /** Seeded randomness for the jitter of election timeouts, nothing else. */
  readonly prng: Prng;
  /**
   * The state that a founding member starts from, the same on all of them: index and configuration are in force
   * at once; its term is 0, for nobody was elected yet. A joining member leaves it out and learns everything from
   * its leader.
   */
  readonly initial?: Snapshot | undefined;
  /** Ticks without a leader before a campaign, T; jitter draws from [T, 2T − 1]. At least 2. */
  readonly electionTimeoutTicks: number;
  /** Ticks between heartbeats; below `electionTimeoutTicks`. */
  readonly heartbeatTicks: number;
  /** Ask before campaigning. The product always does. @default true */
  readonly preVote?: boolean;
  /** Leaders step down without a quorum, followers stick to their leader. The product always does. @default true */
  readonly checkQuorum?: boolean;
  readonly limits?: Partial<RaftLimits> | undefined;
  /**
   * The host's state machine as bytes: called from within a step or tick when a follower needs a snapshot. It
   * must be the state after all entries of the last advanced Ready, and must not call the node.
   */
  readonly snapshotData: () => Uint8Array;
}
