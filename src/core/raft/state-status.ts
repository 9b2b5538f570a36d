/** A node's state as plain data. */
import type { RaftState } from "./state.ts";
import type { ProgressStatus, RaftStatus } from "./status.ts";

/** A copy of everything worth showing. */
export function describeState(state: RaftState): RaftStatus {
  const { log, role } = state;
  const leader = role.kind === "leader" ? role : undefined;
  return {
    id: state.id,
    groupId: state.groupId,
    role: role.kind,
    halted: state.halted,
    retiring: state.retiring,
    removed: state.removed,
    term: state.term,
    vote: state.vote,
    leader: state.leader,
    commit: log.commit,
    applied: log.applied,
    stable: log.stable,
    firstIndex: log.firstIndex,
    last: { term: log.lastTerm, index: log.lastIndex },
    configuration: state.configuration,
    configurationIndex: state.configurationIndex,
    minimumMatch: state.minimumMatch,
    electionElapsedTicks: state.electionElapsed,
    randomizedElectionTimeoutTicks: state.randomizedElectionTimeout,
    progress: describeProgress(state),
    departing: [...state.departures.keys()],
    transferee: leader?.transferee,
    readRound: leader?.reads.round ?? 0,
    readRoundConfirmed: leader?.reads.confirmed ?? 0,
    uncommittedBytes: leader?.uncommittedBytes ?? 0,
    counters: { ...state.counters },
  };
}

function describeProgress(state: RaftState): ProgressStatus[] {
  if (state.role.kind !== "leader") return [];
  return [...state.role.progress].map(([id, progress]) => ({
    id,
    learner: state.configuration.learners.includes(id),
    state: progress.state,
    match: progress.match,
    next: progress.next,
    paused: progress.blocked,
    pendingSnapshot: progress.pendingSnapshot,
    recentlyActive: progress.recentlyActive,
    silentTicks: id === state.id ? 0 : state.ticks - progress.heardAtTick,
    inflight: progress.inflights.count,
    inflightFull: progress.inflights.full,
  }));
}
