/** Reads of the store's head: the one that every attempt begins with, and checks of what peers say about it. */
import { claimMessage, decide } from "./gathering.ts";
import { provesLiveGroup } from "./claim.ts";
import { becomeGathering, becomeJoining, becomeReading, follow } from "./phases.ts";
import type { HeadObservation } from "./record.ts";
import { chooseBase, isNewer } from "./record.ts";
import type { Phase, Waiting } from "./state.ts";
import type { Turn } from "./turn.ts";
import { broadcast, declare, nextRequest, update, updatePhase } from "./turn.ts";

type Reading = Extract<Phase, { kind: "reading" }>;

/** The head read of this attempt was answered. Only one that gives a base lets the attempt go on. */
export function onHead(turn: Turn, phase: Reading, observation: HeadObservation): void {
  const { known } = turn.state;
  const base = chooseBase(known, observation);
  if (base === undefined) {
    declare(turn, troubleOf(observation));
    updatePhase(turn, phase, { request: undefined });
    return;
  }
  const { record } = base;
  if (known !== undefined && record.epoch > known.epoch) {
    follow(turn, record);
    return;
  }
  update(turn, { known: record });
  if (turn.state.waiting !== undefined && STORE_TROUBLE.includes(turn.state.waiting)) {
    declare(turn, undefined);
  }
  const gathering = becomeGathering(turn, base);
  if (provesLiveGroup(gathering.own.claim, record)) {
    becomeJoining(turn, record);
    return;
  }
  broadcast(turn, record.names, claimMessage(turn, gathering));
  decide(turn, gathering);
}

/** Repeats a read that failed. */
export function retryRead(turn: Turn, phase: Reading): void {
  if (phase.request !== undefined) return;
  updatePhase(turn, phase, { request: readHead(turn) });
}

/** A peer speaks of an epoch that this process hasn't seen: ask the store, one question at a time (rule 6). */
export function check(turn: Turn): void {
  if (turn.state.check !== undefined) return;
  update(turn, { check: readHead(turn) });
}

/**
 * The answer to {@link check}. A higher epoch is followed; one that doesn't descend from what this process knows is a
 * FORK, in which it takes no further part until its own head read says otherwise; anything else leaves all as it was.
 */
export function onChecked(turn: Turn, observation: HeadObservation): void {
  update(turn, { check: undefined });
  if (observation.kind === "fork") {
    declare(turn, "fork");
    if (turn.state.phase.kind === "joining") turn.effects.push({ kind: "stop-recovering" });
    becomeReading(turn, turn.state.attempt + 1);
    return;
  }
  if (observation.kind !== "verified" || observation.relation !== "ahead") return;
  const { record } = observation;
  const { known } = turn.state;
  if (isNewer(record, known) && record.epoch > (known?.epoch ?? 0)) follow(turn, record);
}

const STORE_TROUBLE: readonly Waiting[] = ["store-unavailable", "store-damaged", "fork"];

function troubleOf(observation: HeadObservation): Waiting {
  if (observation.kind === "fork") return "fork";
  return observation.kind === "unavailable" ? "store-unavailable" : "store-damaged";
}

function readHead(turn: Turn): number {
  const request = nextRequest(turn);
  turn.effects.push({ kind: "read-head", request, relativeTo: turn.state.known?.hash });
  return request;
}
