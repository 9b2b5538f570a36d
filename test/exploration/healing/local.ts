/** What the exploration says about one process: how it is, what happens to it, what comes of it. */
import type { InstanceId, Sha256 } from "../../../src/core/brand.ts";
import type {
  HealingState,
  Message,
  Peer,
  RecordView,
  Timer,
} from "../../../src/core/healing/index.ts";

/** A process at one moment. */
export interface Local {
  readonly state: HealingState;
  /** Its instances whose Raft nodes have halted. */
  readonly halted: readonly InstanceId[];
  /** The last attempt in which an own head read succeeded. */
  readonly readIn: number;
  /** Its last vote. */
  readonly vote: { readonly attempt: number; readonly digest: Sha256 } | undefined;
  /** The last attempt in which it was shown, before voting, a live group of the newest head that it had read. */
  readonly sawLiveIn: number;
  /** Which mesh CA key went into which record. */
  readonly keys: readonly (readonly [number, Sha256])[];
  /** Times that it became a new instance. */
  readonly renewals: number;
}

/** A message on the network: who sent it, and to whom if not to everybody. */
export interface Sent {
  readonly from: Peer;
  readonly to: Peer | undefined;
  readonly message: Message;
  /** A live member's answer, which is there for every attempt in which it is asked. */
  readonly standing: boolean;
}

/** What happens to a process. Store answers name heads and records by their hash. */
export type Happening =
  | { readonly kind: "message"; readonly sent: Sent }
  | { readonly kind: "timer"; readonly timer: Timer }
  | { readonly kind: "head"; readonly head: Sha256 }
  | { readonly kind: "read-failed" }
  | { readonly kind: "committed"; readonly record: Sha256 }
  | { readonly kind: "conflict"; readonly head: Sha256 }
  | { readonly kind: "unknown" }
  /** A member of the target's group let it in. */
  | { readonly kind: "joined" }
  /** A live member's own look at the store shows a head beyond its state. */
  | { readonly kind: "outdated" };

/** What came of it. */
export interface Outcome {
  readonly local: Local;
  readonly sent: readonly Sent[];
  /** A store request went out: an answer to an earlier one is worthless now. */
  readonly requested: boolean;
  /** The record whose group it started. */
  readonly opened: RecordView | undefined;
  /** Properties that do not hold. */
  readonly broken: readonly string[];
  /** What was seen on the way, for the reachability counts. */
  readonly seen: readonly string[];
}
