/** Quorum decisions against definitions that try everything. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { committedIndex, voteResult } from "../../../src/core/raft/quorum/joint.ts";
import { EVERYTHING } from "../../../src/core/raft/quorum/majority.ts";

const NODES = ["a", "b", "c", "d", "e", "f", "g"];
const half = fc.uniqueArray(fc.constantFrom(...NODES), { minLength: 1, maxLength: 7 });
const halves = fc.record({
  voters: half,
  votersOutgoing: fc.oneof(fc.constant<string[]>([]), half),
});

/** More than half of `voters` satisfy `holds`. */
function mostOf(voters: readonly string[], holds: (voter: string) => boolean): boolean {
  return 2 * voters.filter(holds).length > voters.length;
}

describe("committedIndex", () => {
  it("is the largest index that more than half of each half has acknowledged", () => {
    const indexes = fc.dictionary(fc.constantFrom(...NODES), fc.nat(12));
    fc.assert(
      fc.property(halves, indexes, ({ voters, votersOutgoing }, acknowledged) => {
        const holds = (index: number): boolean =>
          [voters, votersOutgoing]
            .filter((one) => one.length > 0)
            .every((one) => mostOf(one, (voter) => (acknowledged[voter] ?? 0) >= index));
        const simple = Array.from({ length: 13 }, (_, index) => index)
          .filter(holds)
          .at(-1);
        expect(committedIndex({ voters, votersOutgoing }, (voter) => acknowledged[voter])).toBe(
          simple,
        );
      }),
    );
  });

  it("is unbounded without voters", () => {
    expect(committedIndex({ voters: [], votersOutgoing: [] }, () => 1)).toBe(EVERYTHING);
  });
});

describe("voteResult", () => {
  it("is won or lost exactly if no missing answer can change it", () => {
    const votes = fc.dictionary(fc.constantFrom(...NODES), fc.boolean());
    fc.assert(
      fc.property(halves, votes, ({ voters, votersOutgoing }, given) => {
        const both = [voters, votersOutgoing].filter((one) => one.length > 0);
        const wins = (answers: Record<string, boolean>): boolean =>
          both.every((one) => mostOf(one, (voter) => answers[voter] ?? false));
        const everyone = (answer: boolean): Record<string, boolean> => ({
          ...Object.fromEntries(NODES.map((node) => [node, answer])),
          ...given,
        });
        const simple = wins(everyone(false)) ? "won" : wins(everyone(true)) ? "pending" : "lost";
        expect(voteResult({ voters, votersOutgoing }, (voter) => given[voter])).toBe(simple);
      }),
    );
  });
});
