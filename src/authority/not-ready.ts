/** Why nothing is issued, and the way out. */
import { QuorateError } from "../core/errors.ts";
import { inRecoveryMode, type Lifecycle } from "../core/lifecycle/lifecycle.ts";

const RECOVER =
  "it recovers by itself as soon as a ready coordinator of the manifest is in reach; if there is none, let share owners run quorate recover";

/**
 * The error that a caller gets while the lifecycle does not allow to issue.
 *
 * @param coordinators of the newest verified manifest, if there is one.
 */
export function notReadyError(
  lifecycle: Lifecycle<unknown>,
  name: string,
  coordinators: readonly string[] | undefined,
): QuorateError {
  if (inRecoveryMode(lifecycle) && coordinators?.includes(name) === false) {
    return new QuorateError(
      "recovery-needed",
      `the manifest in force does not name this coordinator, ${name}: nobody gives it the secrets`,
      {
        hint: `it names ${coordinators.join(", ")}: check --name, or set a manifest that also names this one`,
      },
    );
  }
  switch (lifecycle.kind) {
    case "uninitialized":
      return lifecycle.storeHasHead === true
        ? new QuorateError(
            "recovery-needed",
            "this coordinator has restarted and does not hold the secrets of the history in its store",
            { hint: RECOVER },
          )
        : new QuorateError("not-ready", "no manifest has been set yet", {
            hint: "set one with quorate set",
          });
    case "stale":
      return new QuorateError(
        "recovery-needed",
        "the history has moved past the state of this coordinator",
        { hint: RECOVER },
      );
    case "ready":
    case "activating":
      return new QuorateError("unavailable", "the state is changing just now", {
        hint: "repeat the call",
      });
  }
}
