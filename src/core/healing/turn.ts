/** One step's working place: the state so far and the effects so far, with the few moves that all phases share. */
import type { InstanceId, Ticks } from "../brand.ts";
import type { Heard } from "./claim.ts";
import type { Effect } from "./effect.ts";
import type { Claim, Header, Message } from "./message.ts";
import { claimBytes } from "./message.ts";
import type { Peer, RecordView } from "./record.ts";
import type { HealingOptions, HealingState, Phase, Timer, Waiting } from "./state.ts";
import { isLive } from "./state.ts";

export interface Turn {
  readonly options: HealingOptions;
  state: HealingState;
  readonly effects: Effect[];
}

/** Replaces parts of the state. */
export function update(turn: Turn, change: Partial<HealingState>): void {
  turn.state = { ...turn.state, ...change };
}

/** Replaces parts of the phase that is current; to change its kind is for the `becomeX` functions. */
export function updatePhase<P extends Phase>(turn: Turn, phase: P, change: Partial<P>): P {
  const changed = { ...phase, ...change };
  update(turn, { phase: changed });
  return changed;
}

/** Starts a timer, unless it runs. */
export function arm(turn: Turn, timer: Timer, after: Ticks): void {
  if (turn.state.deadlines[timer] !== undefined) return;
  const at = (turn.state.now + after) as Ticks;
  update(turn, { deadlines: { ...turn.state.deadlines, [timer]: at } });
}

/** Stops timers. */
export function disarm(turn: Turn, ...timers: readonly Timer[]): void {
  const deadlines = { ...turn.state.deadlines };
  for (const timer of timers) deadlines[timer] = undefined;
  update(turn, { deadlines });
}

/** Numbers a store request. */
export function nextRequest(turn: Turn): number {
  const request = turn.state.requests + 1;
  update(turn, { requests: request });
  return request;
}

/** Declares why nothing can go on, or that it does; reported when it changes. */
export function declare(turn: Turn, reason: Waiting | undefined): void {
  if (turn.state.waiting === reason) return;
  update(turn, { waiting: reason });
  turn.effects.push({ kind: "report", event: { kind: "waiting", reason } });
}

/** The header of messages that build on `base`. */
export function headerOf(turn: Turn, base: RecordView, attempt = turn.state.attempt): Header {
  const { hash, epoch, generation } = base;
  return { lineage: turn.options.lineage, base: { hash, epoch, generation }, attempt };
}

/** What this instance claims at present. */
export function ownClaim(turn: Turn, base: RecordView): Claim {
  const { instance, held, secrets, group } = turn.state.local;
  return {
    name: turn.options.name,
    instance,
    secrets,
    eligible: base.eligible,
    epoch: held?.epoch ?? 0,
    generation: held?.generation ?? 0,
    record: held?.hash,
    group: group?.id,
    term: group?.term ?? 0,
    index: group?.index ?? 0,
    live: isLive(turn.state),
  };
}

/** A claim with the digest that votes name. */
export function hear(turn: Turn, header: Header, claim: Claim): Heard {
  return { claim, digest: turn.options.digest(claimBytes(header, claim)) };
}

export function send(
  turn: Turn,
  to: { name: string; instance?: InstanceId },
  message: Message,
): void {
  turn.effects.push({ kind: "send", to, message });
}

export function broadcast(turn: Turn, names: readonly string[], message: Message): void {
  for (const name of names) if (name !== turn.options.name) send(turn, { name }, message);
}

export function reply(turn: Turn, to: Peer, message: Message): void {
  send(turn, { name: to.name, instance: to.instance }, message);
}
