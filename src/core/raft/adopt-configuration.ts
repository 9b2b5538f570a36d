/** What changes on every node, whatever its role, when a configuration comes into force. */
import { RAFT_REMOVAL_NOTICE_TIMEOUTS } from "../limits.ts";
import { allMembers, isJoint, isMember, type Configuration } from "./configuration.ts";
import type { RaftState } from "./state.ts";
import type { LogIndex } from "./types.ts";

/** `configuration` is in force from now on; the change (or snapshot) that brought it is at `index`. */
export function adoptConfiguration(
  state: RaftState,
  configuration: Configuration,
  index: LogIndex,
): void {
  const before = state.configuration;
  if (isJoint(configuration) && !isJoint(before)) state.counters.jointConfigurationsEntered++;
  if (isMember(before, state.id) && !isMember(configuration, state.id)) state.removed = true;
  for (const id of allMembers(before)) {
    if (!isMember(configuration, id) && id !== state.id) {
      state.departures.set(id, {
        index,
        ticksLeft: RAFT_REMOVAL_NOTICE_TIMEOUTS * state.settings.electionTimeoutTicks,
        noticeRound: undefined,
      });
    }
  }
  const added = allMembers(configuration).filter((id) => !isMember(before, id));
  // A new member holds nothing yet, so the smallest match starts over.
  if (added.length > 0) state.minimumMatch = 0;
  for (const id of added) state.departures.delete(id);
  state.configuration = configuration;
  state.configurationIndex = index;
}
