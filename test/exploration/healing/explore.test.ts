import { describe, expect, it } from "vitest";
import type { Exploration } from "./explore.ts";
import type * as Entry from "./explore.ts";
import type { Replacement } from "./mutations.ts";
import { load as loadUntyped } from "./compile.mjs";

// Compiled apart from the test runner, as the command does it: the same code, several times faster.
const load = loadUntyped as (replacements?: readonly Replacement[]) => Promise<typeof Entry>;
const { assignmentsFor, explore, MUTATIONS } = await load();

/** Assignments of three coordinators that `npm test` leaves to `npm run explore`. */
const STATES_MAX = 10_000;

describe("the exploration of healing", () => {
  const explored: Exploration[] = [];

  for (const coordinators of [1, 2]) {
    it(`finds nothing wrong in any state of ${coordinators} coordinators`, () => {
      for (const assignment of assignmentsFor(coordinators)) {
        const found = explore(assignment);
        expect({ ...found, seen: undefined }).toMatchObject({
          finding: undefined,
          isComplete: true,
        });
        explored.push(found);
      }
    });
  }

  it("finds nothing wrong in the small assignments of three coordinators, nor at the start of the others", () => {
    for (const assignment of assignmentsFor(3)) {
      const found = explore(assignment, STATES_MAX);
      expect({ ...found, seen: undefined }).toMatchObject({ finding: undefined });
      explored.push(found);
    }
    expect(explored.filter(({ isComplete }) => isComplete).length).toBeGreaterThan(20);
  }, 60_000);

  it("reaches everything that healing is for", () => {
    const seen = new Set(explored.flatMap((one) => [...one.seen.keys()]));
    for (const what of [
      "all-heard",
      "failover",
      "conflict",
      "opened on an update",
      "rolled back head re-asserted",
      "opened in a later attempt",
      "opened on an opened epoch",
      "joined late",
      "gave way to a live group",
      "refused",
      "ended",
      "fenced",
      "unfenced",
    ]) {
      expect(seen).toContain(what);
    }
    const sum = (of: (one: Exploration) => number) =>
      explored.reduce((all, one) => all + of(one), 0);
    const counts = [sum((one) => one.states), sum((one) => one.edges), sum((one) => one.runs)];
    console.log(
      `healing explored: ${counts[0]} states, ${counts[1]} edges, ${counts[2]} fair runs`,
    );
  });
});

describe("a planted fault", () => {
  for (const { title, replacements } of MUTATIONS) {
    it(`is found: ${title}`, async () => {
      const mutated = await load(replacements);
      const assignments = [1, 2, 3].flatMap((n) => mutated.assignmentsFor(n));
      const found = assignments.some(
        (assignment) => mutated.explore(assignment, STATES_MAX).finding !== undefined,
      );
      expect(found).toBe(true);
    });
  }
});
