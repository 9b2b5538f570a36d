/** What healing asks of the driver, in the order in which it must be carried out. */
import type { InstanceId, Sha256 } from "../brand.ts";
import type { QuorateError } from "../errors.ts";
import type { Message } from "./message.ts";
import type { OpenPlan } from "./plan.ts";
import type { Peer, RecordView } from "./record.ts";
import type { Waiting } from "./state.ts";

export type Effect =
  /**
   * Read the head linearizably, starting now, and answer `head` with the same number. Verify the chain up to it and
   * compare it with `relativeTo`. A newer request makes an older one's answer worthless.
   */
  | {
      readonly kind: "read-head";
      readonly request: number;
      readonly relativeTo: Sha256 | undefined;
    }
  /**
   * Halt this instance's Raft node for good, then answer `halted`, before any other input. From then on the instance
   * grants no vote, answers no append, heartbeat or read, and neither it nor a copy of its log ever acts again.
   *
   * **Security:** what the vote promises. A node that still answers would let a fenced group act.
   */
  | { readonly kind: "halt" }
  /** Send to the current instance of a name, or exactly to one instance. May be lost; never wait for it. */
  | {
      readonly kind: "send";
      readonly to: { readonly name: string; readonly instance?: InstanceId };
      readonly message: Message;
    }
  /**
   * Make and sign the plan's record (once a plan: a repeated request swaps the identical bytes), put the documents that
   * the store lacks, and move the head from exactly the value that `plan.base.token` names to it. Answer `swapped`.
   * Throw nothing away that a repetition may need, until an answer other than `unknown`.
   */
  | { readonly kind: "swap"; readonly request: number; readonly plan: OpenPlan }
  /** The epoch is ours: become its state and start its group, as a new instance and its only voter. */
  | { readonly kind: "open"; readonly record: RecordView }
  /**
   * Recover `record`'s state from a peer that holds it and join its group; keep trying until done, until another
   * `recover` replaces it, or `stop-recovering`. With `renew`, as a new instance, made anew for every such effect: the
   * present one has voted, or has a Raft node in another group, which is halted first.
   */
  | { readonly kind: "recover"; readonly record: RecordView; readonly renew: boolean }
  /** Nobody let this process in: drop the recovery, and what it has made of a new instance. */
  | { readonly kind: "stop-recovering" }
  /** Tell operators; metrics, audit log and status show it. */
  | { readonly kind: "report"; readonly event: HealingEvent }
  /** Healing of this process is over for good. Say so and refuse service. */
  | { readonly kind: "end"; readonly error: QuorateError };

type HealingEvent =
  | { readonly kind: "attempt"; readonly attempt: number }
  /** The declared wait changed; `undefined`: it goes on. */
  | { readonly kind: "waiting"; readonly reason: Waiting | undefined }
  /** The store is behind what this process has verified; the swap re-asserts `base`. */
  | { readonly kind: "rollback"; readonly base: Sha256; readonly found: Sha256 }
  /** Another process under the own name came first at a peer. */
  | { readonly kind: "shadowed"; readonly at: Peer; readonly counted: InstanceId };
