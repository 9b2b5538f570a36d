import { describe, expect, it } from "vitest";
import type { StoreKind } from "./run.ts";
import { run } from "./run.ts";

const SEEDS = 25;

describe("consensus and healing together", () => {
  const kinds: readonly [StoreKind, readonly string[]][] = [
    [
      "honest",
      ["fenced", "unfenced", "acknowledged", "answer lost", "membership change", "leader"],
    ],
    ["rolled-back", ["rollback", "acknowledged", "opened"]],
    ["split", ["opened", "acknowledged"]],
  ];
  it.each(kinds)("break nothing with a store that is %s", (kind, expected) => {
    const counts = new Map<string, number>();
    let ticks = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const one = run(seed, kind);
      expect(one.problems, `replay: run(${seed}, "${kind}")`).toEqual([]);
      ticks += one.ticks;
      for (const [what, times] of one.counts) counts.set(what, (counts.get(what) ?? 0) + times);
    }
    const text = [...counts].sort().map(([what, times]) => `${what} ${times}`);
    console.log(`${kind} store, ${SEEDS} runs, ${ticks} ticks: ${text.join(", ")}`);
    for (const what of expected) expect(counts.get(what) ?? 0, what).toBeGreaterThan(0);
  });
});
