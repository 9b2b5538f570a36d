/** What is left out of a process's state, and which messages stand for others. The README says why that is sound. */
import type { Ticks } from "../../../src/core/brand.ts";
import type { HealingState, Timer } from "../../../src/core/healing/index.ts";
import type { StoredRecord } from "../../support/healing/ledger.ts";
import { hash, instance } from "../../support/healing/ledger.ts";
import type { Local, Sent } from "./local.ts";

/** The one lineage of an exploration. */
export const LINEAGE = hash("lineage");

/** The message that every process which knows of an opened epoch may send, whoever it is. */
export function announcement({ hash: base, epoch, generation }: StoredRecord): Sent {
  const header = { lineage: LINEAGE, base: { hash: base, epoch, generation }, attempt: 1 };
  const from = { name: "?", instance: instance("?") };
  return { from, to: undefined, message: { kind: "opened", header }, standing: false };
}

/**
 * The smallest attempt whose messages can still change something for this process. One whose name is taken over heeds
 * none; one that watches or joins begins with the attempt after its last.
 */
export function horizonOf({ state: { phase, attempt } }: Local): number {
  if (phase.kind === "ended") return Infinity;
  return phase.kind === "joining" || phase.kind === "watching" ? attempt + 1 : attempt;
}

/** Whether only things have changed that {@link withoutHidden} leaves out. */
export function isHidden(before: Local, after: Local): boolean {
  const { phase } = before.state;
  if (phase.kind !== "gathering" && phase.kind !== "voted") return false;
  return JSON.stringify(withoutHidden(before)) === JSON.stringify(withoutHidden(after));
}

/**
 * A gathering process before it heard anything, a voter before it counted votes of others: what it has taken in shows
 * only with the step that it leads to, and can be taken in again just before that.
 */
export function withoutHidden(local: Local): Local {
  const { state } = local;
  const { phase } = state;
  if (phase.kind !== "gathering" && phase.kind !== "voted") return local;
  const own = state.local.instance;
  const heard = phase.heard.filter(({ claim }) => claim.instance === own);
  const votes = phase.votes.filter((vote) => vote.instance === own);
  if (phase.kind === "voted") {
    return { ...local, state: { ...state, phase: { ...phase, heard, votes } } };
  }
  const deadlines = {
    ...state.deadlines,
    failover: phase.due ? (0 as Ticks) : state.deadlines.failover,
    attempt: undefined,
  };
  return {
    ...local,
    sawLiveIn: 0,
    state: {
      ...state,
      waiting: undefined,
      deadlines,
      phase: { ...phase, heard, votes, due: false },
    },
  };
}

/** A standing answer as it was given in one attempt. */
export function inAttempt(sent: Sent, attempt: number): Sent {
  if (!sent.standing) return sent;
  const header = { ...sent.message.header, attempt: Math.max(attempt, 1) };
  return { ...sent, message: { ...sent.message, header }, standing: false };
}

/**
 * Without what has no bearing on the future: request numbers (an answer to an earlier request is dropped by the
 * explorer when a new one goes out), the time, and the dates of timers, which here fire at any time while armed.
 */
export function canonical(state: HealingState): HealingState {
  const { phase, deadlines } = state;
  const hasRequest =
    (phase.kind === "reading" || phase.kind === "opening") && phase.request !== undefined;
  const armed = (timer: Timer) => (deadlines[timer] === undefined ? undefined : (0 as Ticks));
  return {
    ...state,
    phase: hasRequest ? { ...phase, request: 1 } : phase,
    check: state.check === undefined ? undefined : 1,
    requests: 1,
    now: 0 as Ticks,
    deadlines: { heal: armed("heal"), failover: armed("failover"), attempt: armed("attempt") },
  };
}
