/** The passing of time: elections, heartbeats, the check of the quorum, and what expires. */
import { campaign, isElectable } from "./election.ts";
import { expireTransfer, stepDown } from "./hand-over.ts";
import { countDepartures, leaveJointIfDue } from "./membership.ts";
import { expireForwarded } from "./proposing.ts";
import { voteResult } from "./quorum/joint.ts";
import { joinHeartbeat } from "./reads.ts";
import { broadcastHeartbeat } from "./replication.ts";
import type { Leader, RaftState } from "./state.ts";

/** Counts one tick. */
export function tick(state: RaftState): void {
  state.ticks++;
  if (state.departures.size > 0) countDepartures(state);
  if (state.proposals.size > 0) expireForwarded(state);
  state.electionElapsed++;
  if (state.role.kind === "leader") tickLeader(state, state.role);
  else if (state.electionElapsed >= state.randomizedElectionTimeout && isElectable(state)) {
    state.electionElapsed = 0;
    campaign(state, "timeout");
  }
}

function tickLeader(state: RaftState, leader: Leader): void {
  state.heartbeatElapsed++;
  if (state.electionElapsed >= state.settings.electionTimeoutTicks) {
    state.electionElapsed = 0;
    if (state.settings.checkQuorum && !checkQuorum(state, leader)) {
      state.counters.checkQuorumStepDowns++;
      stepDown(state, leader);
      return;
    }
  }
  expireTransfer(state, leader);
  if (state.role !== leader) return;
  if (state.heartbeatElapsed >= state.settings.heartbeatTicks) {
    state.heartbeatElapsed = 0;
    leaveJointIfDue(state, leader);
    joinHeartbeat(state, leader);
    broadcastHeartbeat(state, leader);
  }
}

/** True if a quorum answered since the last check; a new period begins. Learners don't count. */
function checkQuorum(state: RaftState, leader: Leader): boolean {
  const active = voteResult(
    state.configuration,
    (id) => id === state.id || (leader.progress.get(id)?.recentlyActive ?? false),
  );
  for (const [id, progress] of leader.progress) {
    if (id !== state.id) progress.recentlyActive = false;
  }
  return active === "won";
}
