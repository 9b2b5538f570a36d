import { describe, expect, it } from "vitest";
import { Backoff } from "../../../src/core/backoff.ts";

describe("Backoff", () => {
  it("stays between half and all of a doubling bound", () => {
    for (const random of [0, 0.5, 0.999_999]) {
      const backoff = new Backoff(100, 1000, () => random);
      const bounds = [100, 200, 400, 800, 1000, 1000];
      for (const bound of bounds) {
        const delay = backoff.next();
        expect(delay).toBeGreaterThanOrEqual(bound / 2);
        expect(delay).toBeLessThanOrEqual(bound);
      }
    }
  });

  it("starts over after a success", () => {
    const backoff = new Backoff(100, 1000, () => 0.999_999);
    expect([backoff.next(), backoff.next()]).toEqual([100, 200]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });
});
