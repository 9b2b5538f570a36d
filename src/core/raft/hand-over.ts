/** Giving leadership away: transfer (thesis section 3.10) and the announced step-down. */
import { assert } from "../assert.ts";
import { isVoter } from "./configuration.ts";
import type { Progress } from "./progress.ts";
import { receivers, sendAppend } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import type { Leader, RaftState } from "./state.ts";
import type { NodeId } from "./types.ts";

/** Hands over to `target` as soon as it has the whole log; no proposal is accepted meanwhile. False if it can't be. */
export function transferTo(state: RaftState, leader: Leader, target: NodeId): boolean {
  const progress = leader.progress.get(target);
  if (target === state.id || progress === undefined || !isVoter(state.configuration, target)) {
    return false;
  }
  if (leader.transferee === target) return true;
  leader.transferee = target;
  leader.transferEndsAtTick = state.ticks + state.settings.electionTimeoutTicks;
  if (!completeTransfer(state, leader)) sendAppend(state, target, progress);
  return true;
}

/** Tells the successor to campaign if it has everything; true if it was told. A leader that must go goes at once. */
export function completeTransfer(state: RaftState, leader: Leader): boolean {
  const target = leader.transferee;
  if (target === undefined || leader.progress.get(target)?.match !== state.log.lastIndex) {
    return false;
  }
  tellToCampaign(state, target);
  if (mustGo(state)) stepDown(state, leader);
  return true;
}

/** Ends an unfinished hand-over when its time is up; a leader that must go goes without it. */
export function expireTransfer(state: RaftState, leader: Leader): void {
  if (leader.transferee === undefined || state.ticks < leader.transferEndsAtTick) return;
  leader.transferee = undefined;
  if (mustGo(state)) stepDown(state, leader);
}

/**
 * A leader that must go, because it shuts down or is no voter any more: it brings its best successor up to date, lets it
 * campaign and steps down, after an election timeout at the latest. The successor learns so that the removal is
 * committed; else it might need the vote of the very node that is gone.
 */
export function resign(state: RaftState, leader: Leader): void {
  leader.transferee = undefined;
  const successor = bestSuccessor(state, leader);
  if (successor === undefined) stepDown(state, leader);
  else transferTo(state, leader, successor);
}

/** True if a leader does not stay one after its hand-over, whether that succeeds or not. */
function mustGo(state: RaftState): boolean {
  return state.retiring || !isVoter(state.configuration, state.id);
}

/** Becomes a follower of nobody in the same term, and says so: nobody needs to wait for a timeout. */
export function stepDown(state: RaftState, leader: Leader): void {
  state.counters.announcedStepDowns++;
  for (const [to] of receivers(state, leader)) {
    state.outbox.send({
      type: "step-down",
      groupId: state.groupId,
      from: state.id,
      to,
      term: state.term,
    });
  }
  becomeFollower(state, state.term, undefined);
}

/**
 * The voter with the longest matching log, the lowest id on a tie. One that has been silent for an election timeout
 * is considered only if all are.
 */
function bestSuccessor(state: RaftState, leader: Leader): NodeId | undefined {
  const voters = [...leader.progress].filter(
    ([id]) => id !== state.id && state.configuration.voters.includes(id),
  );
  const since = state.ticks - state.settings.electionTimeoutTicks;
  const live = voters.filter(([, progress]) => progress.heardAtTick > since);
  let best: [NodeId, Progress] | undefined;
  for (const candidate of live.length > 0 ? live : voters) {
    if (best === undefined || candidate[1].match > best[1].match) best = candidate;
  }
  return best?.[0];
}

function tellToCampaign(state: RaftState, to: NodeId): void {
  assert(to !== state.id, "a leader hands over to another node");
  state.counters.handOvers++;
  state.outbox.send({
    type: "timeout-now",
    groupId: state.groupId,
    from: state.id,
    to,
    term: state.term,
  });
}
