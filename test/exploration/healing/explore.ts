/** What the command and the tests use of the exploration. */
import type { Assignment } from "./assignment.ts";
import type { Progress } from "./progress.ts";
import { checkProgress } from "./progress.ts";
import type { Search } from "./search.ts";
import { search, traceTo } from "./search.ts";

export { assignmentsFor } from "./assignments.ts";
export { MUTATIONS } from "./mutations.ts";

/** What came of one assignment. */
export interface Exploration {
  readonly title: string;
  readonly states: number;
  readonly edges: number;
  readonly depth: number;
  readonly isComplete: boolean;
  /** Fair runs checked, one for each state and surviving majority. */
  readonly runs: number;
  readonly seen: ReadonlyMap<string, number>;
  readonly finding: Finding | undefined;
}

/** Something that must not be, with the shortest way to it. */
export interface Finding {
  readonly what: string;
  readonly states: number;
  readonly trace: readonly string[];
}

/** Explores an assignment, to the end or to `statesMax`, and checks progress from every state seen. */
export function explore(assignment: Assignment, statesMax = Infinity): Exploration {
  const found = search(assignment, statesMax);
  const { states, edges, depth, isComplete, system, violation } = found;
  const base = {
    title: assignment.title,
    states,
    edges,
    depth,
    isComplete,
    seen: system.judge.seen,
  };
  if (violation !== undefined) {
    const finding = { what: violation.properties.join("; "), states, trace: violation.trace };
    return { ...base, runs: 0, finding };
  }
  const progress = checkProgress(found);
  return { ...base, runs: progress.checked, finding: findingOf(found, progress) };
}

function findingOf({ system, table }: Search, { stuck }: Progress): Finding | undefined {
  if (stuck === undefined) return undefined;
  const trace = traceTo(system, table, stuck.state);
  const what = `no progress while ${stuck.alive.join(" and ")} go on: ${stuck.reason}`;
  return { what, states: stuck.state + 1, trace };
}
