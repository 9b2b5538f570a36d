/** Elections: pre-votes, votes, and whom to grant them (thesis sections 3.4, 3.6.1, 9.6). */
import { allVoters, isVoter } from "./configuration.ts";
import type { PreVote, PreVoteAnswer, Vote, VoteAnswer } from "./messages.ts";
import { voteResult } from "./quorum/joint.ts";
import { broadcastAppend } from "./replication.ts";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.ts";
import type { RaftState } from "./state.ts";
import type { EntryId, NodeId } from "./types.ts";

/** Why a campaign begins: in the usual way, or because the leader handed over. */
export type CampaignCause = "timeout" | "hand-over";

/** Campaigns, with pre-votes first unless handed over to; does nothing if this node must not lead. */
export function campaign(state: RaftState, cause: CampaignCause): void {
  if (state.role.kind === "leader" || !isElectable(state)) return;
  if (hasUnappliedChange(state)) {
    if (cause === "hand-over") state.campaignWhenApplied = true;
    return;
  }
  if (cause === "timeout" && state.settings.preVote) preElection(state);
  else election(state, cause);
}

/** Learners, nodes outside the configuration and those that wait for a snapshot can't lead. */
export function isElectable(state: RaftState): boolean {
  return (
    !state.retiring &&
    isVoter(state.configuration, state.id) &&
    state.log.pendingSnapshot === undefined
  );
}

/** True if a configuration change is committed and not applied: the quorum to ask is not known yet. */
function hasUnappliedChange(state: RaftState): boolean {
  return (
    state.log.hasUnapplied &&
    state.log.committedUnapplied().some((entry) => entry.kind === "config-change")
  );
}

function preElection(state: RaftState): void {
  state.counters.preCampaigns++;
  becomePreCandidate(state);
  askVoters(state, (to, last) => {
    state.outbox.send({
      type: "pre-vote",
      groupId: state.groupId,
      from: state.id,
      to,
      term: state.term + 1,
      last,
      commit: state.log.lastCommitted,
    });
  });
  state.outbox.answerSelf({ kind: "pre-voted", term: state.term });
}

function election(state: RaftState, cause: CampaignCause): void {
  state.counters.campaigns++;
  becomeCandidate(state);
  askVoters(state, (to, last) => {
    state.outbox.send({
      type: "vote",
      groupId: state.groupId,
      from: state.id,
      to,
      term: state.term,
      last,
      commit: state.log.lastCommitted,
      transfer: cause === "hand-over",
    });
  });
  state.outbox.answerSelf({ kind: "voted", term: state.term });
}

function askVoters(state: RaftState, ask: (to: NodeId, last: EntryId) => void): void {
  const last = { term: state.log.lastTerm, index: state.log.lastIndex };
  for (const id of allVoters(state.configuration)) if (id !== state.id) ask(id, last);
}

/**
 * True if a request of a later term is to be ignored: a leader is known and was heard within the un-jittered election
 * timeout (thesis section 4.2.3).
 */
export function isSticky(state: RaftState): boolean {
  return (
    state.settings.checkQuorum &&
    state.leader !== undefined &&
    state.electionElapsed < state.settings.electionTimeoutTicks
  );
}

/** Answers a request whose term is not below the own one. Only a real vote is recorded and resets the timer. */
export function handleVoteRequest(state: RaftState, message: PreVote | Vote): void {
  const free =
    state.vote === message.from || (state.vote === undefined && state.leader === undefined);
  // A pre-vote for a later term is not bound by the vote of this one.
  const later = message.type === "pre-vote" && message.term > state.term;
  const granted = (free || later) && state.log.isUpToDate(message.last);
  if (granted && message.type === "vote") {
    state.vote = message.from;
    state.electionElapsed = 0;
  }
  state.outbox.sendAfterDurable({
    type: message.type === "vote" ? "vote-answer" : "pre-vote-answer",
    groupId: state.groupId,
    from: state.id,
    to: message.from,
    // A grant repeats the asked term, a refusal tells the own one.
    term: granted ? message.term : state.term,
    granted,
    commit: state.log.lastCommitted,
  });
}

/**
 * Campaigns and refusals tell what is committed, which is true whoever says it and in whichever term. Both sides may need
 * to know, or nobody is elected for ever: the voters that a candidate asks can be those of a configuration that was
 * replaced meanwhile; and whoever refuses, because its log is longer, may not know yet that it is a voter itself.
 */
export function learnCommit(
  state: RaftState,
  message: PreVote | Vote | PreVoteAnswer | VoteAnswer,
): void {
  const isGrant = "granted" in message && message.granted;
  if (isGrant || state.role.kind === "leader") return;
  if (state.log.holds(message.commit)) state.log.commitTo(message.commit.index);
}

/** An answer to the own campaign. Others, late ones for instance, say nothing. */
export function handleVoteAnswer(state: RaftState, message: PreVoteAnswer | VoteAnswer): void {
  if (message.type === "vote-answer") {
    if (state.role.kind === "candidate") countVote(state, message.from, message.granted);
  } else if (state.role.kind === "pre-candidate") {
    const current = !message.granted || message.term === state.term + 1;
    if (current) countVote(state, message.from, message.granted);
  }
}

/** Counts one answer to the campaign under way, one's own included; the first of each voter counts. */
export function countVote(state: RaftState, from: NodeId, granted: boolean): void {
  const { role } = state;
  if (role.kind !== "candidate" && role.kind !== "pre-candidate") return;
  if (!role.votes.has(from)) role.votes.set(from, granted);
  const result = voteResult(state.configuration, (id) => role.votes.get(id));
  if (result === "pending") return;
  if (result === "lost") {
    state.counters.electionsLost++;
    becomeFollower(state, state.term, undefined);
  } else if (role.kind === "pre-candidate") {
    election(state, "timeout");
  } else {
    becomeLeader(state);
    if (state.role.kind === "leader") broadcastAppend(state, state.role);
  }
}
