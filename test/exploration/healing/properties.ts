/**
 * What must hold, judged from outside: from the messages that left, the records in the store and the assignment. None
 * of it uses the core's own comparisons.
 */
import type { InstanceId, Sha256 } from "../../../src/core/brand.ts";
import type { Claim, Configuration, OpenPlan, Peer } from "../../../src/core/healing/index.ts";
import type { StoredRecord } from "../../support/healing/ledger.ts";
import type { Assignment } from "./assignment.ts";
import type { Local, Sent } from "./local.ts";

/** Properties of one process's step. */
export function checkPhase(before: Local, after: Local, sent: readonly Sent[]): string[] {
  const broken: string[] = [];
  const { vote, state } = after;
  const { phase } = state;
  const voted = vote?.attempt !== before.vote?.attempt || vote?.digest !== before.vote?.digest;
  if (voted && vote !== undefined) {
    if (before.vote?.attempt === vote.attempt) broken.push("two votes in one attempt");
    if (after.readIn !== vote.attempt) broken.push("a vote without a head read in its attempt");
    if (after.sawLiveIn === vote.attempt) broken.push("a vote with a live group in view");
    if (!hasHalted(after)) broken.push("a vote before the Raft node halted");
    if (phase.kind === "voted") {
      const { own, candidate, base } = phase;
      if (isSelectable(own.claim, base.record) && precedes(candidate.claim, own.claim)) {
        broken.push("a vote for less than the own claim");
      }
      if (!isSelectable(candidate.claim, base.record)) {
        broken.push("a vote for a claim that may not open");
      }
    }
  }
  for (const { message } of sent) {
    if (message.kind !== "vote") continue;
    if (!hasHalted(after)) broken.push("a vote left before the Raft node halted");
    if (message.vote.candidate !== vote?.digest) broken.push("a vote left that was not cast");
  }
  return broken;
}

function hasHalted({ halted, state }: Local): boolean {
  return halted.includes(state.local.instance);
}

/** What the judge of a plan may look at, at the moment when it is made. */
export interface Evidence {
  readonly plan: OpenPlan;
  readonly attempt: number;
  /** The opener's claim in this attempt. */
  readonly own: Claim;
  readonly parent: StoredRecord;
  /** Every message that can still be delivered to the opener. */
  readonly network: readonly Sent[];
}

/** Properties of the votes and claims by which somebody came to open. */
export function checkElection({ plan, attempt, own, parent, network }: Evidence): string[] {
  const broken: string[] = [];
  const voters = new Set(plan.votes.map(({ name }) => name));
  if (voters.size !== plan.votes.length) broken.push("one name voted twice");
  if ([...voters].some((name) => !parent.names.includes(name))) {
    broken.push("a vote of an unexpected name counted");
  }
  for (const vote of plan.votes) {
    if (vote.instance === own.instance) continue;
    const isReal = network.some(
      ({ message }) =>
        message.kind === "vote" &&
        message.header.attempt === attempt &&
        message.vote.instance === vote.instance &&
        message.vote.candidate === vote.candidate,
    );
    if (!isReal) broken.push("a vote that was not cast in this attempt");
  }
  if (plan.path !== "all-heard") return broken;
  const claims = network.flatMap(({ message }) =>
    message.kind === "claim" && (message.header.attempt === attempt || message.claim.live)
      ? [message.claim]
      : [],
  );
  for (const name of parent.names.filter((other) => other !== own.name)) {
    const theirs = claims.filter((claim) => claim.name === name);
    const isBeaten = (claim: Claim) => !isSelectable(claim, parent) || precedes(claim, own);
    if (!theirs.some(isBeaten)) broken.push("all heard, and not the greatest claim opens");
  }
  return broken;
}

/** What the judge of a record may look at, when the store accepts it. */
export interface Acceptance {
  readonly assignment: Assignment;
  readonly plan: OpenPlan;
  readonly opener: Peer;
  /** The record that it is built on, from the store. */
  readonly parent: StoredRecord;
  readonly halted: ReadonlySet<InstanceId>;
  /** The instances of each group that a heal opened, by the record that opened it. */
  readonly groups: ReadonlyMap<Sha256, readonly InstanceId[]>;
}

/** Properties of a record that the store accepts. */
export function checkRecord(acceptance: Acceptance): string[] {
  const { plan, opener, parent, assignment } = acceptance;
  const broken: string[] = [];
  if (plan.epoch !== parent.epoch + 1) broken.push("the epoch does not rise by one");
  const born = opener.instance.replace(/\++$/, "");
  const member = assignment.members.find(({ instance }) => instance === born);
  // A new instance has got its secrets by joining.
  const secrets = born === opener.instance ? member?.secrets : "memory";
  if (member === undefined || secrets === "none") {
    broken.push("an opener without secrets");
  } else if (secrets === "sealed" && parent.policy !== "sealed") {
    broken.push("an opener with a seal that the manifest does not permit");
  } else if (parent.generation >= member.ineligibleFrom) {
    broken.push("an opener that does not satisfy the manifest");
  }
  if (parent.policy === "off") broken.push("an opener although the manifest says off");
  const voters = new Set(plan.votes.map(({ name }) => name));
  const named = parent.names.filter((name) => voters.has(name));
  if (named.length * 2 <= parent.names.length) broken.push("an opener without a majority");
  if (plan.fenced && canAct(acceptance)) broken.push("fenced, and the old group can still act");
  return broken;
}

/** Whether the group under the record can still commit: some configuration keeps majorities that have not halted. */
function canAct({ assignment, parent, halted, groups }: Acceptance): boolean {
  const opened = groups.get(parent.group);
  const configurations: readonly Configuration[] =
    opened === undefined ? assignment.configurations : [{ voters: opened, outgoing: [] }];
  const isAlive = (members: readonly InstanceId[]) =>
    members.filter((member) => !halted.has(member)).length * 2 > members.length;
  return configurations.some(
    ({ voters, outgoing }) => isAlive(voters) && (outgoing.length === 0 || isAlive(outgoing)),
  );
}

/** Rule 3's order, written a second time. */
function precedes(a: Claim, b: Claim): boolean {
  const keys = (claim: Claim): readonly (number | string)[] => [
    claim.epoch,
    claim.generation,
    claim.group ?? "",
    claim.term,
    claim.index,
    claim.name,
  ];
  const left = keys(a);
  const right = keys(b);
  const at = left.findIndex((value, position) => value !== right[position]);
  return at >= 0 && (left[at] ?? 0) < (right[at] ?? 0);
}

function isSelectable(
  claim: Claim,
  base: { readonly names: readonly string[]; readonly policy: string },
): boolean {
  if (claim.live || !claim.eligible || !base.names.includes(claim.name)) return false;
  return claim.secrets === "memory" || (claim.secrets === "sealed" && base.policy === "sealed");
}
