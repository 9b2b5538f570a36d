/** What has been sent and can still be delivered: a numbered set of messages for each process. */
import { inAttempt } from "./folding.ts";
import { Interner, NumberSets } from "./interner.ts";
import type { Sent } from "./local.ts";

export class Network {
  readonly #names: readonly string[];
  readonly #messages = new Interner<Sent>();
  readonly #sets = new NumberSets();
  readonly #pruned = new Map<string, number>();

  /** @param names of the processes, in their order */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** How many different messages there were. */
  get size(): number {
    return this.#messages.size;
  }

  /** The set with these messages too; set 0 is empty. */
  with(set: number, sent: readonly Sent[]): number {
    return sent.reduce((box, one) => this.#sets.with(box, this.#messages.number(one)), set);
  }

  /** Each message of a set with its number. */
  members(set: number): readonly (readonly [number, Sent])[] {
    return this.#sets.members(set).map((id) => [id, this.#messages.value(id)]);
  }

  /** A live member goes on to something else: it has only answered in the attempts that there were so far. */
  silenced(set: number, attempts: readonly number[]): number {
    const spoken = this.members(set).flatMap(([id, sent]) =>
      sent.standing
        ? attempts.map((attempt) => this.#messages.number(inAttempt(sent, attempt)))
        : [id],
    );
    return this.#sets.number([...new Set(spoken)]);
  }

  /**
   * The set of `process` without what can't change anything any more.
   *
   * @param horizons for each process the smallest attempt that it can still heed
   */
  pruned(set: number, process: number, horizons: readonly number[]): number {
    if (set === 0) return 0;
    const key = `${process}.${set}.${horizons.join(".")}`;
    let kept = this.#pruned.get(key);
    if (kept === undefined) {
      const rest = this.members(set).filter(([, sent]) => this.#matters(sent, process, horizons));
      kept = this.#sets.number(rest.map(([id]) => id));
      this.#pruned.set(key, kept);
    }
    return kept;
  }

  #matters({ message, to }: Sent, process: number, horizons: readonly number[]): boolean {
    return horizons.some((horizon, other) => {
      if (other === process) return false;
      // A proof of a live group counts in whichever attempt it was given.
      if (message.kind === "claim" && message.claim.live) return horizon < Infinity;
      const isAddressed = to === undefined || to.name === this.#names[other];
      return isAddressed && message.header.attempt >= horizon;
    });
  }
}
