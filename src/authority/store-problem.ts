/** What the store shows that is not as it should be, in words for people. */
import { QuorateError } from "../core/errors.ts";
import type { HeadClass } from "../core/history/index.ts";

const WAY_OUT = "restore the store, or restart this coordinator to give up what it remembers";

const FORKS = {
  "other-lineage": "its history belongs to another lineage",
  "other-history": "its history left the one that was verified here",
  unverified: "its history cannot be verified",
} as const;

/**
 * Why nothing is issued while the store shows this; `undefined` for what is as it should be.
 *
 * @param cause why the head's history could not be verified.
 */
export function problemOf(
  shown: HeadClass,
  cause: QuorateError | undefined,
): QuorateError | undefined {
  switch (shown.kind) {
    case "rollback":
      return new QuorateError("rollback", "the store shows an older head than was verified here", {
        hint: WAY_OUT,
      });
    case "corruption":
      return new QuorateError("store-corrupt", `the store's head is ${shown.found}`, {
        hint: WAY_OUT,
      });
    case "branch":
      return new QuorateError("fork", "the store shows another branch of this history", {
        hint: WAY_OUT,
      });
    case "fork":
      return new QuorateError("fork", `the store shows a fork: ${FORKS[shown.reason]}`, {
        hint: WAY_OUT,
        cause,
      });
    case "same":
    case "follow":
    case "taken-over":
      return undefined;
  }
}

/** The same problem where nobody may put the newest record back, because no majority confirms which one it is. */
export function unconfirmed(problem: QuorateError): QuorateError {
  return new QuorateError(
    problem.code,
    `${problem.message}, and no majority of the coordinators confirms the newest record`,
    {
      hint: "start the other coordinators, or bring them in reach: a majority that agrees puts the newest record back by itself",
      cause: problem,
    },
  );
}
