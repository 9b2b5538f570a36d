/** What a node wants done: the effects of everything that happened since the last `advance`. */
import type { Entry } from "./entry.ts";
import type { Message, RefusalReason } from "./messages.ts";
import type { Snapshot } from "./snapshot.ts";
import type { GroupId, LogIndex, NodeId, Term } from "./types.ts";

/** The facts that must outlive the moment they are promised in. */
export interface HardState {
  readonly term: Term;
  /** Whom this node voted for in `term`. */
  readonly vote: NodeId | undefined;
  readonly commit: LogIndex;
}

/** A node's part in its term. */
export type RoleName = "follower" | "pre-candidate" | "candidate" | "leader";

/** What is worth showing and need not be kept. */
export interface SoftState {
  readonly leader: NodeId | undefined;
  readonly role: RoleName;
}

/**
 * Effects in the order in which the host carries them out: 1. make `snapshot`, `entries` and `hardState`
 * durable (in memory: keep them), 2. send `messages`, 3. load `snapshot` into the state machine, 4. apply
 * `committedEntries`, 5. look at the rest, 6. call `advance`. Nothing may be stepped between taking a Ready and
 * its `advance`. Sending before step 1 is done could lose an acknowledged entry or vote twice.
 */
export interface Ready {
  /** Leader or role, if either changed. */
  readonly softState: SoftState | undefined;
  /** Term, vote and commit, if any changed. */
  readonly hardState: HardState | undefined;
  /** Entries to append to durable storage; the first may replace what was stored at its index and after. */
  readonly entries: readonly Entry[];
  /** A snapshot from the leader: replaces the stored log and the state machine's state. */
  readonly snapshot: Snapshot | undefined;
  /** True if term, vote or entries changed, so that a journal must be synced before `messages` leave. */
  readonly mustSync: boolean;
  /** Messages to send, in this order; each may be lost. */
  readonly messages: readonly Message[];
  /** Entries to apply, in index order without gaps, each exactly once. */
  readonly committedEntries: readonly Entry[];
  /** Reads that are decided. */
  readonly reads: readonly ReadResult[];
  /** Proposals of this node that are decided. */
  readonly proposals: readonly ProposalResult[];
  /** Nodes of other groups that told what they know. Bounded; the newest are dropped. */
  readonly otherGroups: readonly OtherGroupSeen[];
}

/** A decided read of this node. */
export interface ReadResult {
  /** The number that the host gave. */
  readonly context: number;
  /** Answer the read once the state machine has applied this index; undefined: not confirmed, ask again. */
  readonly index: LogIndex | undefined;
}

/**
 * How a proposal of this node ended. Exactly one result for each that `propose` called pending, and what it says stays
 * true: "not-proposed" only if no copy of the proposal is in any log or can still get into one.
 */
export type ProposalResult =
  | {
      readonly id: number;
      readonly outcome: "committed";
      readonly term: Term;
      readonly index: LogIndex;
    }
  | {
      readonly id: number;
      readonly outcome: "not-proposed";
      readonly reason: RefusalReason;
      readonly leader: NodeId | undefined;
    }
  /** Leadership was lost meanwhile: it may still be committed. Never to be shown as a failure. */
  | { readonly id: number; readonly outcome: "unknown" };

/** A node of another group, and what it told. */
export interface OtherGroupSeen {
  readonly from: NodeId;
  readonly groupId: GroupId;
  readonly head: Uint8Array | undefined;
}

/** What becomes of a request at once. */
export type RequestOutcome =
  /** Its result follows in a later Ready. */
  | { readonly kind: "pending" }
  | {
      readonly kind: "refused";
      readonly reason: RefusalReason;
      readonly leader: NodeId | undefined;
    };
