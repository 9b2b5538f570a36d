import { describe, expect, it } from "vitest";
import { SerialQueue } from "../../../src/authority/serial-queue.ts";

describe("SerialQueue", () => {
  it("runs tasks one at a time in order, also after one failed", async () => {
    const queue = new SerialQueue(8);
    const log: string[] = [];
    const task = (name: string, fail: boolean) => async () => {
      log.push(`${name} starts`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push(`${name} ends`);
      if (fail) throw new Error(name);
      return name;
    };
    const outcomes = await Promise.allSettled([
      queue.run(task("a", false)),
      queue.run(task("b", true)),
      queue.run(task("c", false)),
    ]);
    expect(log).toEqual(["a starts", "a ends", "b starts", "b ends", "c starts", "c ends"]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
  });

  it("refuses more tasks than it may hold, and takes new ones once there is room", async () => {
    const queue = new SerialQueue(1);
    const first = queue.run(() => Promise.resolve(1));
    await expect(queue.run(() => Promise.resolve(2))).rejects.toMatchObject({
      code: "resource-exhausted",
    });
    await first;
    expect(await queue.run(() => Promise.resolve(3))).toBe(3);
  });
});
