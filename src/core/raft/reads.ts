/** Linearizable reads without log entries (thesis section 6.4). No clock is trusted, so there are no leases. */
import type { ReadIndex, ReadIndexAnswer } from "./messages.ts";
import { committedIndex } from "./quorum/joint.ts";
import { allVoters } from "./configuration.ts";
import type { ConfirmedRead, WaitingRead } from "./read-rounds.ts";
import type { RequestOutcome } from "./ready.ts";
import { broadcastHeartbeat, hasCommittedInTerm } from "./replication.ts";
import type { Leader, RaftState } from "./state.ts";
import type { LogIndex } from "./types.ts";

/** A read of this node: the leader's own joins the next round, a follower's goes to its leader. */
export function requestRead(state: RaftState, context: number): RequestOutcome {
  const { role, leader } = state;
  if (state.halted) return { kind: "refused", reason: "halted", leader: undefined };
  if (role.kind === "leader") {
    if (addRead(state, role, { from: state.id, context })) return { kind: "pending" };
    return { kind: "refused", reason: "too-many-waiting", leader };
  }
  if (leader === undefined) return { kind: "refused", reason: "no-leader", leader };
  state.outbox.send({
    type: "read-index",
    groupId: state.groupId,
    from: state.id,
    to: leader,
    term: 0,
    context,
  });
  return { kind: "pending" };
}

/** A read that another node forwarded. A node that is no leader (any more) says that it can't tell. */
export function handleReadIndex(state: RaftState, { from, context }: ReadIndex): void {
  const { role } = state;
  const added = role.kind === "leader" && addRead(state, role, { from, context });
  if (!added) answer(state, { from, context }, undefined);
}

/** The leader's answer to a forwarded read. It stays true whoever leads by now. */
export function handleReadIndexAnswer(state: RaftState, message: ReadIndexAnswer): void {
  state.outbox.readDecided({ context: message.context, index: message.index });
}

/** True if reads wait for a round that can begin: the next Ready begins it, so that all reads until then share it. */
export function isRoundDue(state: RaftState): boolean {
  return state.role.kind === "leader" && state.role.reads.due && hasCommittedInTerm(state);
}

/** Begins a round of its own for the waiting reads. */
export function beginRound(state: RaftState, leader: Leader): void {
  startRound(state, leader);
  if (leader.reads.size > 0) broadcastHeartbeat(state, leader);
}

/** A heartbeat that goes out anyway covers the waiting reads. */
export function joinHeartbeat(state: RaftState, leader: Leader): void {
  if (leader.reads.anyWaiting && hasCommittedInTerm(state)) startRound(state, leader);
}

function startRound(state: RaftState, leader: Leader): void {
  leader.reads.begin(state.log.commit);
  state.counters.readRounds++;
  // A single voter is its own quorum.
  confirmRounds(state, leader);
}

/** Releases the reads of every round that a quorum has answered. */
export function confirmRounds(state: RaftState, leader: Leader): void {
  const { reads, progress } = leader;
  if (reads.confirmed === reads.round) return;
  const round = committedIndex(state.configuration, (id) =>
    id === state.id ? reads.round : progress.get(id)?.readRound,
  );
  for (const read of reads.confirm(Math.min(round, reads.round))) release(state, read);
}

/** True if this node alone is the group's quorum. */
function isAlone(state: RaftState): boolean {
  const voters = allVoters(state.configuration);
  return voters.length === 1 && voters[0] === state.id;
}

function addRead(state: RaftState, leader: Leader, read: WaitingRead): boolean {
  if (leader.reads.size >= state.settings.limits.waitingMax) return false;
  leader.reads.add(read);
  if (isAlone(state) && hasCommittedInTerm(state)) startRound(state, leader);
  return true;
}

function release(state: RaftState, read: ConfirmedRead): void {
  if (read.from === state.id) {
    state.outbox.readDecided({ context: read.context, index: read.index });
  } else {
    answer(state, read, read.index);
  }
}

function answer(
  state: RaftState,
  { from, context }: WaitingRead,
  index: LogIndex | undefined,
): void {
  state.outbox.send({
    type: "read-index-answer",
    groupId: state.groupId,
    from: state.id,
    to: from,
    term: 0,
    context,
    index,
  });
}
