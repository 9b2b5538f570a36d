/**
 * What nodes say to each other. A message may be lost, duplicated, delayed and re-ordered.
 *
 * **Security:** the transport proves that `from` really sent a message and is a coordinator of the group; the
 * core does not authenticate anything.
 */
import type { Entry, EntryPayload } from "./entry.ts";
import type { Snapshot } from "./snapshot.ts";
import type { EntryId, GroupId, LogIndex, NodeId, Term } from "./types.ts";

/** On every message. */
interface Envelope {
  readonly groupId: GroupId;
  readonly from: NodeId;
  readonly to: NodeId;
  /**
   * The sender's term; for a pre-vote and its grant the term that is asked for; 0 on forwarded reads and hand-overs, and
   * on all answers to what was forwarded.
   */
  readonly term: Term;
}

/** "Would you vote for me?" (thesis section 9.6): asks for the sender's term + 1, changes nothing. */
export interface PreVote extends Envelope {
  readonly type: "pre-vote";
  /** The candidate's last entry. */
  readonly last: EntryId;
  /** The candidate's last committed entry: whoever holds that entry learns that it is committed. */
  readonly commit: EntryId;
}

/** A grant carries the asked term, a refusal the responder's own. */
export interface PreVoteAnswer extends Envelope {
  readonly type: "pre-vote-answer";
  readonly granted: boolean;
  /** The responder's last committed entry: a refused candidate that holds that entry learns that it is committed. */
  readonly commit: EntryId;
}

/** RequestVote (thesis section 3.4). */
export interface Vote extends Envelope {
  readonly type: "vote";
  readonly last: EntryId;
  /** As in {@link PreVote}. */
  readonly commit: EntryId;
  /** Set by a hand-over: the vote is not ignored by those who know a leader (thesis section 4.2.3). */
  readonly transfer: boolean;
}

/** The answer to {@link Vote}. */
export interface VoteAnswer extends Envelope {
  readonly type: "vote-answer";
  readonly granted: boolean;
  /** As in {@link PreVoteAnswer}. */
  readonly commit: EntryId;
}

/** AppendEntries with the entries after `previous` (thesis section 3.5). */
export interface Append extends Envelope {
  readonly type: "append";
  readonly previous: EntryId;
  readonly entries: readonly Entry[];
  readonly commit: LogIndex;
  /** The smallest match over voters that the leader knows: a hint, never an input to a vote or a commit. */
  readonly minimumMatch: LogIndex;
}

/** Acknowledges an append or a snapshot. */
export interface AppendAccepted extends Envelope {
  readonly type: "append-accepted";
  /** `previous` plus the number of entries of that message, or the snapshot's index. Never the own last index. */
  readonly index: LogIndex;
}

/** Refuses an append whose `previous` is not in the log. */
export interface AppendRefused extends Envelope {
  readonly type: "append-refused";
  /** The index of `previous` in the refused message: tells a stale refusal from a current one. */
  readonly refused: LogIndex;
  /** The follower's last entry at or before `refused` whose term is not above that of `previous`. */
  readonly hint: EntryId;
}

/** Keeps followers from campaigning, carries the commit index and the round of waiting reads. */
export interface Heartbeat extends Envelope {
  readonly type: "heartbeat";
  /** The leader's commit, at most what it knows the receiver to hold. */
  readonly commit: LogIndex;
  /** Monotone within a term: the newest round of reads (see `read-index.ts`). */
  readonly readRound: number;
  readonly minimumMatch: LogIndex;
}

/** The answer to {@link Heartbeat}. */
export interface HeartbeatAnswer extends Envelope {
  readonly type: "heartbeat-answer";
  /** That of the heartbeat. */
  readonly readRound: number;
}

/** A snapshot in place of entries that the leader no longer has (thesis section 5.3). */
export interface InstallSnapshot extends Envelope {
  readonly type: "snapshot";
  readonly snapshot: Snapshot;
}

/** The answer to an append or heartbeat of an older term: nothing but the higher term. */
interface HigherTerm extends Envelope {
  readonly type: "higher-term";
}

/** "Campaign at once, you are my successor" (thesis section 3.10). */
interface TimeoutNow extends Envelope {
  readonly type: "timeout-now";
}

/** "I no longer lead this term": the receiver forgets its leader, keeps term and vote, and may campaign at once. */
export interface StepDown extends Envelope {
  readonly type: "step-down";
}

/** Asks the leader to hand over to `target`; from a follower that was asked to. */
export interface TransferLeadership extends Envelope {
  readonly type: "transfer-leadership";
  readonly target: NodeId;
}

/**
 * A proposal that a follower forwards to the leader of its term, and of no other: however often this message arrives,
 * and however late, its entry is appended at most once.
 */
export interface Propose extends Envelope {
  readonly type: "propose";
  /** The follower's number of this proposal, above those of all before. */
  readonly id: number;
  readonly payload: EntryPayload;
}

/**
 * The answer to {@link Propose}: where the entry stands, or why there is none and will be none; the same to every copy.
 * There is no answer to a copy that comes so late that an earlier one's is forgotten.
 */
export interface ProposeAnswer extends Envelope {
  readonly type: "propose-answer";
  readonly id: number;
  readonly appended: EntryId | undefined;
  /** Why not, if `appended` is undefined. */
  readonly reason: RefusalReason | undefined;
}

/** A read that a follower forwards to its leader. */
export interface ReadIndex extends Envelope {
  readonly type: "read-index";
  /** The follower's number of this read. */
  readonly context: number;
}

/** The index from which a forwarded read may be answered; undefined if the leader can't tell: ask again. */
export interface ReadIndexAnswer extends Envelope {
  readonly type: "read-index-answer";
  readonly context: number;
  readonly index: LogIndex | undefined;
}

/** The answer to a message of another group: the head that this node knows, if the host told it one. */
interface OtherGroup extends Envelope {
  readonly type: "other-group";
  /** Opaque to the core: the store's head as the host encodes it. */
  readonly head: Uint8Array | undefined;
}

/** Any message. */
export type Message =
  | PreVote
  | PreVoteAnswer
  | Vote
  | VoteAnswer
  | Append
  | AppendAccepted
  | AppendRefused
  | Heartbeat
  | HeartbeatAnswer
  | InstallSnapshot
  | HigherTerm
  | TimeoutNow
  | StepDown
  | TransferLeadership
  | Propose
  | ProposeAnswer
  | ReadIndex
  | ReadIndexAnswer
  | OtherGroup;

/** The kinds of {@link Message}. */
export type MessageType = Message["type"];

/** Why something was not proposed. Nothing has happened and nothing will: proposing it again is safe. */
export type RefusalReason =
  | "no-leader"
  | "halted"
  | "retiring"
  | "transferring"
  | "not-a-member"
  | "too-large"
  | "too-much-uncommitted"
  | "too-many-waiting"
  | "change-in-flight"
  | "change-invalid"
  | "successor-not-ready"
  | "predecessor-heard";
