/** The state of healing: plain immutable data, so that it can be copied, compared and encoded. */
import type { InstanceId, Sha256, Ticks } from "../brand.ts";
import type { Heard } from "./claim.ts";
import type { Remains } from "./fencing.ts";
import type { Secrets, Vote } from "./message.ts";
import type { OpenPlan, Path } from "./plan.ts";
import type { Base, Peer, RecordView } from "./record.ts";

/** What never changes for one process. */
export interface HealingOptions {
  readonly lineage: Sha256;
  /** This coordinator's name. */
  readonly name: string;
  /** How long the own group may be without a leader before healing starts. @default ten election timeouts */
  readonly healDelayTicks: Ticks;
  /** How often messages and failed store requests are repeated. @default 100 ms */
  readonly retryTicks: Ticks;
  /** After how long a majority of the names is enough; 0 waits for every name, for ever. @default 2 s */
  readonly failoverTicks: Ticks;
  /** How long a decision may stay without an opener before the next attempt; never off. @default 2 s */
  readonly attemptTicks: Ticks;
  /** SHA-256. */
  readonly digest: (bytes: Uint8Array) => Sha256;
}

/** What the driver sees of its own process; it reports every change. */
export interface LocalView {
  /** The instance as which this process takes part. It changes only with a finished recovery or opening. */
  readonly instance: InstanceId;
  /** `recovery`: uninitialized while the store has a head, or stale. */
  readonly mode: "ready" | "recovery";
  /** The record of the state it holds, stale or not. */
  readonly held: RecordView | undefined;
  readonly secrets: Secrets;
  /** Its Raft node; of a halted one the last values. */
  readonly group: LocalGroup | undefined;
}

/** What the driver sees of its own Raft node. */
export interface LocalGroup {
  readonly id: Sha256;
  readonly term: number;
  readonly index: number;
  /** A leader is known, and a quorum has confirmed it within an election timeout. */
  readonly live: boolean;
}

/** Why healing can't go on by itself at present. Operators see it; none of them is an end. */
export type Waiting =
  | "store-unavailable"
  | "store-damaged"
  | "fork"
  | "missing-peers"
  | "no-selectable-claim"
  | "policy-off"
  | "not-named";

/** Timers by name, in the order in which they fire on one tick. */
export const TIMERS = ["heal", "failover", "attempt", "retry"] as const;
export type Timer = (typeof TIMERS)[number];

/** What gathering, halting and voting share: the attempt's own claim and what was heard. */
interface Poll {
  readonly base: Base;
  readonly own: Heard;
  /** The first instance of each name, the own one included if named, sorted by name. */
  readonly heard: readonly Heard[];
  /** Votes for the own claim, one a name, sorted by name. */
  readonly votes: readonly Vote[];
}

/** Where an instance stands. */
export type Phase =
  /** No need to heal (yet). */
  | { readonly kind: "watching" }
  /** A new attempt: no claim, and no vote, before an own head read has succeeded. */
  | { readonly kind: "reading"; readonly request: number | undefined }
  /** `due`: the failover timeout has passed, a majority is enough. */
  | (Poll & { readonly kind: "gathering"; readonly due: boolean })
  /** Decided; the vote waits until the Raft node has halted. */
  | (Poll & { readonly kind: "halting"; readonly candidate: Heard; readonly path: Path })
  | (Poll & { readonly kind: "voted"; readonly candidate: Heard; readonly path: Path })
  /** Chosen, and swapping; `request` is undefined while the outcome is unknown and the swap not yet repeated. */
  | {
      readonly kind: "opening";
      readonly plan: OpenPlan;
      readonly request: number | undefined;
      readonly rebases: number;
    }
  /** Somebody opened `target`, or its group lives: this process becomes a member of it. */
  | { readonly kind: "joining"; readonly target: RecordView; readonly opener: boolean }
  /** Another instance of the own name has taken over. */
  | { readonly kind: "ended"; readonly by: Peer };

export interface HealingState {
  readonly phase: Phase;
  readonly local: LocalView;
  /** The newest record that this process has verified. */
  readonly known: RecordView | undefined;
  /** Counts up for ever; 0 before the first. */
  readonly attempt: number;
  /** Set once this instance's Raft node has halted for a vote: it is final for its old group. */
  readonly finalized: Remains | undefined;
  readonly waiting: Waiting | undefined;
  /** The other process under the own name that a peer has counted in the place of this one. */
  readonly shadowedBy: InstanceId | undefined;
  /** Request of a head read that checks a message from a higher epoch. */
  readonly check: number | undefined;
  /** Number of the last store request. */
  readonly requests: number;
  /** Number of the last mesh CA key. */
  readonly meshCaKeys: number;
  readonly now: Ticks;
  /** When each armed timer fires. */
  readonly deadlines: Readonly<Partial<Record<Timer, Ticks | undefined>>>;
}

/** The state of a process that has just started. */
export function initialState(local: LocalView): HealingState {
  return {
    phase: { kind: "watching" },
    local,
    known: local.held,
    attempt: 0,
    finalized: undefined,
    waiting: undefined,
    shadowedBy: undefined,
    check: undefined,
    requests: 0,
    meshCaKeys: 0,
    now: 0 as Ticks,
    deadlines: {},
  };
}

/** Whether this process works in a group that has a leader, and is not final for it. */
export function isLive(state: HealingState): boolean {
  const { mode, group } = state.local;
  return mode === "ready" && group?.live === true && state.finalized === undefined;
}
