/** Who takes part in a group: voters, the voters of the half that a joint configuration leaves, and learners. */
import type { NodeId } from "./types.ts";

/**
 * A group's membership as plain data (thesis section 4.3). Every list is sorted and free of duplicates.
 * The lists `voters` and `learners` never share a node; a node of `learnersNext` is always in `votersOutgoing`.
 */
export interface Configuration {
  /** The voters; while joint, those of the half that will remain. */
  readonly voters: readonly NodeId[];
  /** While joint, the voters of the half that will be left; else empty. */
  readonly votersOutgoing: readonly NodeId[];
  /** Members that receive the log and neither vote nor count. */
  readonly learners: readonly NodeId[];
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** True if the leader leaves the joint configuration by itself once it is applied. */
  readonly autoLeave: boolean;
}

/** The configuration of a node that has not heard from its group yet: nobody. */
export const NO_CONFIGURATION: Configuration = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** A configuration of `voters` and `learners` (any order), not joint. */
export function plainConfiguration(
  voters: readonly NodeId[],
  learners: readonly NodeId[] = [],
): Configuration {
  return { ...NO_CONFIGURATION, voters: sortedIds(voters), learners: sortedIds(learners) };
}

/** True while decisions need a majority of both halves. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/** True if `node` votes in either half. */
export function isVoter(configuration: Configuration, node: NodeId): boolean {
  return configuration.voters.includes(node) || configuration.votersOutgoing.includes(node);
}

/** True if `node` is a voter of either half or a learner. */
export function isMember(configuration: Configuration, node: NodeId): boolean {
  return isVoter(configuration, node) || configuration.learners.includes(node);
}

/** The voters of both halves, sorted, each once. */
export function allVoters(configuration: Configuration): readonly NodeId[] {
  if (!isJoint(configuration)) return configuration.voters;
  return sortedIds([...configuration.voters, ...configuration.votersOutgoing]);
}

/** Voters of both halves and learners, sorted, each once. */
export function allMembers(configuration: Configuration): readonly NodeId[] {
  return sortedIds([...allVoters(configuration), ...configuration.learners]);
}

/** `ids` in code-unit order, each once. */
export function sortedIds(ids: Iterable<NodeId>): NodeId[] {
  return [...new Set(ids)].sort();
}
