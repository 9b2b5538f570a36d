/** Claims come in, the decision falls, the vote goes out. */
import type { Heard } from "./claim.ts";
import { greatestSelectable, provesLiveGroup } from "./claim.ts";
import type { Remains } from "./fencing.ts";
import { majorityOf } from "./fencing.ts";
import type { Claim, Header, Message, Vote } from "./message.ts";
import { openIfChosen } from "./opening.ts";
import { becomeHalting, becomeJoining, becomeVoted } from "./phases.ts";
import type { Path } from "./plan.ts";
import type { Peer } from "./record.ts";
import type { Phase, Waiting } from "./state.ts";
import type { Turn } from "./turn.ts";
import {
  arm,
  broadcast,
  declare,
  headerOf,
  hear,
  reply,
  send,
  update,
  updatePhase,
} from "./turn.ts";

type Gathering = Extract<Phase, { kind: "gathering" }>;
type Voted = Extract<Phase, { kind: "voted" }>;

/** A claim of this attempt. The first instance of a name wins; a later one is answered with it. */
export function onClaim(
  turn: Turn,
  phase: Gathering | Voted,
  from: Peer,
  message: Message & { kind: "claim" },
): void {
  const { claim, header } = message;
  if (refuses(turn, phase, from) || phase.heard.some(({ claim: { name } }) => name === from.name)) {
    return;
  }
  if (phase.kind === "voted") return;
  const heard = insert(phase.heard, hear(turn, header, claim));
  const next = updatePhase(turn, phase, { heard });
  reply(turn, from, claimMessage(turn, next));
  decide(turn, next);
}

/** A vote of this attempt: counted if it is for the own claim, one a name. */
export function onVote(turn: Turn, phase: Gathering | Voted, from: Peer, vote: Vote): void {
  if (refuses(turn, phase, from)) return;
  if (vote.candidate !== phase.own.digest) return;
  const next = updatePhase(turn, phase, { votes: count(phase.votes, vote) });
  if (next.kind === "voted") openIfChosen(turn, next);
}

/**
 * A claim that proves a live group ends healing, whatever was done before (rule 2).
 *
 * @returns whether it did
 */
export function yieldToLiveGroup(turn: Turn, phase: Gathering | Voted, claim: Claim): boolean {
  const newest = phase.base.record;
  if (!provesLiveGroup(claim, newest)) return false;
  becomeJoining(turn, newest);
  return true;
}

/** Decides when every name was heard, or, once the failover timeout has passed, a majority of them (rule 3). */
export function decide(turn: Turn, phase: Gathering): void {
  const { record } = phase.base;
  const all = phase.heard.length === record.names.length;
  if (!all && !phase.due) {
    if (turn.options.failoverTicks === 0) declare(turn, "missing-peers");
    return;
  }
  const candidate = greatestSelectable(phase.heard, record);
  const obstacle = obstacleTo(turn, phase, candidate);
  if (candidate === undefined || obstacle !== undefined) {
    declare(turn, obstacle);
    // A peer may come back as a new instance, which only a new attempt can count.
    arm(turn, "attempt", turn.options.attemptTicks);
    return;
  }
  const path: Path = all ? "all-heard" : "failover";
  becomeHalting(turn, phase, candidate, path);
}

/** The Raft node has halted, or had halted for an earlier vote: now the vote may leave. */
export function onHalted(
  turn: Turn,
  phase: Extract<Phase, { kind: "halting" }>,
  remains: Remains,
): void {
  // A second halt in a later attempt finds nothing more than the first.
  const finalized = turn.state.finalized ?? remains;
  update(turn, { finalized });
  const voted = becomeVoted(turn, phase);
  const message = voteMessage(turn, voted);
  if (voted.candidate.digest === voted.own.digest) {
    const votes = count(voted.votes, message.vote);
    openIfChosen(turn, updatePhase(turn, voted, { votes }));
  } else {
    sendToCandidate(turn, voted, message);
  }
}

/** Repeats what others may have missed. */
export function repeat(turn: Turn, phase: Gathering | Voted): void {
  broadcast(turn, phase.base.record.names, claimMessage(turn, phase));
  if (phase.kind === "voted" && phase.candidate.digest !== phase.own.digest) {
    sendToCandidate(turn, phase, voteMessage(turn, phase));
  }
}

/** The own claim as a message of this attempt. */
export function claimMessage(turn: Turn, phase: Gathering | Voted): Message {
  return { kind: "claim", header: headerOf(turn, phase.base.record), claim: phase.own.claim };
}

function voteMessage(turn: Turn, phase: Voted): Message & { kind: "vote" } {
  const { finalized, local } = turn.state;
  const header: Header = headerOf(turn, phase.base.record);
  const voter = { name: turn.options.name, instance: local.instance };
  const remains = finalized ?? { group: undefined, configurations: [] };
  const vote: Vote = { ...voter, ...remains, candidate: phase.candidate.digest };
  return { kind: "vote", header, vote };
}

function sendToCandidate(turn: Turn, { candidate }: Voted, message: Message): void {
  const { name, instance } = candidate.claim;
  send(turn, { name, instance }, message);
}

/** Turns away a name that the manifest doesn't have, and a second instance of a name that was counted. */
function refuses(turn: Turn, phase: Gathering | Voted, from: Peer): boolean {
  const { record } = phase.base;
  const first =
    phase.heard.find(({ claim }) => claim.name === from.name)?.claim ??
    phase.votes.find(({ name }) => name === from.name);
  const isNamed = record.names.includes(from.name);
  if (isNamed && (first === undefined || first.instance === from.instance)) return false;
  const counted = isNamed ? first?.instance : undefined;
  reply(turn, from, { kind: "refused", header: headerOf(turn, record), counted });
  return true;
}

function obstacleTo(
  turn: Turn,
  { base, heard }: Gathering,
  candidate: Heard | undefined,
): Waiting | undefined {
  const { names, policy } = base.record;
  if (!names.includes(turn.options.name)) return "not-named";
  if (policy === "off") return "policy-off";
  if (heard.length < majorityOf(names.length)) return "missing-peers";
  return candidate === undefined ? "no-selectable-claim" : undefined;
}

function insert(heard: readonly Heard[], next: Heard): readonly Heard[] {
  return [...heard, next].sort((a, b) => (a.claim.name < b.claim.name ? -1 : 1));
}

function count(votes: readonly Vote[], vote: Vote): readonly Vote[] {
  if (votes.some(({ name }) => name === vote.name)) return votes;
  return [...votes, vote].sort((a, b) => (a.name < b.name ? -1 : 1));
}
