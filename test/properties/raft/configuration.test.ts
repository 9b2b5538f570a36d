/** Configuration changes against sets, and the property that makes them safe. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changeConfiguration } from "../../../src/core/raft/config-change.ts";
import {
  isJoint,
  plainConfiguration,
  type ConfigChange,
  type ConfigChangeStep,
  type Configuration,
} from "../../../src/core/raft/index.ts";
import { NO_DATA } from "../../../src/core/raft/entry.ts";

const NODES = ["a", "b", "c", "d", "e"];
const node = fc.constantFrom(...NODES);
const step: fc.Arbitrary<ConfigChangeStep> = fc.record({
  kind: fc.constantFrom("add-voter", "add-learner", "remove", "update"),
  node,
});
const change: fc.Arbitrary<ConfigChange> = fc.record({
  transition: fc.constantFrom("auto", "implicit", "explicit"),
  steps: fc.array(step, { maxLength: 5 }),
  context: fc.constant(NO_DATA),
});
const changes = fc.array(change, { minLength: 1, maxLength: 12 });

/** All sets of nodes that decide under `configuration`: a majority of each half. */
function quorums({ voters, votersOutgoing }: Configuration): string[][] {
  const subsets = Array.from({ length: 1 << NODES.length }, (_, bits) =>
    NODES.filter((_node, at) => (bits & (1 << at)) !== 0),
  );
  const most = (half: readonly string[], set: readonly string[]): boolean =>
    half.length === 0 || 2 * half.filter((voter) => set.includes(voter)).length > half.length;
  return subsets.filter((set) => most(voters, set) && most(votersOutgoing, set));
}

/** What each node is afterwards, one node at a time: its last step decides. */
function roleAfter(before: Configuration, steps: readonly ConfigChangeStep[], id: string): string {
  const last = steps.filter((each) => each.node === id && each.kind !== "update").at(-1);
  if (last !== undefined) return last.kind;
  if (before.voters.includes(id)) return "add-voter";
  return before.learners.includes(id) || before.learnersNext.includes(id)
    ? "add-learner"
    : "remove";
}

/** Applies whatever is possible of `all`, telling every step. */
function walk(
  all: readonly ConfigChange[],
  see: (before: Configuration, change: ConfigChange, after: Configuration) => void,
): void {
  let configuration = plainConfiguration(["a", "b", "c"]);
  for (const wanted of all) {
    const changed = changeConfiguration(configuration, wanted);
    if (!changed.ok) continue;
    see(configuration, wanted, changed.value);
    configuration = changed.value;
  }
}

describe("changeConfiguration", () => {
  it("keeps a node in common between every two quorums of neighbouring configurations", () => {
    let joint = 0;
    fc.assert(
      fc.property(changes, (all) => {
        walk(all, (before, _change, after) => {
          if (isJoint(after)) joint++;
          for (const old of quorums(before)) {
            for (const next of quorums(after)) {
              expect(old.some((id) => next.includes(id))).toBe(true);
            }
          }
        });
      }),
      { numRuns: 60 },
    );
    expect(joint).toBeGreaterThan(0);
  });

  it("makes of each node what its last step says", () => {
    fc.assert(
      fc.property(changes, (all) => {
        walk(all, (before, { steps, transition }, after) => {
          const leaves = steps.length === 0 && transition === "auto";
          for (const id of NODES) {
            const expected = roleAfter(before, steps, id);
            const waits = after.learnersNext.includes(id);
            const actual = after.voters.includes(id)
              ? "add-voter"
              : after.learners.includes(id) || waits
                ? "add-learner"
                : "remove";
            expect(actual).toBe(expected);
            // Who still votes in the outgoing half waits to become a learner.
            if (!leaves && waits) expect(after.votersOutgoing).toContain(id);
          }
        });
      }),
    );
  });

  it("goes through a joint configuration exactly if asked to, or if more than one voter changes", () => {
    fc.assert(
      fc.property(changes, (all) => {
        walk(all, (before, { steps, transition }, after) => {
          if (isJoint(before)) {
            expect(isJoint(after)).toBe(false);
            return;
          }
          const changed = NODES.filter(
            (id) => before.voters.includes(id) !== after.voters.includes(id),
          ).length;
          expect(isJoint(after)).toBe(transition !== "auto" || changed > 1);
          if (steps.length > 0)
            expect(after.autoLeave).toBe(isJoint(after) && transition !== "explicit");
        });
      }),
    );
  });
});
