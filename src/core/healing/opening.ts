/** The chosen one's part: one compare-and-swap to the record that opens the next epoch. */
import { majorityOf } from "./fencing.ts";
import { isSelectable } from "./claim.ts";
import { HEALING_REBASES_MAX } from "../limits.ts";
import type { SwapOutcome } from "./input.ts";
import { becomeOpener, becomeOpening, becomeReading, follow } from "./phases.ts";
import { planOn } from "./plan.ts";
import type { Base, HeadObservation } from "./record.ts";
import { chooseBase } from "./record.ts";
import type { Phase } from "./state.ts";
import type { Turn } from "./turn.ts";
import {
  broadcast,
  declare,
  headerOf,
  nextRequest,
  ownClaim,
  update,
  updatePhase,
} from "./turn.ts";

type Opening = Extract<Phase, { kind: "opening" }>;
type Voted = Extract<Phase, { kind: "voted" }>;

/** Opens once a majority of the names has voted for the own claim. */
export function openIfChosen(turn: Turn, phase: Voted): void {
  const { base, own, votes, candidate } = phase;
  if (votes.length < majorityOf(base.record.names.length)) return;
  // Only one that heard all and chose itself knows that its claim is the greatest.
  const path = candidate.digest === own.digest ? phase.path : "failover";
  const plan = planOn(base, votes, path, nextMeshCaKey(turn));
  if (plan !== undefined) becomeOpening(turn, plan, 0);
}

/** The driver's answer to the swap. */
export function onSwapped(turn: Turn, phase: Opening, outcome: SwapOutcome): void {
  switch (outcome.kind) {
    case "committed": {
      const { record } = outcome;
      becomeOpener(turn, record);
      broadcast(turn, record.names, { kind: "opened", header: headerOf(turn, record) });
      return;
    }
    case "unknown":
      updatePhase(turn, phase, { request: undefined });
      return;
    case "conflict":
      onConflict(turn, phase, outcome.observation);
      return;
  }
}

/** Repeats the identical swap after an unknown outcome: only a definite answer ends it. */
export function retrySwap(turn: Turn, phase: Opening): void {
  if (phase.request !== undefined) return;
  const request = nextRequest(turn);
  updatePhase(turn, phase, { request });
  turn.effects.push({ kind: "swap", request, plan: phase.plan });
}

function onConflict(turn: Turn, phase: Opening, observation: HeadObservation): void {
  const { plan } = phase;
  if (observation.kind === "unavailable") {
    updatePhase(turn, phase, { request: undefined });
    return;
  }
  if (observation.kind === "fork") declare(turn, "fork");
  const base = chooseBase(plan.base.record, observation);
  if (base !== undefined && base.record.epoch > plan.base.record.epoch) {
    follow(turn, base.record);
  } else if (base === undefined || !rebase(turn, phase, base)) {
    becomeReading(turn, turn.state.attempt + 1);
  }
}

/** Swaps again under the same votes, on a head that moved within the epoch or that the store has lost. */
function rebase(turn: Turn, { plan, rebases }: Opening, base: Base): boolean {
  const { record } = base;
  if (rebases >= HEALING_REBASES_MAX || record.policy === "off") return false;
  if (!isSelectable(ownClaim(turn, record), record)) return false;
  const next = planOn(base, plan.votes, plan.path, nextMeshCaKey(turn));
  if (next === undefined) return false;
  update(turn, { known: record });
  becomeOpening(turn, next, rebases + 1);
  return true;
}

/** Every record gets a key of its own, so every plan does. */
function nextMeshCaKey(turn: Turn): number {
  const meshCaKey = turn.state.meshCaKeys + 1;
  update(turn, { meshCaKeys: meshCaKey });
  return meshCaKey;
}
