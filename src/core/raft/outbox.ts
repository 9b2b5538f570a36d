/** Effects that wait for the next Ready. */
import { RAFT_OTHER_GROUPS_MAX } from "../limits.ts";
import type { Message } from "./messages.ts";
import type { OtherGroupSeen, ProposalResult, ReadResult } from "./ready.ts";
import type { LogIndex, Term } from "./types.ts";

/** A node's answer to itself: it counts only once what it promises is durable, that is, on `advance`. */
export type SelfAnswer =
  | { readonly kind: "appended"; readonly term: Term; readonly index: LogIndex }
  | { readonly kind: "voted"; readonly term: Term }
  | { readonly kind: "pre-voted"; readonly term: Term };

/** Collects effects in order; `take` hands them over and empties it. */
export class Outbox {
  #messages: Message[] = [];
  #afterDurable: Message[] = [];
  #selfAnswers: SelfAnswer[] = [];
  #reads: ReadResult[] = [];
  #proposals: ProposalResult[] = [];
  #otherGroups: OtherGroupSeen[] = [];

  /** True if nothing waits. */
  get empty(): boolean {
    return (
      this.#messages.length === 0 &&
      this.#afterDurable.length === 0 &&
      this.#selfAnswers.length === 0 &&
      !this.hasResults
    );
  }

  /** True if a local request was decided. */
  get hasResults(): boolean {
    return this.#reads.length > 0 || this.#proposals.length > 0 || this.#otherGroups.length > 0;
  }

  /** A message that promises nothing about durable state. */
  send(message: Message): void {
    this.#messages.push(message);
  }

  /** A message that promises something: it leaves after the state of the same Ready is durable. */
  sendAfterDurable(message: Message): void {
    this.#afterDurable.push(message);
  }

  /** A promise to oneself. */
  answerSelf(answer: SelfAnswer): void {
    this.#selfAnswers.push(answer);
  }

  readDecided(result: ReadResult): void {
    this.#reads.push(result);
  }

  proposalDecided(result: ProposalResult): void {
    this.#proposals.push(result);
  }

  otherGroupSeen(seen: OtherGroupSeen): void {
    if (this.#otherGroups.length < RAFT_OTHER_GROUPS_MAX) this.#otherGroups.push(seen);
  }

  /** Drops everything but results of local requests: a halted node says nothing. */
  silence(): void {
    this.#messages = [];
    this.#afterDurable = [];
    this.#selfAnswers = [];
  }

  /** Everything collected; the promises come behind the other messages. */
  take(): {
    messages: Message[];
    selfAnswers: SelfAnswer[];
    reads: ReadResult[];
    proposals: ProposalResult[];
    otherGroups: OtherGroupSeen[];
  } {
    const messages = this.#messages;
    for (const message of this.#afterDurable) messages.push(message);
    const taken = {
      messages,
      selfAnswers: this.#selfAnswers,
      reads: this.#reads,
      proposals: this.#proposals,
      otherGroups: this.#otherGroups,
    };
    this.#messages = [];
    if (this.#afterDurable.length > 0) this.#afterDurable = [];
    this.#selfAnswers = [];
    this.#reads = [];
    this.#proposals = [];
    this.#otherGroups = [];
    return taken;
  }
}
