/**
 * Healing as one pure function: the state so far and an input give the next state and the effects that the driver
 * must carry out, in order. `specs/healing.md` numbers the rules that the comments name.
 */
import { assert, assertNever } from "../assert.ts";
import type { InstanceId, Ticks } from "../brand.ts";
import type { Effect } from "./effect.ts";
import {
  claimMessage,
  decide,
  onClaim,
  onHalted,
  onVote,
  repeat,
  yieldToLiveGroup,
} from "./gathering.ts";
import type { Input } from "./input.ts";
import type { Message } from "./message.ts";
import { isAcceptable } from "./message.ts";
import { onSwapped, retrySwap } from "./opening.ts";
import { becomeReading, becomeWatching } from "./phases.ts";
import { check, onChecked, onHead, retryRead } from "./reading.ts";
import type { HeadObservation, Peer } from "./record.ts";
import { isNewer } from "./record.ts";
import type { HealingOptions, HealingState, LocalView, Timer } from "./state.ts";
import { isLive, TIMERS } from "./state.ts";
import type { Turn } from "./turn.ts";
import { arm, disarm, headerOf, ownClaim, reply, send, update, updatePhase } from "./turn.ts";

/** What one input led to. */
interface Step {
  readonly state: HealingState;
  readonly effects: readonly Effect[];
}

/** Takes one input. Inputs that no longer matter (late answers, old messages) change nothing. */
export function step(options: HealingOptions, state: HealingState, input: Input): Step {
  const turn: Turn = { options, state, effects: [] };
  switch (input.kind) {
    case "tick":
      onTick(turn, input.now);
      break;
    case "observed":
      onObserved(turn, input.local);
      break;
    case "message":
      onMessage(turn, input.from, input.message);
      break;
    case "head":
      onHeadAnswer(turn, input.request, input.observation);
      break;
    case "halted":
      assert(turn.state.phase.kind === "halting", "only a halt that was asked for is answered");
      onHalted(turn, turn.state.phase, input.remains);
      break;
    case "swapped": {
      const { phase } = turn.state;
      if (phase.kind === "opening" && phase.request === input.request) {
        onSwapped(turn, phase, input.outcome);
      }
      break;
    }
    default:
      assertNever(input);
  }
  return { state: turn.state, effects: turn.effects };
}

/** The next tick at which something is due, if any: the driver sends a `tick` input then, at the latest. */
export function nextDeadline(state: HealingState): Ticks | undefined {
  const due = TIMERS.map((timer) => state.deadlines[timer]).filter((at) => at !== undefined);
  return due.length === 0 ? undefined : (Math.min(...due) as Ticks);
}

/** Fires one armed timer now. For the tick, and for explorers that let time pass in any order. */
export function expire(options: HealingOptions, state: HealingState, timer: Timer): Step {
  const turn: Turn = { options, state, effects: [] };
  fire(turn, timer);
  return { state: turn.state, effects: turn.effects };
}

function onTick(turn: Turn, now: Ticks): void {
  assert(now >= turn.state.now, "time does not go back");
  update(turn, { now });
  for (const timer of TIMERS) {
    const at = turn.state.deadlines[timer];
    if (at !== undefined && at <= now) fire(turn, timer);
  }
}

function fire(turn: Turn, timer: Timer): void {
  disarm(turn, timer);
  const { phase, attempt } = turn.state;
  switch (timer) {
    case "heal":
      if (phase.kind === "watching") becomeReading(turn, attempt + 1);
      return;
    case "failover":
      if (phase.kind === "gathering") decide(turn, updatePhase(turn, phase, { due: true }));
      return;
    case "attempt":
      if (phase.kind === "joining") turn.effects.push({ kind: "stop-recovering" });
      becomeReading(turn, attempt + 1);
      return;
    case "retry":
      arm(turn, "retry", turn.options.retryTicks);
      if (phase.kind === "reading") retryRead(turn, phase);
      if (phase.kind === "gathering" || phase.kind === "voted") repeat(turn, phase);
      if (phase.kind === "opening") retrySwap(turn, phase);
      return;
  }
}

function onObserved(turn: Turn, local: LocalView): void {
  const { phase, known, finalized } = turn.state;
  const isRenewed = local.instance !== turn.state.local.instance;
  assert(
    !isRenewed || phase.kind === "watching" || phase.kind === "joining",
    "an instance does not change in the middle of an attempt",
  );
  const newest = local.held !== undefined && isNewer(local.held, known) ? local.held : known;
  update(turn, { local, known: newest, finalized: isRenewed ? undefined : finalized });
  switch (phase.kind) {
    case "watching":
      if (local.mode === "recovery") becomeReading(turn, turn.state.attempt + 1);
      else if (isLive(turn.state)) disarm(turn, "heal");
      else arm(turn, "heal", turn.options.healDelayTicks);
      return;
    case "reading":
    case "gathering":
      if (isLive(turn.state)) becomeWatching(turn);
      return;
    case "joining":
      if (local.mode === "ready" && (local.held?.epoch ?? 0) >= phase.target.epoch) {
        becomeWatching(turn);
      }
      return;
    case "halting":
    case "voted":
    case "opening":
    case "ended":
      return;
  }
}

function onHeadAnswer(turn: Turn, request: number, observation: HeadObservation): void {
  const { phase } = turn.state;
  if (request === turn.state.check) onChecked(turn, observation);
  else if (phase.kind === "reading" && request === phase.request) onHead(turn, phase, observation);
}

function onMessage(turn: Turn, from: Peer, message: Message): void {
  const { phase } = turn.state;
  if (phase.kind === "ended" || phase.kind === "halting") return;
  if (message.header.lineage !== turn.options.lineage || !isAcceptable(from, message)) return;
  compareEpochs(turn, from, message);
  switch (message.kind) {
    case "claim":
    case "vote":
      if (phase.kind === "watching") answerIfLive(turn, from, message);
      else inAttempt(turn, from, message);
      return;
    case "opened":
      return;
    case "refused":
      onRefused(turn, from, message.counted);
      return;
  }
}

/** Another process came first under this name, unless it was this one as an earlier instance. */
function onRefused(turn: Turn, at: Peer, counted: InstanceId | undefined): void {
  const { phase, local } = turn.state;
  const isPolling = phase.kind === "gathering" || phase.kind === "voted";
  if (!isPolling || counted === undefined || counted === local.instance) return;
  if (counted === turn.state.shadowedBy) return;
  update(turn, { shadowedBy: counted });
  turn.effects.push({ kind: "report", event: { kind: "shadowed", at, counted } });
}

/** Tells a peer of an epoch that it lacks; asks the store about one that this process lacks (rule 6). */
function compareEpochs(turn: Turn, from: Peer, { kind, header }: Message): void {
  const { known, phase } = turn.state;
  const epoch = known?.epoch ?? 0;
  if (header.base.epoch > epoch) {
    if (phase.kind === "gathering" || phase.kind === "voted" || phase.kind === "joining") {
      check(turn);
    }
  } else if (
    known !== undefined &&
    header.base.epoch < epoch &&
    (kind === "claim" || kind === "vote")
  ) {
    reply(turn, from, { kind: "opened", header: headerOf(turn, known) });
  }
}

/** A member of a working group says so, to whoever heals and not to other members; it takes no part itself. */
function answerIfLive(turn: Turn, from: Peer, message: Message): void {
  const { held } = turn.state.local;
  if (!isLive(turn.state) || held === undefined) return;
  if (message.kind === "claim" && message.claim.live) return;
  const header = headerOf(turn, held, message.header.attempt);
  reply(turn, from, { kind: "claim", header, claim: ownClaim(turn, held) });
}

/** A claim or vote while healing: of this attempt, of a later one that this process joins, or of an earlier one. */
function inAttempt(turn: Turn, from: Peer, message: Message & { kind: "claim" | "vote" }): void {
  const { phase, attempt, known } = turn.state;
  if (phase.kind !== "reading" && phase.kind !== "gathering" && phase.kind !== "voted") return;
  const isPolling = phase.kind !== "reading";
  if (isPolling && message.kind === "claim" && yieldToLiveGroup(turn, phase, message.claim)) return;
  if (message.header.attempt > attempt) {
    const isNamed = known === undefined || known.names.includes(from.name);
    const isHealing = message.kind === "vote" || !message.claim.live;
    if (isNamed && isHealing) becomeReading(turn, message.header.attempt);
    return;
  }
  if (!isPolling) return;
  if (message.header.attempt < attempt) send(turn, from, claimMessage(turn, phase));
  else if (message.kind === "claim") onClaim(turn, phase, from, message);
  else onVote(turn, phase, from, message.vote);
}
