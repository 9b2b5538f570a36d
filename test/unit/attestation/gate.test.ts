import { describe, expect, it } from "vitest";
import { BoundedMap } from "../../../src/attestation/bounded-map.ts";
import { Gate } from "../../../src/attestation/gate.ts";

describe("a gate", () => {
  it("lets only so many run at a time, in order, and gives every result", async () => {
    const gate = new Gate(2);
    const running = { now: 0, max: 0 };
    const started: number[] = [];
    const results = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((number) =>
        gate.run(async () => {
          started.push(number);
          running.max = Math.max(running.max, (running.now += 1));
          await new Promise((resolve) => setTimeout(resolve, 6 - number));
          running.now -= 1;
          return number * 10;
        }),
      ),
    );
    expect(results).toEqual([0, 10, 20, 30, 40, 50]);
    expect(started).toEqual([0, 1, 2, 3, 4, 5]);
    expect(running.max).toBe(2);
  });

  it("is free again after a failure", async () => {
    const gate = new Gate(1);
    const failing = gate.run(() => Promise.reject(new Error("broken")));
    const next = gate.run(() => Promise.resolve("next"));
    await expect(failing).rejects.toThrow("broken");
    expect(await next).toBe("next");
    expect(await gate.run(() => Promise.resolve("again"))).toBe("again");
  });
});

describe("a bounded map", () => {
  it("forgets what was unused for longest", () => {
    const map = new BoundedMap<string, number>(2);
    map.set("a", 1);
    map.set("b", 2);
    expect(map.get("a")).toBe(1);
    map.set("c", 3);
    expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([1, undefined, 3]);
    expect(map.size).toBe(2);
  });

  it("replaces without growing", () => {
    const map = new BoundedMap<string, number>(2);
    map.set("a", 1);
    map.set("a", 2);
    expect([map.get("a"), map.size]).toEqual([2, 1]);
  });
});
