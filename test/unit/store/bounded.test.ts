import { describe, expect, it } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { bounded, type Call } from "../../../src/store/bounded.ts";

const never = (): Promise<never> => new Promise(() => undefined);

describe("a bounded operation", () => {
  it("gives the result or the error of the operation", async () => {
    expect(await bounded("work", {}, () => Promise.resolve(7))).toBe(7);
    await expect(bounded("work", {}, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  });

  it("ends at the deadline, whatever the operation does", async () => {
    await expect(bounded("work", { timeoutMs: 10 }, never)).rejects.toMatchObject({
      code: "deadline-exceeded",
      message: "work took longer than 10 ms",
    });
  });

  it("ends when the signal fires and forgets the signal afterwards", async () => {
    const controller = new AbortController();
    const waiting = bounded("work", { signal: controller.signal }, never);
    controller.abort(new Error("why"));
    await expect(waiting).rejects.toMatchObject({ code: "cancelled", cause: { message: "why" } });
  });

  it("lets the operation find out that nobody waits any more", async () => {
    const controller = new AbortController();
    let call: Call | undefined;
    const waiting = bounded("work", { signal: controller.signal }, (running) => {
      call = running;
      running.assertWaiting();
      expect(running.remainingMs()).toBeGreaterThan(1000);
      return never();
    });
    controller.abort();
    await expect(waiting).rejects.toBeInstanceOf(QuorateError);
    expect(() => call?.assertWaiting()).toThrow("work was cancelled");
  });

  it("gives what the caller makes of the lateness", async () => {
    const result = bounded<string>("work", { timeoutMs: 5 }, never, ({ code }) => code);
    expect(await result).toBe("deadline-exceeded");
  });

  it("does not begin what is late from the start", async () => {
    let begun = 0;
    const operation = (): Promise<number> => Promise.resolve(begun++);
    await expect(bounded("work", { timeoutMs: 0 }, operation)).rejects.toThrow("longer than 0 ms");
    await expect(bounded("work", { signal: AbortSignal.abort() }, operation)).rejects.toThrow(
      "cancelled",
    );
    expect(begun).toBe(0);
  });
});
