/** A leader's knowledge of one member's log, and how fast it sends to it. */
import type { Inflights } from "./inflights.ts";
import type { LogIndex } from "./types.ts";

/**
 * `probe`: the matching position is being searched, one append at a time. `replicate`: it is known, appends
 * stream up to the window. `snapshot`: nothing is sent until the snapshot is acknowledged.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** Mutable, owned by the leader's role: it ends with the leadership. */
export class Progress {
  /** The last index known to be the same on both sides. */
  match: LogIndex;
  /** The next index to send; always above `match`. */
  next: LogIndex;
  state: ProgressState = "probe";
  /** Nothing more goes out until an answer, a heartbeat's answer in particular. */
  paused = false;
  /** Index of the snapshot under way; 0 if none. */
  pendingSnapshot: LogIndex = 0;
  /** Answered since the quorum was checked last. */
  recentlyActive: boolean;
  /** Tick of the last answer, by the leader's own count. */
  heardAtTick: number;
  /** Tick at which a snapshot was sent, or its transfer last moved. */
  transferredAtTick = 0;
  /** The newest round of reads that it answered. */
  readRound = 0;
  readonly inflights: Inflights;
  /** The highest commit index that it was sent. */
  #sentCommit: LogIndex = 0;

  constructor(from: {
    match: LogIndex;
    next: LogIndex;
    recentlyActive: boolean;
    heardAtTick: number;
    inflights: Inflights;
  }) {
    this.match = from.match;
    this.next = from.next;
    this.recentlyActive = from.recentlyActive;
    this.heardAtTick = from.heardAtTick;
    this.inflights = from.inflights;
  }

  /** True if an append has to wait. */
  get blocked(): boolean {
    return this.state === "snapshot" || this.paused;
  }

  /** Notes an acknowledged index. False for one that says nothing new. */
  acknowledge(index: LogIndex): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /**
   * Notes that the append after `refused` was refused, and where to try next. False for a stale refusal: one
   * that belongs to an append older than what is known or tried by now.
   */
  refuse(refused: LogIndex, nextMatch: LogIndex): boolean {
    if (this.#isStaleRefusal(refused)) return false;
    if (this.state === "replicate") {
      // The window was lost: everything after the last acknowledged entry goes again.
      this.#moveNext(this.match + 1);
    } else {
      this.#moveNext(Math.max(Math.min(refused, nextMatch + 1), this.match + 1));
      this.paused = false;
    }
    return true;
  }

  /** A refusal is current only if it answers the probe under way, or lies above what is known to match. */
  #isStaleRefusal(refused: LogIndex): boolean {
    return this.state === "replicate" ? refused <= this.match : refused !== this.next - 1;
  }

  /** Notes an append of `count` entries. */
  sent(count: number, bytes: number, commit: LogIndex): void {
    if (this.state === "replicate") {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.paused = this.inflights.full;
    } else if (count > 0) {
      this.paused = true;
    }
    this.sentCommit(commit);
  }

  /** Notes the commit index that went out with an append or heartbeat. */
  sentCommit(commit: LogIndex): void {
    this.#sentCommit = commit;
  }

  /** True if an append would tell it a commit index that it can use and was not told. */
  wantsCommit(commit: LogIndex): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.next - 1;
  }

  /** Back to searching, from the last known match or behind the snapshot under way. */
  becomeProbe(): void {
    const next = this.state === "snapshot" ? this.pendingSnapshot : 0;
    this.#enter("probe");
    this.#moveNext(Math.max(this.match, next) + 1);
  }

  /** The match is known: stream from there. */
  becomeReplicate(): void {
    this.#enter("replicate");
    this.next = this.match + 1;
  }

  /** A snapshot that ends at `index` is under way. */
  becomeSnapshot(index: LogIndex): void {
    this.#enter("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.#sentCommit = index;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.pendingSnapshot = 0;
    this.inflights.clear();
  }

  #moveNext(next: LogIndex): void {
    this.next = next;
    this.#sentCommit = Math.min(this.#sentCommit, next - 1);
  }
}
