/** The transitions: only these functions change the kind of phase. */
import { QuorateError } from "../errors.ts";
import { assert } from "../assert.ts";
import type { Heard } from "./claim.ts";
import type { OpenPlan, Path } from "./plan.ts";
import type { Base, RecordView } from "./record.ts";
import { isNewer } from "./record.ts";
import type { Phase } from "./state.ts";
import { isLive, TIMERS } from "./state.ts";
import type { Turn } from "./turn.ts";
import { arm, declare, disarm, headerOf, hear, nextRequest, ownClaim, update } from "./turn.ts";

type In<K extends Phase["kind"]> = Extract<Phase, { kind: K }>;

/** Nothing to heal, until the own group has been without a leader for the heal delay. */
export function becomeWatching(turn: Turn): void {
  disarm(turn, ...TIMERS);
  declare(turn, undefined);
  update(turn, { phase: { kind: "watching" }, check: undefined, shadowedBy: undefined });
  if (!isLive(turn.state)) arm(turn, "heal", turn.options.healDelayTicks);
}

/** A new attempt: earlier votes are void, claims are gathered again, and the head is read first. */
export function becomeReading(turn: Turn, attempt: number): void {
  assert(attempt > turn.state.attempt, "attempts only count up");
  disarm(turn, ...TIMERS);
  const request = nextRequest(turn);
  update(turn, { attempt, phase: { kind: "reading", request }, check: undefined });
  arm(turn, "retry", turn.options.retryTicks);
  turn.effects.push(
    { kind: "report", event: { kind: "attempt", attempt } },
    { kind: "read-head", request, relativeTo: turn.state.known?.hash },
  );
}

/** The attempt has a base: the own claim is counted first. */
export function becomeGathering(turn: Turn, base: Base): In<"gathering"> {
  const own = hear(turn, headerOf(turn, base.record), ownClaim(turn, base.record));
  const named = base.record.names.includes(turn.options.name);
  const phase: In<"gathering"> = {
    kind: "gathering",
    base,
    own,
    heard: named ? [own] : [],
    votes: [],
    due: false,
  };
  if (turn.options.failoverTicks > 0) arm(turn, "failover", turn.options.failoverTicks);
  update(turn, { phase });
  return phase;
}

/** Decided: the Raft node halts before anybody learns of it. */
export function becomeHalting(
  turn: Turn,
  from: In<"gathering">,
  candidate: Heard,
  path: Path,
): void {
  const { base, own, heard, votes } = from;
  update(turn, { phase: { kind: "halting", base, own, heard, votes, candidate, path } });
  turn.effects.push({ kind: "halt" });
}

/** The Raft node is halted, so the vote stands; from now on the attempt's time runs. */
export function becomeVoted(turn: Turn, from: In<"halting">): In<"voted"> {
  assert(turn.state.finalized !== undefined, "an instance that votes is final for its old group");
  const phase: In<"voted"> = { ...from, kind: "voted" };
  update(turn, { phase });
  disarm(turn, "failover");
  arm(turn, "attempt", turn.options.attemptTicks);
  declare(turn, undefined);
  return phase;
}

/** Chosen: the one swap. */
export function becomeOpening(turn: Turn, plan: OpenPlan, rebases: number): void {
  disarm(turn, "failover", "attempt");
  const request = nextRequest(turn);
  update(turn, { phase: { kind: "opening", plan, request, rebases }, check: undefined });
  const { record, token, reasserted } = plan.base;
  if (reasserted) {
    const event = { kind: "rollback", base: record.hash, found: token } as const;
    turn.effects.push({ kind: "report", event });
  }
  turn.effects.push({ kind: "swap", request, plan });
}

/** Somebody opened `target`, or its group lives: become a member, for as long as an attempt lasts. */
export function becomeJoining(turn: Turn, target: RecordView): void {
  enterJoining(turn, target, false);
  const { finalized, local } = turn.state;
  // An instance belongs to one group only, once and for ever.
  const isForeign = local.group !== undefined && local.group.id !== target.group;
  const renew = finalized !== undefined || isForeign;
  turn.effects.push({ kind: "recover", record: target, renew });
}

/** The own swap is committed. */
export function becomeOpener(turn: Turn, record: RecordView): void {
  enterJoining(turn, record, true);
  turn.effects.push({ kind: "open", record });
}

function enterJoining(turn: Turn, target: RecordView, opener: boolean): void {
  disarm(turn, ...TIMERS);
  declare(turn, undefined);
  const known = isNewer(target, turn.state.known) ? target : turn.state.known;
  update(turn, {
    known,
    check: undefined,
    shadowedBy: undefined,
    phase: { kind: "joining", target, opener },
  });
  arm(turn, "attempt", turn.options.attemptTicks);
}

/** A higher epoch: join it, or end if another process took this name over. */
export function follow(turn: Turn, record: RecordView): void {
  const { opener } = record;
  if (opener.name !== turn.options.name || opener.instance === turn.state.local.instance) {
    becomeJoining(turn, record);
    return;
  }
  disarm(turn, ...TIMERS);
  update(turn, { known: record, phase: { kind: "ended", by: opener }, check: undefined });
  const error = new QuorateError(
    "conflict",
    `another process took over as ${opener.name} in epoch ${record.epoch}`,
    {
      hint: "run one process under each coordinator name, and stop this one",
      details: { name: opener.name, instance: opener.instance, epoch: String(record.epoch) },
    },
  );
  turn.effects.push({ kind: "end", error });
}
