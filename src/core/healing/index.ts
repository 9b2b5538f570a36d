export { compareClaims, greatestSelectable, isSelectable, provesLiveGroup } from "./claim.ts";
export type { Effect, HealingEvent } from "./effect.ts";
export { isFenced, majorityOf } from "./fencing.ts";
export type { Configuration, Remains } from "./fencing.ts";
export { expire, nextDeadline, step } from "./healing.ts";
export type { Step } from "./healing.ts";
export type { Input, SwapOutcome } from "./input.ts";
export { claimBytes } from "./message.ts";
export type { Claim, Header, Message, Secrets, Vote } from "./message.ts";
export type { OpenPlan, Path } from "./plan.ts";
export type { Base, HeadObservation, HealingPolicy, Peer, RecordView } from "./record.ts";
export { initialState, TIMERS } from "./state.ts";
export type {
  HealingOptions,
  HealingState,
  LocalGroup,
  LocalView,
  Phase,
  Timer,
  Waiting,
} from "./state.ts";
