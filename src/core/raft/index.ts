/** The consensus core's public face. */
export { RaftNode } from "./raft-node.ts";
export type { RaftLimits, RaftOptions } from "./options.ts";
export type * from "./messages.ts";
export type * from "./ready.ts";
export type * from "./status.ts";
export type * from "./types.ts";
export type { Snapshot } from "./snapshot.ts";
export type { ConfigChange, ConfigChangeEntry, ConfigChangeStep, Entry } from "./entry.ts";
export { LEAVE_JOINT, NO_DATA } from "./entry.ts";
export type { Configuration } from "./configuration.ts";
export {
  isJoint,
  isMember,
  isVoter,
  NO_CONFIGURATION,
  plainConfiguration,
} from "./configuration.ts";
