import { describe, expect, it } from "vitest";
import { walk } from "./walk.ts";

const SEEDS = 200;

describe("random walks of healing", () => {
  for (const count of [4, 5]) {
    it(`break nothing and always end in a led group, with ${count} coordinators`, () => {
      const counts = new Map<string, number>();
      let ticks = 0;
      for (let seed = 1; seed <= SEEDS; seed++) {
        const walked = walk(seed, count);
        expect(walked.problems, `replay: walk(${seed}, ${count})`).toEqual([]);
        ticks += walked.ticks;
        for (const [what, times] of walked.counts) {
          counts.set(what, (counts.get(what) ?? 0) + times);
        }
      }
      const text = [...counts].sort().map(([what, times]) => `${what} ${times}`);
      console.log(`${count} coordinators, ${SEEDS} walks, ${ticks} ticks: ${text.join(", ")}`);
      for (const what of [
        "all-heard",
        "failover",
        "fenced",
        "unfenced",
        "conflict",
        "answer lost",
        "swap lost",
        "lost claim",
        "lost vote",
        "joined",
      ]) {
        expect(counts.get(what) ?? 0, what).toBeGreaterThan(0);
      }
    });
  }
});
