/** A leader's own entries: appended at once, counted as its own acknowledgement only when durable. */
import { payloadBytes, type EntryPayload } from "./entry.ts";
import type { Leader, RaftState } from "./state.ts";
import type { EntryId } from "./types.ts";

/**
 * Appends `payload` to the leader's log.
 *
 * @returns its place; undefined if too much is uncommitted already. An empty payload, and the first one, always fit.
 */
export function appendOwn(
  state: RaftState,
  leader: Leader,
  payload: EntryPayload,
): EntryId | undefined {
  const bytes = payloadBytes(payload);
  const uncommitted = leader.uncommittedBytes + bytes;
  const tooMuch = uncommitted > state.settings.limits.uncommittedBytesMax;
  if (tooMuch && bytes > 0 && leader.uncommittedBytes > 0) return undefined;
  leader.uncommittedBytes = uncommitted;
  const { term, log } = state;
  const index = log.lastIndex + 1;
  log.appendOwn([{ ...payload, term, index }]);
  state.outbox.answerSelf({ kind: "appended", term, index });
  return { term, index };
}

/** The entry with `payload` is applied: it no longer counts as uncommitted. */
export function releaseUncommitted(leader: Leader, payload: EntryPayload): void {
  // Entries of earlier terms were never counted by this leader.
  leader.uncommittedBytes = Math.max(0, leader.uncommittedBytes - payloadBytes(payload));
}
