import { describe, expect, it, vi } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { keepRenewed, type Issued, type RenewalPorts } from "../../../src/sidecar/renewal.ts";

/** Runs the loop in virtual time. */
function harness(renew: (call: number) => Issued | Error) {
  vi.useFakeTimers({ now: 0 });
  const abort = new AbortController();
  const renewals: number[] = [];
  const failures: string[] = [];
  let moved: ((recordHash: string) => void) | undefined;
  const ports: RenewalPorts = {
    renew: () => {
      renewals.push(Date.now());
      const outcome = renew(renewals.length);
      return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
    },
    watch: (listener, signal) => {
      moved = listener;
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve());
      });
    },
    failed: (what, error, retry) => failures.push(`${what}: ${error.message} (${retry})`),
    now: () => Date.now(),
    random: () => 0.999_999,
  };
  const done = keepRenewed(ports, abort.signal);
  return {
    renewals,
    failures,
    move: (recordHash: string) => moved?.(recordHash),
    advance: (millis: number) => vi.advanceTimersByTimeAsync(millis),
    stop: async () => {
      abort.abort();
      await done;
      vi.useRealTimers();
    },
  };
}

const issued = (renewAt: number, recordHash = "r1"): Issued => ({
  renewAt,
  notAfter: renewAt * 2,
  recordHash,
});

describe("keepRenewed", () => {
  it("renews at the time that the coordinator named", async () => {
    const loop = harness((call) => issued(call * 1000));
    await loop.advance(2500);
    expect(loop.renewals).toEqual([0, 1000, 2000]);
    await loop.stop();
  });

  it("renews at once when the history moves, and not when the watch repeats what is known", async () => {
    const loop = harness((call) => issued(1_000_000, call === 1 ? "r1" : "r2"));
    await loop.advance(10);
    loop.move("r1");
    await loop.advance(10);
    expect(loop.renewals).toHaveLength(1);
    loop.move("r2");
    await loop.advance(0);
    expect(loop.renewals).toEqual([0, 20]);
    await loop.stop();
  });

  it("does not renew again for news that its own renewal already took into account", async () => {
    const loop: ReturnType<typeof harness> = harness((call) => {
      if (call === 2) loop.move("r2");
      return issued(call === 1 ? 1000 : 1_000_000, call === 1 ? "r1" : "r2");
    });
    await loop.advance(5000);
    expect(loop.renewals).toEqual([0, 1000]);
    await loop.stop();
  });

  it("tries again with growing delays, and recovers", async () => {
    const loop = harness((call) =>
      call < 4 ? new QuorateError("unavailable", "down") : issued(1_000_000),
    );
    await loop.advance(10_000);
    expect(loop.renewals).toEqual([0, 250, 750, 1750]);
    expect(loop.failures).toHaveLength(3);
    await loop.stop();
  });

  it("asks a coordinator that refused it only rarely", async () => {
    const loop = harness(() => new QuorateError("attestation-failed", "not in the manifest"));
    await loop.advance(65_000);
    expect(loop.renewals).toEqual([0, 30_000, 60_000]);
    await loop.stop();
  });

  it("ends promptly while it waits", async () => {
    const loop = harness(() => issued(1_000_000));
    await loop.advance(10);
    await loop.stop();
    expect(loop.renewals).toHaveLength(1);
  });
});
