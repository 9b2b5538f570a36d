/** One message: its term first (thesis section 3.3), then what the role makes of it. */
import { assertNever } from "../assert.ts";
import {
  campaign,
  handleVoteAnswer,
  handleVoteRequest,
  isSticky,
  learnCommit,
} from "./election.ts";
import {
  handleAppend,
  handleHeartbeat,
  handleSnapshot,
  malformed,
  STEPPED,
  type StepResult,
} from "./following.ts";
import { completeTransfer, transferTo } from "./hand-over.ts";
import { endDeparture } from "./membership.ts";
import { faultOf } from "./message-faults.ts";
import type {
  Append,
  AppendAccepted,
  Heartbeat,
  HeartbeatAnswer,
  InstallSnapshot,
  Message,
  PreVote,
  PreVoteAnswer,
  StepDown,
  TransferLeadership,
  Vote,
  VoteAnswer,
} from "./messages.ts";
import type { Progress } from "./progress.ts";
import { handlePropose, handleProposeAnswer } from "./proposing.ts";
import { confirmRounds, handleReadIndex, handleReadIndexAnswer } from "./reads.ts";
import { onAccepted, onRefused, progressOf, sendAppend } from "./replication.ts";
import { becomeFollower, forgetLeader } from "./roles.ts";
import type { Leader, RaftState } from "./state.ts";
import type { NodeId } from "./types.ts";

/**
 * Takes one message. An error (code `protocol`) says that no correct node sent it; then nothing has changed, except
 * that a higher term may have been taken over.
 */
export function step(state: RaftState, message: Message): StepResult {
  if (state.halted) return STEPPED;
  if (message.to !== state.id || message.from === state.id) {
    return malformed(`a message from ${message.from} to ${message.to} is not for ${state.id}`);
  }
  if (message.groupId !== state.groupId) return handleOtherGroup(state, message);
  const fault = faultOf(message);
  if (fault !== undefined) return malformed(`${fault} (from ${message.from})`);
  switch (message.type) {
    // Requests on behalf of clients change nobody's term.
    case "propose":
      return handlePropose(state, message);
    case "propose-answer":
      handleProposeAnswer(state, message);
      return STEPPED;
    case "read-index":
      handleReadIndex(state, message);
      return STEPPED;
    case "read-index-answer":
      handleReadIndexAnswer(state, message);
      return STEPPED;
    case "transfer-leadership":
      handleTransfer(state, message);
      return STEPPED;
    default:
      if (carriesCommit(message)) learnCommit(state, message);
      if (message.term < state.term) {
        answerOlderTerm(state, message);
        return STEPPED;
      }
      return meetTerm(state, message) ? stepInTerm(state, message) : STEPPED;
  }
}

/** A node of another group is told the head that this one knows, and an answer is passed on; neither loops. */
function handleOtherGroup(state: RaftState, message: Message): StepResult {
  const { from, groupId } = message;
  if (message.type === "other-group") {
    state.outbox.otherGroupSeen({ from, groupId, head: message.head });
    return STEPPED;
  }
  state.outbox.send({
    type: "other-group",
    groupId: state.groupId,
    from: state.id,
    to: from,
    term: 0,
    head: state.knownHead,
  });
  return STEPPED;
}

/** An old leader or pre-candidate learns the higher term, else a node that returns with it would stay stuck. */
function answerOlderTerm(state: RaftState, message: Message): void {
  if (message.type === "pre-vote") {
    state.outbox.sendAfterDurable({
      type: "pre-vote-answer",
      groupId: state.groupId,
      from: state.id,
      to: message.from,
      term: state.term,
      granted: false,
      commit: state.log.lastCommitted,
    });
  } else if (message.type === "append" || message.type === "heartbeat") {
    state.outbox.sendAfterDurable({
      type: "higher-term",
      groupId: state.groupId,
      from: state.id,
      to: message.from,
      term: state.term,
    });
  }
}

/** Takes a higher term over where the message calls for it. False if the message is to be ignored. */
function meetTerm(state: RaftState, message: Message): boolean {
  if (message.term === state.term) return true;
  switch (message.type) {
    case "pre-vote":
    case "vote": {
      const transfer = message.type === "vote" && message.transfer;
      if (!transfer && isSticky(state)) {
        state.counters.stickyRefusals++;
        return false;
      }
      // Being asked for a pre-vote changes nothing.
      if (message.type === "vote") becomeFollower(state, message.term, undefined);
      return true;
    }
    case "pre-vote-answer":
      // A grant repeats the term that was asked for, which nobody has entered.
      if (!message.granted) becomeFollower(state, message.term, undefined);
      return true;
    case "append":
    case "heartbeat":
    case "snapshot":
      becomeFollower(state, message.term, message.from);
      return true;
    default:
      becomeFollower(state, message.term, undefined);
      return true;
  }
}

/** A message of the present term, or a pre-vote's of a later one. */
function stepInTerm(state: RaftState, message: Message): StepResult {
  const { role } = state;
  if (role.kind === "leader") noteActivity(state, role, message.from);
  switch (message.type) {
    case "pre-vote":
    case "vote":
      handleVoteRequest(state, message);
      return STEPPED;
    case "pre-vote-answer":
    case "vote-answer":
      handleVoteAnswer(state, message);
      return STEPPED;
    case "append":
    case "heartbeat":
    case "snapshot":
      return stepFromLeader(state, message);
    case "append-accepted":
      return role.kind === "leader" ? handleAccepted(state, role, message) : STEPPED;
    case "append-refused":
      if (role.kind === "leader") onRefused(state, role, message);
      return STEPPED;
    case "heartbeat-answer":
      if (role.kind === "leader") handleHeartbeatAnswer(state, role, message);
      return STEPPED;
    case "timeout-now":
      if (role.kind === "follower") campaign(state, "hand-over");
      return STEPPED;
    case "step-down":
      handleStepDown(state, message);
      return STEPPED;
    case "higher-term":
    case "propose":
    case "propose-answer":
    case "read-index":
    case "read-index-answer":
    case "transfer-leadership":
    case "other-group":
      return STEPPED;
    default:
      return assertNever(message);
  }
}

/** The term has a leader: whoever campaigned gives up, and the timer starts over. */
function stepFromLeader(
  state: RaftState,
  message: Append | Heartbeat | InstallSnapshot,
): StepResult {
  const { from } = message;
  if (state.role.kind === "leader" || (state.leader !== undefined && state.leader !== from)) {
    return malformed(
      `${from} claims to lead term ${message.term}, as ${state.leader ?? state.id} does`,
    );
  }
  if (state.role.kind === "follower") state.leader = from;
  else becomeFollower(state, message.term, from);
  state.electionElapsed = 0;
  switch (message.type) {
    case "append":
      return handleAppend(state, message);
    case "heartbeat":
      return handleHeartbeat(state, message);
    case "snapshot":
      handleSnapshot(state, message);
      return STEPPED;
    default:
      return assertNever(message);
  }
}

/** Any answer, a refusal too, shows that its sender is there. */
export function noteActivity(state: RaftState, leader: Leader, from: NodeId): void {
  const progress = progressOf(leader, from);
  if (progress === undefined) return;
  progress.recentlyActive = true;
  progress.heardAtTick = state.ticks;
}

function handleAccepted(state: RaftState, leader: Leader, message: AppendAccepted): StepResult {
  if (message.index > state.log.lastIndex) {
    return malformed(`${message.from} acknowledges ${message.index}, which was never sent`);
  }
  onAccepted(state, leader, message.from, message.index);
  if (message.from === leader.transferee) completeTransfer(state, leader);
  return STEPPED;
}

/** One append per heartbeat to whoever lags: its refusal, if entries were lost, brings them from match + 1 on. */
function handleHeartbeatAnswer(state: RaftState, leader: Leader, message: HeartbeatAnswer): void {
  const { from, readRound } = message;
  const progress = progressOf(leader, from);
  if (progress === undefined) return;
  const notice = state.departures.get(from)?.noticeRound;
  if (notice !== undefined && readRound >= notice) {
    endDeparture(state, from);
    return;
  }
  progress.paused = false;
  retryLostSnapshot(state, progress);
  if (progress.match < state.log.lastIndex || progress.state === "probe") {
    sendAppend(state, from, progress);
  }
  if (readRound > progress.readRound) {
    progress.readRound = readRound;
    confirmRounds(state, leader);
  }
}

/** A snapshot that a living member does not acknowledge for an election timeout is taken for lost. */
function retryLostSnapshot(state: RaftState, progress: Progress): void {
  const since = state.ticks - progress.transferredAtTick;
  if (progress.state !== "snapshot" || since < state.settings.electionTimeoutTicks) return;
  progress.pendingSnapshot = 0;
  progress.becomeProbe();
}

function carriesCommit(message: Message): message is PreVote | Vote | PreVoteAnswer | VoteAnswer {
  switch (message.type) {
    case "pre-vote":
    case "vote":
    case "pre-vote-answer":
    case "vote-answer":
      return true;
    default:
      return false;
  }
}

/** The leader is gone: its followers need not wait the un-jittered part of the timeout. */
function handleStepDown(state: RaftState, message: StepDown): void {
  if (state.role.kind !== "follower" || state.leader !== message.from) return;
  forgetLeader(state);
  state.electionElapsed = Math.max(state.electionElapsed, state.settings.electionTimeoutTicks);
}

function handleTransfer(state: RaftState, message: TransferLeadership): void {
  const { role } = state;
  if (role.kind === "leader") transferTo(state, role, message.target);
}
