/** The follower's side of replication: appends, heartbeats and snapshots of its leader. */
import { QuorateError } from "../errors.ts";
import { err, ok, type Result } from "../result.ts";
import { adoptConfiguration } from "./adopt-configuration.ts";
import type { Append, Heartbeat, InstallSnapshot } from "./messages.ts";
import type { RaftState } from "./state.ts";
import type { EntryId, LogIndex, NodeId } from "./types.ts";

/** Success, or what is wrong with a message. */
export type StepResult = Result<void, QuorateError>;

/** The one success. */
export const STEPPED: StepResult = ok(undefined);

/** A message that no correct node sends. */
export function malformed(what: string): StepResult {
  return err(new QuorateError("protocol", `raft: ${what}`));
}

/** Takes entries if their predecessor is held, and acknowledges exactly what the message proves. */
export function handleAppend(state: RaftState, message: Append): StepResult {
  const { log } = state;
  const { previous, entries } = message;
  const lastNew = previous.index + entries.length;
  if (lastNew <= log.commit) {
    // Committed is committed everywhere: an old or repeated message proves that much and no more.
    accept(state, message.from, lastNew);
    return STEPPED;
  }
  const known = Math.max(0, log.commit - previous.index);
  const base = known === 0 ? previous : idOf(entries[known - 1]);
  if (!log.holds(base)) {
    if (known > 0) return malformed(`an append replaces the committed entry ${base.index}`);
    refuse(state, message);
    return STEPPED;
  }
  const truncated = log.take(known === 0 ? entries : entries.slice(known));
  if (truncated) state.counters.conflictsTruncated++;
  log.commitTo(Math.min(message.commit, lastNew));
  state.minimumMatch = Math.max(state.minimumMatch, message.minimumMatch);
  accept(state, message.from, lastNew);
  return STEPPED;
}

/** Follows the leader's commit index, and repeats the round that waiting reads need. */
export function handleHeartbeat(state: RaftState, message: Heartbeat): StepResult {
  if (message.commit > state.log.lastIndex) {
    return malformed(`a heartbeat commits ${message.commit} of a log that ends before it`);
  }
  state.log.commitTo(message.commit);
  state.minimumMatch = Math.max(state.minimumMatch, message.minimumMatch);
  state.outbox.send({
    type: "heartbeat-answer",
    groupId: state.groupId,
    from: state.id,
    to: message.from,
    term: state.term,
    readRound: message.readRound,
  });
  return STEPPED;
}

/** Takes a snapshot that is ahead; acknowledges its index in any case. */
export function handleSnapshot(state: RaftState, message: InstallSnapshot): void {
  const { log } = state;
  const { snapshot } = message;
  if (snapshot.index > log.commit) {
    if (log.holds(snapshot)) {
      // The log has it all: nothing to load, only to commit.
      log.commitTo(snapshot.index);
    } else {
      log.restore(snapshot);
      for (const result of state.proposals.covered(snapshot.index)) {
        state.outbox.proposalDecided(result);
      }
      state.counters.snapshotsInstalled++;
      adoptConfiguration(state, snapshot.configuration, snapshot.index);
    }
  }
  accept(state, message.from, snapshot.index);
}

/**
 * **Security:** `index` is what the message proved to match, never the own last index: entries behind it may differ
 * from the leader's, and counting them would commit what is not there.
 */
function accept(state: RaftState, leader: NodeId, index: LogIndex): void {
  state.outbox.sendAfterDurable({
    type: "append-accepted",
    groupId: state.groupId,
    from: state.id,
    to: leader,
    term: state.term,
    index,
  });
}

function refuse(state: RaftState, { from, previous }: Append): void {
  state.outbox.sendAfterDurable({
    type: "append-refused",
    groupId: state.groupId,
    from: state.id,
    to: from,
    term: state.term,
    refused: previous.index,
    hint: state.log.lastNotAbove(previous.index, previous.term),
  });
}

function idOf(entry: EntryId | undefined): EntryId {
  return entry ?? { term: 0, index: 0 };
}
