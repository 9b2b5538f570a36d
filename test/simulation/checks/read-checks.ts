/** Reads (thesis section 6.4): none is answered from before its call. */
import { demand } from "./violation.ts";

/** Remembers for each read of any node what was committed when it was asked for. */
export class ReadChecks {
  readonly #floors = new Map<number, number>();
  #confirmed = 0;

  /** Reads that were answered with an index. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** A read is asked for; `commit` is the highest commit index that any node knows. */
  onCall(context: number, commit: number): void {
    this.#floors.set(context, commit);
  }

  /** A read was answered from `index` on. A duplicated answer comes twice. */
  onAnswer(context: number, index: number): void {
    const floor = this.#floors.get(context);
    demand(
      floor !== undefined && index >= floor,
      "a read is not older than the commit at its call",
      () => `read ${context} is answered from ${index}, committed were ${floor ?? "-"}`,
    );
    this.#confirmed++;
  }
}
