/** The words that every part of the consensus core shares. */

/**
 * An election's number, from 1; 0 before the first one. The optional mark lets the compiler refuse a
 * {@link LogIndex} here while plain arithmetic stays possible; it never exists at run time.
 */
export type Term = number & { readonly unit?: "term" };

/** Position of an entry in the log, from 1; 0 is the position before the first entry. */
export type LogIndex = number & { readonly unit?: "index" };

/**
 * Identity of one instance of a member, used once and never again: a restarted process has another one.
 * The product uses the hex of `InstanceId`. Never empty.
 */
export type NodeId = string;

/** Identity of a group: whatever opened it, as text. Messages of different groups never mix. */
export type GroupId = string;

/** Position and term of an entry: what two logs are compared by. */
export interface EntryId {
  readonly term: Term;
  readonly index: LogIndex;
}
