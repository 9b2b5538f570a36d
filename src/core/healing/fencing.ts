/** Majorities, and whether a set of voters leaves an old group unable to act. */
import type { InstanceId, Sha256 } from "../brand.ts";

/** A configuration of a Raft group as one of its instances has it in its log. */
export interface Configuration {
  readonly voters: readonly InstanceId[];
  /** The half that is on its way out while the change is joint, else empty. */
  readonly outgoing: readonly InstanceId[];
}

/** What an instance's halted Raft node leaves behind. */
export interface Remains {
  /** The group in which it halted; `undefined` if the instance never had a Raft node. */
  readonly group: Sha256 | undefined;
  /** Every configuration in its log at or after the applied one, as of the moment when it halted. */
  readonly configurations: readonly Configuration[];
}

/** How many of `count` are more than half. */
export function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

/**
 * Whether a group can't commit, elect or confirm a read any more, because a majority of each configuration that any
 * voter carries (of both halves while joint) is among the halted voters.
 *
 * Why the configurations that the voters carry are enough: a later one can only be committed by a majority of one they
 * carry, so one of the halted majority has it in its log, and carries it too. Someone must carry a configuration of
 * the group itself, for of a group that nobody here belonged to nothing is known.
 *
 * **Security:** answering true while the group can still act would let two groups issue certificates at once.
 */
export function isFenced(
  group: Sha256,
  voters: readonly (Remains & { readonly instance: InstanceId })[],
): boolean {
  if (!voters.some((voter) => voter.group === group && voter.configurations.length > 0)) {
    return false;
  }
  const halted = new Set(voters.map((voter) => voter.instance));
  const carried = voters.flatMap((voter) => voter.configurations);
  return carried.every(
    ({ voters: incoming, outgoing }) =>
      hasMajority(incoming, halted) && (outgoing.length === 0 || hasMajority(outgoing, halted)),
  );
}

function hasMajority(members: readonly InstanceId[], halted: ReadonlySet<InstanceId>): boolean {
  return members.filter((member) => halted.has(member)).length >= majorityOf(members.length);
}
