import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { hedged } from "../../../src/recovery/hedged.ts";

const { signal } = new AbortController();

describe("Hedged attempts", () => {
  it("ask the next one when the first is slow, and give what comes first", async () => {
    const asked: string[] = [];
    const attempt = async (name: string, over: AbortSignal): Promise<string> => {
      asked.push(name);
      await delay(name === "slow" ? 60_000 : 1, undefined, { signal: over });
      return name;
    };
    const discard = () => expect.unreachable("the slow one was aborted");
    const options = { hedgeMillis: 5, signal, discard };
    expect(await hedged(["slow", "quick", "third"], attempt, options)).toBe("quick");
    expect(asked).toEqual(["slow", "quick"]);
  });

  it("ask the next one at once when the first fails, and fail as the first did", async () => {
    const attempt = (name: string): Promise<string> => Promise.reject(new Error(`${name} failed`));
    const options = { hedgeMillis: 60_000, signal, discard: () => undefined };
    await expect(hedged(["one", "two"], attempt, options)).rejects.toThrow("one failed");
  });

  it("hand over what came too late, so that nothing secret of it stays behind", async () => {
    const discarded: string[] = [];
    // Neither listens to the signal: the answer is there already.
    const attempt = async (name: string): Promise<string> => {
      await delay(name === "one" ? 20 : 10);
      return name;
    };
    const discard = (late: string) => void discarded.push(late);
    const options = { hedgeMillis: 1, signal, discard };
    expect(await hedged(["one", "two"], attempt, options)).toBe("two");
    await expect.poll(() => discarded).toEqual(["one"]);
  });

  it("end with the signal's reason once nobody wants the result any more", async () => {
    const closing = new AbortController();
    const attempt = (_: string, over: AbortSignal): Promise<string> =>
      delay(60_000, "never", { signal: over });
    const outcome = hedged(["one", "two"], attempt, {
      ...{ hedgeMillis: 5, signal: closing.signal, discard: () => undefined },
    });
    closing.abort();
    await expect(outcome).rejects.toThrow();
  });
});
