/** A node's state as plain data: for the status page, metrics, and checkers outside the core. */
import type { Configuration } from "./configuration.ts";
import type { RoleName } from "./ready.ts";
import type { EntryId, GroupId, LogIndex, NodeId, Term } from "./types.ts";

/** A copy of a node's state that later steps do not change. */
export interface RaftStatus {
  readonly id: NodeId;
  readonly groupId: GroupId;
  readonly role: RoleName;
  readonly halted: boolean;
  /** True after `shutdown`: hands over and never campaigns again. */
  readonly retiring: boolean;
  /** True once this node has applied a configuration of which it is no member after one of which it was. */
  readonly removed: boolean;
  readonly term: Term;
  readonly vote: NodeId | undefined;
  readonly leader: NodeId | undefined;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  /** Everything up to here is durable: what acknowledgements may promise. */
  readonly stable: LogIndex;
  readonly firstIndex: LogIndex;
  readonly last: EntryId;
  readonly configuration: Configuration;
  /** Log index of the entry (or snapshot) that brought `configuration`. */
  readonly configurationIndex: LogIndex;
  /** The largest smallest-match-over-voters seen since a member was added: a hint only. */
  readonly minimumMatch: LogIndex;
  /** Ticks since the election timer was reset, and the drawn timeout that it runs towards. */
  readonly electionElapsedTicks: number;
  readonly randomizedElectionTimeoutTicks: number;
  /** A leader's view of each member, in id order; empty for others. */
  readonly progress: readonly ProgressStatus[];
  /** Removed members that are still told that they are out. */
  readonly departing: readonly NodeId[];
  /** The voter that a leader hands over to. */
  readonly transferee: NodeId | undefined;
  /** A leader's newest round of reads, and the newest that a quorum confirmed. */
  readonly readRound: number;
  readonly readRoundConfirmed: number;
  readonly uncommittedBytes: number;
  readonly counters: Readonly<RaftCounters>;
}

/** A leader's view of one member. */
export interface ProgressStatus {
  readonly id: NodeId;
  readonly learner: boolean;
  readonly state: "probe" | "replicate" | "snapshot";
  /** The last index known to be the same on both sides. */
  readonly match: LogIndex;
  /** The next index to send. */
  readonly next: LogIndex;
  readonly paused: boolean;
  /** Index of the snapshot under way; 0 if none. */
  readonly pendingSnapshot: LogIndex;
  /** Heard from since the last check of the quorum. */
  readonly recentlyActive: boolean;
  /** Ticks since the last answer. */
  readonly silentTicks: number;
  readonly inflight: number;
  readonly inflightFull: boolean;
}

/** How often things happened on this node since it started. */
export interface RaftCounters {
  campaigns: number;
  preCampaigns: number;
  electionsWon: number;
  electionsLost: number;
  /** Votes and pre-votes ignored because a leader was heard recently. */
  stickyRefusals: number;
  checkQuorumStepDowns: number;
  /** Announced step-downs sent. */
  announcedStepDowns: number;
  handOvers: number;
  /** Appends that replaced entries of another term. */
  conflictsTruncated: number;
  snapshotsSent: number;
  snapshotsInstalled: number;
  jointConfigurationsEntered: number;
  readRounds: number;
  staleAnswersDropped: number;
  /** Forwarded proposals that came again and got their first answer once more. */
  proposalsRepeated: number;
  /** Forwarded proposals without an answer: they may have had one that is forgotten. */
  proposalsIgnored: number;
}
