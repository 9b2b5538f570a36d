import { describe, expect, it } from "vitest";
import { Inflights } from "../../../../src/core/raft/inflights.ts";
import { Progress } from "../../../../src/core/raft/progress.ts";

function progress(match: number, next: number): Progress {
  const made = new Progress({
    match,
    next,
    recentlyActive: true,
    heardAtTick: 0,
    inflights: new Inflights(2, 1_000),
  });
  return made;
}

function replicating(match: number): Progress {
  const made = progress(match, match + 1);
  made.becomeReplicate();
  return made;
}

describe("Progress", () => {
  it("sends one append with entries while probing, then waits", () => {
    const probe = progress(0, 5);
    probe.sent(0, 0, 0);
    expect(probe.blocked).toBe(false);
    probe.sent(3, 30, 0);
    expect([probe.blocked, probe.next]).toEqual([true, 5]);
  });

  it("streams while replicating until the window is full", () => {
    const stream = replicating(4);
    stream.sent(3, 30, 0);
    expect([stream.blocked, stream.next]).toEqual([false, 8]);
    stream.sent(1, 10, 0);
    expect([stream.blocked, stream.next]).toEqual([true, 9]);
  });

  it("learns nothing from an acknowledgement that it knows", () => {
    const stream = replicating(4);
    expect(stream.acknowledge(4)).toBe(false);
    expect(stream.acknowledge(3)).toBe(false);
    expect(stream.acknowledge(6)).toBe(true);
    expect([stream.match, stream.next]).toEqual([6, 7]);
  });

  it("goes back to its match when a replicated append is refused", () => {
    const stream = replicating(4);
    stream.sent(5, 50, 0);
    expect(stream.refuse(9, 2)).toBe(true);
    expect(stream.next).toBe(5);
  });

  it.each([
    { name: "replicating, at or below the match", make: () => replicating(4), refused: 4 },
    {
      name: "probing, another position than the one asked",
      make: () => progress(0, 5),
      refused: 7,
    },
  ])("drops a stale refusal: $name", ({ make, refused }) => {
    const made = make();
    const { next } = made;
    expect(made.refuse(refused, 1)).toBe(false);
    expect(made.next).toBe(next);
  });

  it("never searches below its match, nor above what was refused", () => {
    const probe = progress(3, 10);
    expect(probe.refuse(9, 1)).toBe(true);
    expect(probe.next).toBe(4);
    const high = progress(3, 10);
    expect(high.refuse(9, 50)).toBe(true);
    expect(high.next).toBe(9);
  });

  it("waits for the snapshot under way, and goes on behind it", () => {
    const made = replicating(4);
    made.becomeSnapshot(20);
    expect([made.blocked, made.pendingSnapshot, made.next]).toEqual([true, 20, 21]);
    made.becomeProbe();
    expect([made.blocked, made.pendingSnapshot, made.next]).toEqual([false, 0, 21]);
  });

  it("wants a commit index that it has not been told and can use", () => {
    const stream = replicating(4);
    stream.sent(2, 2, 3);
    expect(stream.wantsCommit(3)).toBe(false);
    expect(stream.wantsCommit(5)).toBe(true);
    stream.sent(0, 0, 6);
    expect(stream.wantsCommit(9)).toBe(false);
  });
});
