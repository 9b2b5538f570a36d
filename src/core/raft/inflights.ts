/** The window of appends that were sent to one follower and are not acknowledged yet. */
import type { LogIndex } from "./types.ts";

/** A queue of (last index, bytes) per append, bounded by number and by bytes. */
export class Inflights {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #indexes: LogIndex[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  /** Number of appends under way. */
  get count(): number {
    return this.#indexes.length - this.#head;
  }

  /** True if nothing more may be sent. The byte bound admits the message that reaches it. */
  get full(): boolean {
    return this.count >= this.#messagesMax || this.#bytes >= this.#bytesMax;
  }

  /** Notes an append whose last entry is `index`; indexes never decrease. */
  add(index: LogIndex, bytes: number): void {
    this.#indexes.push(index);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** Frees everything up to the acknowledged `index`. */
  acknowledge(index: LogIndex): void {
    let head = this.#head;
    while (head < this.#indexes.length && (this.#indexes[head] ?? 0) <= index) {
      this.#bytes -= this.#sizes[head] ?? 0;
      head++;
    }
    this.#head = head;
    if (head === this.#indexes.length) this.clear();
    else if (head > 64) {
      this.#indexes = this.#indexes.slice(head);
      this.#sizes = this.#sizes.slice(head);
      this.#head = 0;
    }
  }

  /** Forgets all: they are acknowledged or taken for lost. */
  clear(): void {
    if (this.#indexes.length > 0) {
      this.#indexes.length = 0;
      this.#sizes.length = 0;
    }
    this.#head = 0;
    this.#bytes = 0;
  }
}
