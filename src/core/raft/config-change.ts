/** What a list of membership changes makes of a configuration (thesis chapter 4). Pure: no state is touched. */
import { assert, assertNever } from "../assert.ts";
import { RAFT_MEMBERS_MAX } from "../limits.ts";
import { err, ok, type Result } from "../result.ts";
import { allMembers, isJoint, sortedIds, type Configuration } from "./configuration.ts";
import type { ConfigChange, ConfigChangeStep } from "./entry.ts";
import type { NodeId } from "./types.ts";

/** A configuration, or a sentence that says why the change is impossible. */
export type ChangeResult = Result<Configuration, string>;

/** `configuration` after `change`, in the way that its transition asks for; an empty change leaves a joint one. */
export function changeConfiguration(
  configuration: Configuration,
  change: ConfigChange,
): ChangeResult {
  const { steps, transition } = change;
  if (steps.length === 0 && transition === "auto") return leaveJoint(configuration);
  const simply =
    transition === "auto" && !isJoint(configuration) && changesOneVoter(configuration, steps);
  const changed = simply
    ? changeSimply(configuration, steps)
    : enterJoint(configuration, steps, transition !== "explicit");
  if (changed.ok && allMembers(changed.value).length > RAFT_MEMBERS_MAX) {
    return err("too many members");
  }
  return changed;
}

/** At most one voter changes, and the configuration is not joint before or after. */
export function changeSimply(
  configuration: Configuration,
  steps: readonly ConfigChangeStep[],
): ChangeResult {
  if (isJoint(configuration)) return err("can't apply simple config change in joint config");
  const changed = applySteps(configuration, steps);
  if (changed.ok && changedVoters(configuration.voters, changed.value.voters) > 1) {
    return err("more than one voter changed without entering joint config");
  }
  return changed;
}

/** The present voters become the outgoing half, the steps change the other one. */
export function enterJoint(
  configuration: Configuration,
  steps: readonly ConfigChangeStep[],
  autoLeave: boolean,
): ChangeResult {
  if (isJoint(configuration)) return err("config is already joint");
  if (configuration.voters.length === 0) return err("can't make a zero-voter config joint");
  return applySteps({ ...configuration, votersOutgoing: configuration.voters, autoLeave }, steps);
}

/** The outgoing half goes, and those of its voters that wait to be learners become them. */
export function leaveJoint(configuration: Configuration): ChangeResult {
  if (!isJoint(configuration)) return err("can't leave a non-joint config");
  return ok({
    voters: configuration.voters,
    votersOutgoing: [],
    learners: sortedIds([...configuration.learners, ...configuration.learnersNext]),
    learnersNext: [],
    autoLeave: false,
  });
}

function changesOneVoter(
  configuration: Configuration,
  steps: readonly ConfigChangeStep[],
): boolean {
  const changed = applySteps(configuration, steps);
  return !changed.ok || changedVoters(configuration.voters, changed.value.voters) <= 1;
}

function applySteps(
  configuration: Configuration,
  steps: readonly ConfigChangeStep[],
): ChangeResult {
  const voters = new Set(configuration.voters);
  const learners = new Set(configuration.learners);
  const learnersNext = new Set(configuration.learnersNext);
  for (const { kind, node } of steps) {
    // A step that names nobody stands for one that the host thought better of.
    if (kind === "update" || node === "") continue;
    voters.delete(node);
    learners.delete(node);
    learnersNext.delete(node);
    switch (kind) {
      case "add-voter":
        voters.add(node);
        break;
      case "add-learner":
        // A voter of the outgoing half can't be a learner yet: it waits for the end of the joint configuration.
        if (configuration.votersOutgoing.includes(node)) learnersNext.add(node);
        else learners.add(node);
        break;
      case "remove":
        break;
      default:
        assertNever(kind);
    }
  }
  if (voters.size === 0) return err("removed all voters");
  const changed: Configuration = {
    ...configuration,
    voters: sortedIds(voters),
    learners: sortedIds(learners),
    learnersNext: sortedIds(learnersNext),
  };
  assertConsistent(changed);
  return ok(changed);
}

function changedVoters(before: readonly NodeId[], after: readonly NodeId[]): number {
  const removed = before.filter((node) => !after.includes(node)).length;
  return removed + after.filter((node) => !before.includes(node)).length;
}

function assertConsistent(configuration: Configuration): void {
  const { voters, votersOutgoing, learners, learnersNext } = configuration;
  assert(
    learners.every((node) => !voters.includes(node) && !votersOutgoing.includes(node)),
    "a learner votes in neither half",
  );
  assert(
    learnersNext.every((node) => votersOutgoing.includes(node) && !voters.includes(node)),
    "a node that waits to be a learner votes in the outgoing half only",
  );
}
