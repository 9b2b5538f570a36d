/**
 * Proposals, own and forwarded: each ends as committed, not proposed or unknown.
 *
 * A refusal is final. A forwarded proposal names the term whose leader it is meant for, and only that leader, while it
 * leads that term, appends it: once, because it remembers what it answered. A copy about which it can't be sure any more
 * gets no answer and no entry; the proposer then ends it as unknown.
 */
import type { Placement } from "./answered-proposals.ts";
import { isMember, isVoter } from "./configuration.ts";
import { RAFT_REPLACE_SILENT_TIMEOUTS } from "../limits.ts";
import { payloadBytes, type EntryPayload } from "./entry.ts";
import { malformed, STEPPED, type StepResult } from "./following.ts";
import { refusalOf } from "./membership.ts";
import type { Propose, ProposeAnswer, RefusalReason } from "./messages.ts";
import { appendOwn } from "./own-entries.ts";
import type { RequestOutcome } from "./ready.ts";
import { broadcastAppend } from "./replication.ts";
import type { Leader, RaftState } from "./state.ts";
import type { NodeId } from "./types.ts";

/** A proposal of this node, under a number above those of all before. */
export function requestProposal(
  state: RaftState,
  id: number,
  payload: EntryPayload,
): RequestOutcome {
  const { role, leader } = state;
  const refused = (reason: RefusalReason): RequestOutcome => ({ kind: "refused", reason, leader });
  if (state.halted) return refused("halted");
  if (payloadBytes(payload) > state.settings.limits.proposalBytesMax) return refused("too-large");
  if (state.proposals.full) return refused("too-many-waiting");
  if (role.kind === "leader") {
    const place = appendProposal(state, role, payload);
    if (typeof place === "string") return refused(place);
    state.proposals.add(id, place, state.ticks);
    return { kind: "pending" };
  }
  if (state.retiring) return refused("retiring");
  if (state.removed) return refused("not-a-member");
  if (leader === undefined) return refused("no-leader");
  state.proposals.add(id, undefined, state.ticks);
  state.outbox.send({
    type: "propose",
    groupId: state.groupId,
    from: state.id,
    to: leader,
    term: state.term,
    id,
    payload,
  });
  return { kind: "pending" };
}

/** A proposal that another node forwarded, for the first time or again. An error says that no correct node sent it. */
export function handlePropose(state: RaftState, message: Propose): StepResult {
  const { answered, counters } = state;
  const { from, id, term } = message;
  if (term > answered.term) return malformed(`${from} proposes to ${state.id} in term ${term}`);
  const known = term === answered.term ? answered.recall(from, id) : "forgotten";
  if (known === "forgotten") {
    counters.proposalsIgnored++;
    return STEPPED;
  }
  if (known !== undefined) counters.proposalsRepeated++;
  answerProposal(state, message, known ?? decideProposal(state, message));
  return STEPPED;
}

/** Appends or refuses a forwarded proposal that is new in the term that this node leads, or led last. */
function decideProposal(state: RaftState, { from, id, payload }: Propose): Placement {
  const { role, answered, settings } = state;
  // That holds for every later copy too, for nobody leads a term again: no need to remember it.
  if (role.kind !== "leader") return "no-leader";
  const isTooLarge = payloadBytes(payload) > settings.limits.proposalBytesMax;
  const placement = isTooLarge ? "too-large" : appendProposal(state, role, payload);
  answered.remember(from, id, placement);
  return placement;
}

function answerProposal(state: RaftState, { from, id }: Propose, placement: Placement): void {
  const refused = typeof placement === "string";
  state.outbox.send({
    type: "propose-answer",
    groupId: state.groupId,
    from: state.id,
    to: from,
    term: 0,
    id,
    appended: refused ? undefined : placement,
    reason: refused ? placement : undefined,
  });
}

/** Where the leader put a forwarded proposal, or why nowhere. */
export function handleProposeAnswer(state: RaftState, message: ProposeAnswer): void {
  const { id, appended } = message;
  if (appended === undefined) {
    if (!state.proposals.drop(id)) return;
    const reason = message.reason ?? "no-leader";
    // Who refuses because it does not lead knows no better than this node whom to ask next.
    const leader = reason === "no-leader" ? undefined : message.from;
    state.outbox.proposalDecided({ id, outcome: "not-proposed", reason, leader });
    return;
  }
  state.proposals.placed(id, appended);
  const settled = state.log.pendingSnapshot?.index ?? state.log.applied;
  if (appended.index > settled) return;
  // Applied before the answer came: its term tells whether it was this entry, unless it was dropped already.
  const result = state.proposals.applied(appended.index, state.log.termAt(appended.index) ?? 0);
  if (result !== undefined) state.outbox.proposalDecided(result);
}

/** Gives up on forwarded proposals whose message or answer seems lost: whether they were proposed is unknown. */
export function expireForwarded(state: RaftState): void {
  const before = state.ticks - 2 * state.settings.electionTimeoutTicks;
  for (const result of state.proposals.abandonUnplacedBefore(before)) {
    state.outbox.proposalDecided(result);
  }
}

/**
 * Why `predecessor` must not be replaced by `successor` yet; undefined if it may (specification, "Membership"): the
 * successor has caught up, and the predecessor was silent for long.
 *
 * **Security:** a second process under a healthy member's name must not push it out.
 */
export function replacementRefusal(
  state: RaftState,
  leader: Leader,
  { predecessor, successor }: { predecessor: NodeId; successor: NodeId },
): RefusalReason | undefined {
  const known = leader.progress.get(predecessor);
  const next = leader.progress.get(successor);
  if (known === undefined || !isVoter(state.configuration, predecessor)) return "change-invalid";
  if (next === undefined || isVoter(state.configuration, successor)) return "change-invalid";
  if (predecessor === state.id) return "predecessor-heard";
  const needed = RAFT_REPLACE_SILENT_TIMEOUTS * state.settings.electionTimeoutTicks;
  if (state.ticks - known.heardAtTick < needed) return "predecessor-heard";
  const caughtUp = next.state === "replicate" && next.match >= state.log.commit;
  return caughtUp ? undefined : "successor-not-ready";
}

function appendProposal(state: RaftState, leader: Leader, payload: EntryPayload): Placement {
  if (state.retiring) return "retiring";
  if (leader.transferee !== undefined) return "transferring";
  if (!isMember(state.configuration, state.id)) return "not-a-member";
  if (payload.kind === "config-change") {
    const refusal = refusalOf(state, leader, payload.change);
    if (refusal !== undefined) return refusal;
  }
  const place = appendOwn(state, leader, payload);
  if (place === undefined) return "too-much-uncommitted";
  if (payload.kind === "config-change") leader.pendingChangeIndex = place.index;
  broadcastAppend(state, leader);
  return place;
}
