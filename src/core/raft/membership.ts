/** Membership changes: what a leader accepts, and what happens when one is applied (thesis chapter 4). */
import { assert } from "../assert.ts";
import { adoptConfiguration } from "./adopt-configuration.ts";
import { changeConfiguration } from "./config-change.ts";
import { allMembers, isJoint, isVoter, type Configuration } from "./configuration.ts";
import { LEAVE_JOINT, type ConfigChange, type Entry } from "./entry.ts";
import { resign } from "./hand-over.ts";
import type { RefusalReason } from "./messages.ts";
import { appendOwn } from "./own-entries.ts";
import type { Progress } from "./progress.ts";
import { advanceCommit, broadcastAppend, receivers, sendEntries } from "./replication.ts";
import { becomeFollower, newProgress } from "./roles.ts";
import type { Leader, RaftState } from "./state.ts";
import type { NodeId } from "./types.ts";

/** Why a leader must not append `change`; undefined if it may. One change at a time: the last must be applied. */
export function refusalOf(
  state: RaftState,
  leader: Leader,
  change: ConfigChange,
): RefusalReason | undefined {
  if (leader.pendingChangeIndex > state.log.applied) return "change-in-flight";
  const leaves = change.steps.length === 0 && change.transition === "auto";
  if (isJoint(state.configuration) && !leaves) return "change-in-flight";
  return changeConfiguration(state.configuration, change).ok ? undefined : "change-invalid";
}

/** Brings the changes among `entries`, which the host has applied, into force. */
export function applyChanges(state: RaftState, entries: readonly Entry[]): void {
  let changed = false;
  for (const entry of entries) {
    if (entry.kind !== "config-change") continue;
    const result = changeConfiguration(state.configuration, entry.change);
    assert(result.ok, "a change that was committed can be applied");
    adoptConfiguration(state, result.value, entry.index);
    changed = true;
  }
  if (!changed) return;
  const { role } = state;
  if (role.kind === "leader") lead(state, role);
  // A refusal told a candidate of the commit: it must not win as a node that may not lead.
  else if (role.kind !== "follower" && !isVoter(state.configuration, state.id)) {
    becomeFollower(state, state.term, undefined);
  }
}

/** A leader takes its own new configuration up. */
function lead(state: RaftState, leader: Leader): void {
  moveDeparting(state, leader);
  leader.progress = progressFor(leader.progress, state.configuration, () =>
    // The last entry is a good first guess: a refusal's hint leads on. It counts as active until the next check.
    newProgress(state, { next: state.log.lastIndex, recentlyActive: true }),
  );
  state.answered.setForwarders(allMembers(state.configuration));
  if (!isVoter(state.configuration, state.id)) {
    resign(state, leader);
    return;
  }
  // The new quorum may be one that holds more already.
  if (advanceCommit(state, leader)) broadcastAppend(state, leader);
  else for (const [id, progress] of receivers(state, leader)) sendEntries(state, id, progress);
  if (leader.transferee !== undefined && !isVoter(state.configuration, leader.transferee)) {
    leader.transferee = undefined;
  }
}

/** What a leader knows about the members of `configuration`: kept where it exists, `created` where it does not. */
export function progressFor(
  known: ReadonlyMap<NodeId, Progress>,
  configuration: Configuration,
  created: () => Progress,
): Map<NodeId, Progress> {
  return new Map(allMembers(configuration).map((id) => [id, known.get(id) ?? created()]));
}

/** Removed members are still sent the log, so that they learn that they are out. */
function moveDeparting(state: RaftState, leader: Leader): void {
  for (const id of state.departures.keys()) {
    const progress = leader.progress.get(id);
    if (progress !== undefined) leader.departing.set(id, progress);
  }
}

/** Ends a departure: the removed member knows, or was told for long enough. */
export function endDeparture(state: RaftState, id: NodeId): void {
  state.departures.delete(id);
  if (state.role.kind === "leader") state.role.departing.delete(id);
}

/** One tick less for everybody who is told of a removal. */
export function countDepartures(state: RaftState): void {
  for (const [id, departure] of state.departures) {
    departure.ticksLeft--;
    if (departure.ticksLeft <= 0) endDeparture(state, id);
  }
}

/** Leaves a joint configuration that is to be left by itself, once everything before is applied. */
export function leaveJointIfDue(state: RaftState, leader: Leader): void {
  if (!state.configuration.autoLeave || leader.transferee !== undefined) return;
  if (refusalOf(state, leader, LEAVE_JOINT) !== undefined) return;
  const place = appendOwn(state, leader, { kind: "config-change", change: LEAVE_JOINT });
  assert(place !== undefined, "an empty change always fits");
  leader.pendingChangeIndex = place.index;
  broadcastAppend(state, leader);
}
