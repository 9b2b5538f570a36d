/** What the chosen one asks the driver to write: the next epoch's opening record. */
import type { Epoch } from "../brand.ts";
import { isFenced, majorityOf } from "./fencing.ts";
import type { Vote } from "./message.ts";
import type { Base } from "./record.ts";

/** How the chosen one came to its decision: it heard every name, or a majority at the failover timeout. */
export type Path = "all-heard" | "failover";

/** A `heal` record to be made, signed and swapped in by the driver. */
export interface OpenPlan {
  /** Predecessor of the record and owner of its manifest; put back first, in the same swap, if `reasserted`. */
  readonly base: Base;
  readonly epoch: Epoch;
  readonly path: Path;
  /** Whether the old group can't act any more. Signed into the record. */
  readonly fenced: boolean;
  readonly votes: readonly Vote[];
  /**
   * Which mesh CA key of this instance's healing the record carries. **Security:** the driver makes a new random key
   * for every number it hasn't seen and uses no key for two records.
   */
  readonly meshCaKey: number;
}

/** A plan on `base`, or `undefined` if the votes are no majority of the names of its manifest. */
export function planOn(
  base: Base,
  votes: readonly Vote[],
  path: Path,
  meshCaKey: number,
): OpenPlan | undefined {
  const counted = votes.filter(({ name }) => base.record.names.includes(name));
  if (counted.length < majorityOf(base.record.names.length)) return undefined;
  return {
    base,
    epoch: (base.record.epoch + 1) as Epoch,
    path,
    fenced: isFenced(base.record.group, counted),
    votes: counted,
    meshCaKey,
  };
}
