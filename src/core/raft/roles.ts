/** The only functions that change a node's role or term. */
import { assert } from "../assert.ts";
import { AnsweredProposals } from "./answered-proposals.ts";
import { allMembers } from "./configuration.ts";
import { NO_DATA } from "./entry.ts";
import { Inflights } from "./inflights.ts";
import { appendOwn } from "./own-entries.ts";
import { Progress } from "./progress.ts";
import { ReadRounds } from "./read-rounds.ts";
import { drawElectionTimeout, type Leader, type RaftState } from "./state.ts";
import type { NodeId, Term } from "./types.ts";

/** Follows `leader` (undefined: nobody known) in `term`, which may be the present one: then the vote stays. */
export function becomeFollower(state: RaftState, term: Term, leader: NodeId | undefined): void {
  assert(term >= state.term, "a term never decreases");
  if (term !== state.term || leader !== state.leader) abandonRequests(state);
  enterTerm(state, term);
  state.leader = leader;
  state.role = { kind: "follower" };
  restartTimers(state);
}

/** Asks for pre-votes: neither term nor vote changes, and nobody's timer is disturbed. */
export function becomePreCandidate(state: RaftState): void {
  assert(state.role.kind !== "leader", "a leader does not campaign");
  abandonRequests(state);
  state.leader = undefined;
  state.role = { kind: "pre-candidate", votes: new Map() };
  restartTimers(state);
}

/** Asks for votes in the next term, its own is given. */
export function becomeCandidate(state: RaftState): void {
  assert(state.role.kind !== "leader", "a leader does not campaign");
  abandonRequests(state);
  enterTerm(state, state.term + 1);
  state.vote = state.id;
  state.leader = undefined;
  state.role = { kind: "candidate", votes: new Map() };
  restartTimers(state);
}

/** Leads the present term, beginning with an empty entry of its own. */
export function becomeLeader(state: RaftState): void {
  assert(state.role.kind === "candidate", "only a candidate becomes leader");
  const last = state.log.lastIndex;
  const leader: Leader = {
    kind: "leader",
    progress: new Map(),
    departing: new Map(),
    pendingChangeIndex: last,
    uncommittedBytes: 0,
    transferee: undefined,
    transferEndsAtTick: 0,
    reads: new ReadRounds(),
  };
  for (const id of allMembers(state.configuration)) {
    leader.progress.set(id, newProgress(state, { next: last + 1, recentlyActive: false }));
  }
  const own = leader.progress.get(state.id);
  assert(own !== undefined, "a leader is a member");
  own.match = last;
  own.recentlyActive = true;
  own.becomeReplicate();
  for (const id of state.departures.keys()) {
    leader.departing.set(id, newProgress(state, { next: last + 1, recentlyActive: true }));
  }
  state.answered = new AnsweredProposals(state.term, state.settings.limits.answersKeptMax);
  state.answered.setForwarders(allMembers(state.configuration));
  state.leader = state.id;
  state.role = leader;
  restartTimers(state);
  state.counters.electionsWon++;
  appendOwn(state, leader, { kind: "normal", data: NO_DATA });
}

/** What a leader starts with about a member: nothing but a guess where its log may match. */
export function newProgress(
  state: RaftState,
  { next, recentlyActive }: { next: number; recentlyActive: boolean },
): Progress {
  const { inflightMessagesMax, inflightBytesMax } = state.settings.limits;
  return new Progress({
    match: 0,
    next: Math.max(next, 1),
    recentlyActive,
    heardAtTick: state.ticks,
    inflights: new Inflights(inflightMessagesMax, inflightBytesMax),
  });
}

/** The leader is gone (it said so, or the host did): nobody is followed, term, vote and timer stay. */
export function forgetLeader(state: RaftState): void {
  if (state.role.kind !== "follower" || state.leader === undefined) return;
  abandonRequests(state);
  state.leader = undefined;
}

/** **Security:** a vote is forgotten only with its term; else one node could elect two leaders of one term. */
function enterTerm(state: RaftState, term: Term): void {
  if (term === state.term) return;
  state.term = term;
  state.vote = undefined;
}

function restartTimers(state: RaftState): void {
  state.electionElapsed = 0;
  state.heartbeatElapsed = 0;
  state.campaignWhenApplied = false;
  state.randomizedElectionTimeout = drawElectionTimeout(
    state.prng,
    state.settings.electionTimeoutTicks,
  );
}

/** With the leadership known so far, what was asked of it can't be followed any more: unknown, ask again. */
function abandonRequests(state: RaftState): void {
  for (const result of state.proposals.abandonAll()) state.outbox.proposalDecided(result);
  if (state.role.kind !== "leader") return;
  for (const { from, context } of state.role.reads.abandonAll()) {
    if (from === state.id) {
      state.outbox.readDecided({ context, index: undefined });
    } else {
      state.outbox.send({
        type: "read-index-answer",
        groupId: state.groupId,
        from: state.id,
        to: from,
        term: 0,
        context,
        index: undefined,
      });
    }
  }
}
