/** What can be known of a node from its Readies alone. */
import {
  NO_CONFIGURATION,
  type Configuration,
  type HardState,
  type RoleName,
  type Snapshot,
} from "../../../src/core/raft/index.ts";
import { DurableLog } from "../durable-log.ts";

/** One node; the checks of this folder read it, `GroupChecks` keeps it up to date. */
export interface ObservedNode {
  readonly id: string;
  readonly log: DurableLog;
  hard: HardState;
  role: RoleName;
  applied: number;
  isHalted: boolean;
  configuration: Configuration;
  configurationIndex: number;
}

/** A node that begins with `initial`, or with nothing. */
export function observedNode(id: string, initial: Snapshot | undefined): ObservedNode {
  const base = initial ?? { term: 0, index: 0, configuration: NO_CONFIGURATION };
  return {
    id,
    log: new DurableLog(base),
    hard: { term: 0, vote: undefined, commit: base.index },
    role: "follower",
    applied: base.index,
    isHalted: false,
    configuration: base.configuration,
    configurationIndex: base.index,
  };
}

/** True if more than half of each half of `configuration` are such that `counts`. */
export function isQuorum(
  { voters, votersOutgoing }: Configuration,
  counts: (id: string) => boolean,
): boolean {
  const holds = (half: readonly string[]): boolean =>
    half.length === 0 || 2 * half.filter(counts).length > half.length;
  return holds(voters) && holds(votersOutgoing);
}
