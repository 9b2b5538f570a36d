import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Authority } from "../../../src/authority/authority.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { startHeadRecheck } from "../../../src/recovery/head-recheck.ts";
import type { Peers } from "../../../src/recovery/peers.ts";

/** A recheck over one peer, counting reads of the head. */
function recheck(covered: readonly string[] = []) {
  const told = new Set<() => void>();
  const onChange = (listener: () => void) => {
    told.add(listener);
    return () => told.delete(listener);
  };
  const known = {
    reads: 0,
    heldRecord: undefined as string | undefined,
    problem: undefined as QuorateError | undefined,
  };
  const authority = {
    onChange,
    covers: (record: string) => covered.includes(record),
    refresh: () => Promise.resolve(void (known.reads += 1)),
    get problem() {
      return known.problem;
    },
  };
  const peers = { onChange, list: () => [{ standing: { heldRecord: known.heldRecord } }] };
  const stop = startHeadRecheck(authority as unknown as Authority, peers as unknown as Peers);
  onTestFinished(stop);
  const tell = (): void => {
    for (const each of told) each();
  };
  return {
    known,
    stop,
    listeners: () => told.size,
    tell,
    hold(text: string): void {
      known.heldRecord = sha256(new TextEncoder().encode(text));
      tell();
    },
  };
}

describe("The head is read again", () => {
  it("when a peer holds a record that is not known here, once for each", async () => {
    const { known, hold, tell } = recheck();
    hold("new");
    await expect.poll(() => known.reads).toBe(1);
    tell();
    await delay(20);
    expect(known.reads).toBe(1);
  });

  it("not for what is known", async () => {
    const held = sha256(new TextEncoder().encode("known"));
    const { known, hold } = recheck([held]);
    hold("known");
    await delay(20);
    expect(known.reads).toBe(0);
  });

  it("not at the pace of a peer that claims one record after another", async () => {
    const { known, hold } = recheck();
    for (let i = 0; i < 100; i++) {
      hold(`claim ${i}`);
      await delay(2);
    }
    expect(known.reads).toBe(1);
  });

  it("by itself while the store is not as it should be", async () => {
    const { known, tell } = recheck();
    known.problem = new QuorateError("rollback", "it went back");
    tell();
    await expect.poll(() => known.reads, { timeout: 5_000 }).toBeGreaterThanOrEqual(2);
  });

  it("no more once it is stopped, also in the middle of a pause", async () => {
    const { known, hold, stop, listeners } = recheck();
    hold("new");
    await expect.poll(() => known.reads).toBe(1);
    await stop();
    expect(listeners()).toBe(0);
  });
});
