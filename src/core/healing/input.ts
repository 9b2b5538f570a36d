/** What the driver tells healing. */
import type { Ticks } from "../brand.ts";
import type { Remains } from "./fencing.ts";
import type { Message } from "./message.ts";
import type { HeadObservation, Peer, RecordView } from "./record.ts";
import type { LocalView } from "./state.ts";

export type Input =
  /** Time went on. `now` never falls. */
  | { readonly kind: "tick"; readonly now: Ticks }
  /** The own process changed; also the first input of all. */
  | { readonly kind: "observed"; readonly local: LocalView }
  /** **Security:** `from` is what the attested session proved, under the newest manifest this process has verified. */
  | { readonly kind: "message"; readonly from: Peer; readonly message: Message }
  /** Answer to a `read-head` effect. */
  | { readonly kind: "head"; readonly request: number; readonly observation: HeadObservation }
  /** Answer to a `halt` effect. */
  | { readonly kind: "halted"; readonly remains: Remains }
  /** Answer to a `swap` effect. */
  | { readonly kind: "swapped"; readonly request: number; readonly outcome: SwapOutcome };

export type SwapOutcome =
  /** The plan's record is the head; also when an earlier, identical swap did it. */
  | { readonly kind: "committed"; readonly record: RecordView }
  /** The head was another value, which a read showed; relative to the plan's base record. */
  | { readonly kind: "conflict"; readonly observation: HeadObservation }
  /** It may happen, have happened, or never happen. */
  | { readonly kind: "unknown" };
