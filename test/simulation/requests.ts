/** Numbers for proposals and reads, and the promise that each proposal ends exactly once. */
import { demand } from "./checks/violation.ts";
import type { Host } from "./host.ts";

/** All requests to all hosts of a run. */
export class Requests {
  readonly #pending = new Map<number, Host>();
  #last = 0;

  /** A number that no request had before. */
  next(): number {
    return ++this.#last;
  }

  /** The host said of proposal `number` that its result follows. */
  onPending(number: number, host: Host): void {
    this.#pending.set(number, host);
  }

  /** The host told the result of proposal `number`. */
  onResult(number: number): void {
    demand(this.#pending.delete(number), "a proposal ends exactly once", () => `#${number}`);
  }

  /** Proposals that this host owes a result. */
  owedBy(host: Host): number[] {
    return [...this.#pending].filter(([, at]) => at === host).map(([number]) => number);
  }
}
