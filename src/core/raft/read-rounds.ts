/**
 * Rounds of reads (thesis section 6.4): many waiting reads share one. A round is a number that heartbeats carry and
 * their answers repeat; a quorum's answers to it prove that nobody had replaced the leader when the round began.
 */
import type { LogIndex, NodeId } from "./types.ts";

/** A read that waits, of this node or forwarded by `from`. */
export interface WaitingRead {
  readonly from: NodeId;
  readonly context: number;
}

/** A read whose round is confirmed: it may be answered from `index` on. */
export interface ConfirmedRead extends WaitingRead {
  readonly index: LogIndex;
}

/** A leader's reads and rounds. */
export class ReadRounds {
  /** Reads that no round covers yet. */
  #waiting: WaitingRead[] = [];
  /** Reads under way, in the order of their rounds. */
  #underWay: { readonly round: number; readonly read: ConfirmedRead }[] = [];
  #round = 0;
  #confirmed = 0;

  /** The newest round: every heartbeat carries it. */
  get round(): number {
    return this.#round;
  }
  /** The newest round that a quorum answered. */
  get confirmed(): number {
    return this.#confirmed;
  }
  /** Reads without an answer. */
  get size(): number {
    return this.#waiting.length + this.#underWay.length;
  }
  /** True if a round should begin: reads wait, and none is under way. */
  get due(): boolean {
    return this.#waiting.length > 0 && this.#underWay.length === 0;
  }
  /** True if reads wait that a heartbeat going out anyway could cover. */
  get anyWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(read: WaitingRead): void {
    this.#waiting.push(read);
  }

  /**
   * Begins a round for all waiting reads; they may see everything committed by now, `commit`.
   *
   * **Security:** a round's number is never used twice in a term; an answer to an older round must not confirm
   * a younger read.
   */
  begin(commit: LogIndex): void {
    const round = this.advanceRound();
    for (const read of this.#waiting) {
      this.#underWay.push({ round, read: { ...read, index: commit } });
    }
    this.#waiting = [];
  }

  /** A number above all earlier ones; also for a removed member's notice, which needs its own. */
  advanceRound(): number {
    this.#round = this.#round + 1;
    return this.#round;
  }

  /** A quorum has answered `round`: the reads that this confirms. */
  confirm(round: number): ConfirmedRead[] {
    if (round <= this.#confirmed) return [];
    this.#confirmed = round;
    const count = this.#underWay.findIndex((under) => under.round > round);
    const done = this.#underWay.splice(0, count === -1 ? this.#underWay.length : count);
    return done.map((under) => under.read);
  }

  /** Ends everything: the leadership is lost. */
  abandonAll(): WaitingRead[] {
    const all = [...this.#underWay.map((under) => under.read), ...this.#waiting];
    this.#underWay = [];
    this.#waiting = [];
    return all;
  }
}
