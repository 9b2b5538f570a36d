/**
 * The log in memory: entries behind a base (the last position that was dropped or came as a snapshot), and how far
 * they are stable, committed and applied. Always base ≤ applied ≤ commit ≤ last, and stable ≤ last.
 */
import { assert } from "../assert.ts";
import { entryBytes, type Entry } from "./entry.ts";
import type { Snapshot } from "./snapshot.ts";
import type { EntryId, LogIndex, Term } from "./types.ts";

/** One node's log. */
export class RaftLog {
  #entries: Entry[] = [];
  #base: EntryId = { term: 0, index: 0 };
  #bytes = 0;
  #stable: LogIndex = 0;
  #commit: LogIndex = 0;
  #applied: LogIndex = 0;
  #pendingSnapshot: Snapshot | undefined;

  /** @param initial the state that a founding member starts from: committed, applied and stable. */
  constructor(initial?: EntryId) {
    if (initial === undefined) return;
    this.#base = { term: initial.term, index: initial.index };
    this.#stable = this.#commit = this.#applied = initial.index;
  }

  get firstIndex(): LogIndex {
    return this.#base.index + 1;
  }
  get lastIndex(): LogIndex {
    return this.#base.index + this.#entries.length;
  }
  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#base.term;
  }
  get stable(): LogIndex {
    return this.#stable;
  }
  get commit(): LogIndex {
    return this.#commit;
  }
  get applied(): LogIndex {
    return this.#applied;
  }
  /** The last committed entry. */
  get lastCommitted(): EntryId {
    return { term: this.termAt(this.#commit) ?? 0, index: this.#commit };
  }
  /** Number of entries in memory. */
  get length(): number {
    return this.#entries.length;
  }
  /** Bytes of the entries in memory. */
  get bytes(): number {
    return this.#bytes;
  }
  /** A snapshot that was accepted and that the host has not loaded yet. */
  get pendingSnapshot(): Snapshot | undefined {
    return this.#pendingSnapshot;
  }

  /** Term of the entry at `index`; undefined if it was dropped or does not exist. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.#base.index) return this.#base.term;
    return this.#entries[index - this.#base.index - 1]?.term;
  }

  /** True if the entry at `id.index` is here and of `id.term`. */
  holds(id: EntryId): boolean {
    return this.termAt(id.index) === id.term;
  }

  /** True if a log that ends at `last` has at least everything that this one could have committed (section 3.6.1). */
  isUpToDate(last: EntryId): boolean {
    return (
      last.term > this.lastTerm || (last.term === this.lastTerm && last.index >= this.lastIndex)
    );
  }

  /** Entries from `first` on, as many as `bytesMax` admits and at least one if there is any. */
  entriesFrom(first: LogIndex, bytesMax: number, countMax = Number.MAX_SAFE_INTEGER): Entry[] {
    return this.#slice(first, this.lastIndex, bytesMax, countMax);
  }

  /**
   * The last position at or before `index` whose term is at most `term`: where a search continues after a refusal.
   * A dropped position counts as one of unknown term, told as term 0.
   */
  lastNotAbove(index: LogIndex, term: Term): EntryId {
    for (let at = Math.min(index, this.lastIndex); at > 0; at--) {
      const own = this.termAt(at);
      if (own === undefined) return { term: 0, index: at };
      if (own <= term) return { term: own, index: at };
    }
    return { term: 0, index: 0 };
  }

  /** Appends entries that continue the log: a leader's own. */
  appendOwn(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, "a leader's entry continues its log");
      this.#entries.push(entry);
      this.#bytes += entryBytes(entry);
    }
  }

  /**
   * Takes a leader's entries, whose predecessor is held. Only from the first proven conflict (same index, other
   * term) is anything replaced, so that an older, shorter message never shortens the log.
   *
   * @returns true if entries were replaced.
   */
  take(entries: readonly Entry[]): boolean {
    const from = this.#firstNotHeld(entries);
    const first = entries[from];
    if (first === undefined) return false;
    const truncated = first.index <= this.lastIndex;
    if (truncated) this.#truncateFrom(first.index);
    this.appendOwn(from === 0 ? entries : entries.slice(from));
    return truncated;
  }

  /** Moves the commit index forward. */
  commitTo(index: LogIndex): void {
    if (index <= this.#commit) return;
    assert(index <= this.lastIndex, "what is committed is in the log");
    this.#commit = index;
  }

  /** The part that the host has not made durable yet. */
  unstableEntries(): Entry[] {
    return this.#entries.slice(this.#stable - this.#base.index);
  }

  /** Everything handed over is durable now, the pending snapshot included. */
  markStable(index: LogIndex): void {
    this.#stable = Math.max(this.#stable, index);
  }

  /** True if {@link unappliedEntries} would give any. */
  get hasUnapplied(): boolean {
    return this.#pendingSnapshot === undefined && this.#commit > this.#applied;
  }

  /** Committed entries to apply next; none while a snapshot waits to be loaded. */
  unappliedEntries(bytesMax: number, countMax: number): Entry[] {
    if (!this.hasUnapplied) return [];
    return this.#slice(this.#applied + 1, this.#commit, bytesMax, countMax);
  }

  /** Entries that are committed and not applied, all of them: to see whether a configuration change is among them. */
  committedUnapplied(): Entry[] {
    return this.#entries.slice(this.#applied - this.#base.index, this.#commit - this.#base.index);
  }

  /** The host has applied everything up to `index`. */
  markApplied(index: LogIndex): void {
    assert(index >= this.#applied && index <= this.#commit, "applying follows committing");
    this.#applied = index;
  }

  /** Replaces everything by a snapshot. The host loads it before anything else is applied. */
  restore(snapshot: Snapshot): void {
    assert(snapshot.index > this.#commit, "a snapshot that is taken is ahead of the log");
    this.#entries = [];
    this.#bytes = 0;
    this.#base = { term: snapshot.term, index: snapshot.index };
    this.#stable = this.#commit = snapshot.index;
    this.#pendingSnapshot = snapshot;
  }

  /** The host has loaded the pending snapshot. */
  markSnapshotLoaded(): void {
    assert(this.#pendingSnapshot !== undefined, "a snapshot was pending");
    this.#applied = this.#pendingSnapshot.index;
    this.#pendingSnapshot = undefined;
  }

  /** Drops entries up to `index`, at most what is applied. */
  compact(index: LogIndex): void {
    const upTo = Math.min(index, this.#applied);
    const term = this.termAt(upTo);
    if (upTo <= this.#base.index || term === undefined) return;
    const dropped = this.#entries.splice(0, upTo - this.#base.index);
    for (const entry of dropped) this.#bytes -= entryBytes(entry);
    this.#base = { term, index: upTo };
    this.#stable = Math.max(this.#stable, upTo);
  }

  #slice(first: LogIndex, last: LogIndex, bytesMax: number, countMax: number): Entry[] {
    assert(first >= this.firstIndex, "the entries are still in memory");
    const from = first - this.#base.index - 1;
    const most = Math.min(last - this.#base.index, from + countMax);
    let to = from;
    let bytes = 0;
    for (; to < most; to++) {
      const entry = this.#entries[to];
      assert(entry !== undefined, "the log has no gap");
      bytes += entryBytes(entry);
      if (bytes > bytesMax && to > from) break;
    }
    return this.#entries.slice(from, to);
  }

  #firstNotHeld(entries: readonly Entry[]): number {
    let at = 0;
    for (const entry of entries) {
      if (!this.holds(entry)) break;
      at++;
    }
    return at;
  }

  #truncateFrom(index: LogIndex): void {
    assert(index > this.#commit, "a committed entry never changes");
    const dropped = this.#entries.splice(index - this.#base.index - 1);
    for (const entry of dropped) this.#bytes -= entryBytes(entry);
    this.#stable = Math.min(this.#stable, index - 1);
  }
}
