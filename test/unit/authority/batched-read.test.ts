import { describe, expect, it } from "vitest";
import { BatchedRead } from "../../../src/authority/batched-read.ts";

function controlledRead() {
  const rounds: { resolve: (value: number) => void; reject: (cause: Error) => void }[] = [];
  const read = () =>
    new Promise<number>((resolve, reject) => {
      rounds.push({ resolve, reject });
    });
  return { batched: new BatchedRead(read), rounds };
}

describe("BatchedRead", () => {
  it("does not let a caller join a read that was sent before it asked", async () => {
    const { batched, rounds } = controlledRead();
    const first = batched.run();
    const second = batched.run();
    const third = batched.run();
    expect(rounds).toHaveLength(1);
    rounds[0]!.resolve(1);
    expect(await first).toBe(1);
    await expect.poll(() => rounds.length).toBe(2);
    rounds[1]!.resolve(2);
    expect(await second).toBe(2);
    expect(await third).toBe(2);
    expect(rounds).toHaveLength(2);
  });

  it("reads again for those who wait after a read that failed", async () => {
    const { batched, rounds } = controlledRead();
    const first = batched.run();
    const second = batched.run();
    rounds[0]!.reject(new Error("store down"));
    await expect(first).rejects.toThrow("store down");
    await expect.poll(() => rounds.length).toBe(2);
    rounds[1]!.resolve(2);
    expect(await second).toBe(2);
  });

  it("runs one round at a time, also for a caller that asks again in the moment when a round ends", async () => {
    let running = 0;
    let most = 0;
    const ends: (() => void)[] = [];
    const batched = new BatchedRead(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
    });
    const again = batched.run().then(() => batched.run());
    const waiting = batched.run();
    ends[0]!();
    await expect.poll(() => ends.length).toBe(2);
    ends[1]!();
    await Promise.all([waiting, again]);
    expect(most).toBe(1);
    expect(ends).toHaveLength(2);
  });

  it("starts at once when nothing is under way", async () => {
    const { batched, rounds } = controlledRead();
    const first = batched.run();
    rounds[0]!.resolve(1);
    await first;
    const second = batched.run();
    expect(rounds).toHaveLength(2);
    rounds[1]!.resolve(2);
    expect(await second).toBe(2);
  });
});
