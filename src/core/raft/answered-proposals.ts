/**
 * What a leader answered to forwarded proposals. A repeated message gets the same answer, so that none is appended twice,
 * and none that was refused is appended after all.
 */
import type { RefusalReason } from "./messages.ts";
import type { EntryId, NodeId, Term } from "./types.ts";

/** Where a forwarded proposal stands, or why it was not appended. */
export type Placement = EntryId | RefusalReason;

/** The newest answers to one forwarder, and a mark up to which older ones are forgotten. */
class ForwarderMemory {
  readonly #answersMax: number;
  readonly #answers = new Map<number, Placement>();
  /** No proposal up to this number is new any more. */
  #forgottenUpTo = -1;

  constructor(answersMax: number) {
    this.#answersMax = answersMax;
  }

  recall(id: number): Placement | "forgotten" | undefined {
    return this.#answers.get(id) ?? (id <= this.#forgottenUpTo ? "forgotten" : undefined);
  }

  remember(id: number, answer: Placement): void {
    this.#answers.set(id, answer);
    if (this.#answers.size <= this.#answersMax) return;
    for (const oldest of this.#answers.keys()) {
      this.#answers.delete(oldest);
      this.#forgottenUpTo = Math.max(this.#forgottenUpTo, oldest);
      return;
    }
  }
}

/**
 * The memory of one term that a node leads or led, kept until it leads another. Bounded: so many answers of each member,
 * and a removed member's are dropped with it, since an instance never becomes a member again.
 *
 * **Security:** a forwarder that numbers its proposals wrongly harms its own proposals alone.
 */
export class AnsweredProposals {
  /** 0 if this node has never led. */
  readonly term: Term;
  readonly #answersMax: number;
  #forwarders = new Map<NodeId, ForwarderMemory>();

  constructor(term: Term, answersMax: number) {
    this.term = term;
    this.#answersMax = answersMax;
  }

  /** Remembers answers to these nodes and to no others. */
  setForwarders(members: readonly NodeId[]): void {
    const known = this.#forwarders;
    this.#forwarders = new Map(
      members.map((id) => [id, known.get(id) ?? new ForwarderMemory(this.#answersMax)]),
    );
  }

  /**
   * The answer that was given to proposal `id` of `from`: "forgotten" if there may have been one, undefined if there
   * was none.
   */
  recall(from: NodeId, id: number): Placement | "forgotten" | undefined {
    const forwarder = this.#forwarders.get(from);
    return forwarder === undefined ? "forgotten" : forwarder.recall(id);
  }

  /** Notes the answer to a proposal of a member that was new. */
  remember(from: NodeId, id: number, answer: Placement): void {
    this.#forwarders.get(from)?.remember(id, answer);
  }
}
