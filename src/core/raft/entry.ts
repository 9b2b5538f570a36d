/** What a log consists of. */
import type { LogIndex, NodeId, Term } from "./types.ts";

/** One position of the log. */
export type Entry = NormalEntry | ConfigChangeEntry;

/** An entry for the host's state machine; with no data it is the one that each leader begins its term with. */
interface NormalEntry {
  readonly kind: "normal";
  readonly term: Term;
  readonly index: LogIndex;
  readonly data: Uint8Array;
}

/** An entry that changes the group's configuration when it is applied. */
export interface ConfigChangeEntry {
  readonly kind: "config-change";
  readonly term: Term;
  readonly index: LogIndex;
  readonly change: ConfigChange;
}

/** A list of membership changes that takes effect as one. An empty list leaves a joint configuration. */
export interface ConfigChange {
  /**
   * `auto` goes through a joint configuration only if more than one voter changes, and leaves it by itself;
   * `implicit` always goes through one and leaves it by itself; `explicit` stays in it until an empty change.
   */
  readonly transition: "auto" | "implicit" | "explicit";
  readonly steps: readonly ConfigChangeStep[];
  /** The host's own words about this change (for example the new member's keys); the core never looks at it. */
  readonly context: Uint8Array;
}

/** One node's part of a change. `update` changes nothing here: it exists to carry a context. */
export interface ConfigChangeStep {
  readonly kind: "add-voter" | "add-learner" | "remove" | "update";
  readonly node: NodeId;
}

/** Data of an entry that carries none. */
export const NO_DATA = new Uint8Array(0);

/** The change that leaves a joint configuration. */
export const LEAVE_JOINT: ConfigChange = { transition: "auto", steps: [], context: NO_DATA };

/** What an entry counts for against byte bounds beyond its payload: term, index, kind, framing. */
const ENTRY_OVERHEAD_BYTES = 16;
/** What one step of a change counts for: a kind and a node's id of 32 characters. */
const STEP_BYTES = 40;

/** Bytes of payload: an empty entry has none, so that a new leader can always append its own. */
export function payloadBytes(entry: EntryPayload): number {
  return entry.kind === "normal"
    ? entry.data.length
    : entry.change.context.length + entry.change.steps.length * STEP_BYTES;
}

/** Bytes that an entry counts for in batches and in the log. */
export function entryBytes(entry: Entry): number {
  return ENTRY_OVERHEAD_BYTES + payloadBytes(entry);
}

/** What can be proposed: an entry that has no place in the log yet. */
export type EntryPayload =
  | { readonly kind: "normal"; readonly data: Uint8Array }
  | { readonly kind: "config-change"; readonly change: ConfigChange };
