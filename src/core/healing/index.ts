/** Healing's public face. */
export { compareClaims, greatestSelectable, isSelectable, provesLiveGroup } from "./claim.ts";
export type { Effect } from "./effect.ts";
export { isFenced, majorityOf } from "./fencing.ts";
export type { Configuration, Remains } from "./fencing.ts";
export { expire, nextDeadline, step } from "./healing.ts";
export type { Input } from "./input.ts";
export { claimBytes } from "./message.ts";
export type { Claim, Message, Secrets } from "./message.ts";
export type { OpenPlan } from "./plan.ts";
export type { HeadObservation, HealingPolicy, Peer, RecordView } from "./record.ts";
export { initialState } from "./state.ts";
export type { HealingOptions, HealingState, LocalGroup, LocalView, Timer } from "./state.ts";
