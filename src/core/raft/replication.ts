/** The leader's side of replication: appends, snapshots, heartbeats, commits (thesis sections 3.5, 3.6, 5.3). */
import { assert } from "../assert.ts";
import { entryBytes } from "./entry.ts";
import type { AppendRefused } from "./messages.ts";
import type { Progress } from "./progress.ts";
import { committedIndex } from "./quorum/joint.ts";
import { EVERYTHING } from "./quorum/majority.ts";
import type { Leader, RaftState } from "./state.ts";
import type { LogIndex, NodeId } from "./types.ts";

/** A leader's view of a member, or of a removed member that is still told so. */
export function progressOf(leader: Leader, id: NodeId): Progress | undefined {
  return leader.progress.get(id) ?? leader.departing.get(id);
}

/** Every receiver of appends and heartbeats, in id order, removed members last. */
export function* receivers(state: RaftState, leader: Leader): Generator<[NodeId, Progress]> {
  for (const entry of leader.progress) if (entry[0] !== state.id) yield entry;
  yield* leader.departing;
}

/** Sends everybody what comes next for them, or at least the commit index. */
export function broadcastAppend(state: RaftState, leader: Leader): void {
  for (const [id, progress] of receivers(state, leader)) sendAppend(state, id, progress);
}

/** Sends what comes next, even if that is no entry; nothing if it has to wait. */
export function sendAppend(state: RaftState, to: NodeId, progress: Progress): void {
  trySend(state, to, progress, "always");
}

/** Sends entries as long as there are any and the window admits them. */
export function sendEntries(state: RaftState, to: NodeId, progress: Progress): void {
  while (trySend(state, to, progress, "if-entries"));
}

function trySend(
  state: RaftState,
  to: NodeId,
  progress: Progress,
  when: "always" | "if-entries",
): boolean {
  if (progress.blocked) return false;
  const { log } = state;
  const previousIndex = progress.next - 1;
  const previousTerm = log.termAt(previousIndex);
  if (previousTerm === undefined) return sendSnapshot(state, to, progress);
  // Behind a full window an empty append still goes: its refusal shows that the window was lost.
  const windowFull = progress.state === "replicate" && progress.inflights.full;
  const entries = windowFull
    ? []
    : log.entriesFrom(
        progress.next,
        state.settings.limits.appendBytesMax,
        entriesDue(state, to, progress),
      );
  if (entries.length === 0 && when === "if-entries") return false;
  state.outbox.send({
    type: "append",
    groupId: state.groupId,
    from: state.id,
    to,
    term: state.term,
    previous: { term: previousTerm, index: previousIndex },
    entries,
    commit: log.commit,
    minimumMatch: state.minimumMatch,
  });
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  progress.sent(entries.length, bytes, log.commit);
  return true;
}

/** A removed member is sent the log up to its removal: what comes after is none of its business. */
function entriesDue(state: RaftState, to: NodeId, progress: Progress): number {
  const departure = state.departures.get(to);
  if (departure === undefined) return Number.MAX_SAFE_INTEGER;
  return Math.max(0, departure.index - progress.next + 1);
}

function sendSnapshot(state: RaftState, to: NodeId, progress: Progress): boolean {
  // Nobody takes a snapshot for a member that does not answer.
  if (!progress.recentlyActive) return false;
  const index = state.log.applied;
  const term = state.log.termAt(index);
  assert(term !== undefined, "the last applied position is known");
  progress.becomeSnapshot(index);
  progress.transferredAtTick = state.ticks;
  state.counters.snapshotsSent++;
  state.outbox.send({
    type: "snapshot",
    groupId: state.groupId,
    from: state.id,
    to,
    term: state.term,
    snapshot: {
      index,
      term,
      configuration: state.configuration,
      data: state.settings.snapshotData(),
    },
  });
  return true;
}

/** Sends heartbeats; waiting reads join their round. */
export function broadcastHeartbeat(state: RaftState, leader: Leader): void {
  for (const [id, progress] of receivers(state, leader)) {
    // No more than it is known to hold: it could not commit the rest.
    const commit = Math.min(progress.match, state.log.commit);
    noteDeparture(state, leader, id, commit);
    progress.sentCommit(commit);
    state.outbox.send({
      type: "heartbeat",
      groupId: state.groupId,
      from: state.id,
      to: id,
      term: state.term,
      commit,
      readRound: leader.reads.round,
      minimumMatch: state.minimumMatch,
    });
  }
}

/** A removed member gets its removal's commit with a round of its own: the answer proves that it knows. */
function noteDeparture(state: RaftState, leader: Leader, id: NodeId, commit: LogIndex): void {
  const departure = state.departures.get(id);
  if (departure === undefined || commit < departure.index) return;
  departure.noticeRound ??= leader.reads.advanceRound();
}

/** A member acknowledged everything up to `index`. True if that moved the commit index. */
export function onAccepted(
  state: RaftState,
  leader: Leader,
  from: NodeId,
  index: LogIndex,
): boolean {
  const progress = progressOf(leader, from);
  if (progress === undefined) return false;
  const news = progress.acknowledge(index);
  if (!news && !(progress.state === "probe" && progress.match === index)) {
    state.counters.staleAnswersDropped++;
    return false;
  }
  if (progress.state === "probe") progress.becomeReplicate();
  else if (progress.state === "replicate") progress.inflights.acknowledge(index);
  else if (endsTransfer(state, progress)) progress.becomeReplicate();
  if (news) raiseMinimumMatch(state, leader);
  const committed = advanceCommit(state, leader);
  if (committed) broadcastAppend(state, leader);
  else if (from !== state.id && progress.wantsCommit(state.log.commit)) {
    sendAppend(state, from, progress);
  }
  if (from !== state.id) sendEntries(state, from, progress);
  return committed;
}

/** The snapshot's own position ends its transfer, and so does any that the log still continues from. */
function endsTransfer({ log }: RaftState, { match, pendingSnapshot }: Progress): boolean {
  return match >= pendingSnapshot || match + 1 >= log.firstIndex;
}

/** A member's log does not hold what an append built on: search on from its hint. */
export function onRefused(state: RaftState, leader: Leader, message: AppendRefused): void {
  const progress = progressOf(leader, message.from);
  if (progress === undefined) return;
  if (!progress.refuse(message.refused, nextMatchToTry(state, message))) {
    state.counters.staleAnswersDropped++;
    return;
  }
  if (progress.state === "replicate") progress.becomeProbe();
  sendAppend(state, message.from, progress);
}

/** The last own position that may match, one probe per term: never below what every voter is known to hold. */
function nextMatchToTry(state: RaftState, { hint }: AppendRefused): LogIndex {
  if (hint.term === 0) return hint.index;
  const found = state.log.lastNotAbove(hint.index, hint.term).index;
  // The floor is a hint itself: a member that says it holds less is believed.
  return hint.index >= state.minimumMatch ? Math.max(found, state.minimumMatch) : found;
}

/** Commits what a quorum holds. True if anything new was. */
export function advanceCommit(state: RaftState, leader: Leader): boolean {
  const index = committedIndex(state.configuration, (id) => leader.progress.get(id)?.match);
  if (index <= state.log.commit || index === EVERYTHING) return false;
  if (!isOwnTerm(state, index)) return false;
  state.log.commitTo(index);
  return true;
}

/**
 * **Security:** only entries of the own term are committed by counting (thesis section 3.6.2): an entry of an earlier
 * term may be on a majority and still be overwritten.
 */
function isOwnTerm(state: RaftState, index: LogIndex): boolean {
  return state.log.termAt(index) === state.term;
}

/** True once a leader has committed in its term: before that its commit index may be behind. */
export function hasCommittedInTerm(state: RaftState): boolean {
  return state.log.termAt(state.log.commit) === state.term;
}

function raiseMinimumMatch(state: RaftState, leader: Leader): void {
  let smallest = EVERYTHING;
  for (const [id, progress] of leader.progress) {
    if (state.configuration.learners.includes(id)) continue;
    smallest = Math.min(smallest, progress.match);
  }
  if (smallest !== EVERYTHING) state.minimumMatch = Math.max(state.minimumMatch, smallest);
}
