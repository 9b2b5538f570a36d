import { describe, expect, it } from "vitest";
import { PendingProposals } from "../../../../src/core/raft/pending-proposals.ts";

describe("PendingProposals", () => {
  it("ends a proposal as committed when its very entry is applied", () => {
    const pending = new PendingProposals(10);
    pending.add(1, { term: 2, index: 5 }, 0);
    expect(pending.applied(4, 2)).toBeUndefined();
    expect(pending.applied(5, 2)).toEqual({ id: 1, outcome: "committed", term: 2, index: 5 });
    expect(pending.applied(5, 2)).toBeUndefined();
  });

  it("ends it as unknown when another entry took its place", () => {
    const pending = new PendingProposals(10);
    pending.add(1, { term: 2, index: 5 }, 0);
    expect(pending.applied(5, 3)).toEqual({ id: 1, outcome: "unknown" });
  });

  it("follows a forwarded one once the leader says where it is", () => {
    const pending = new PendingProposals(10);
    pending.add(1, undefined, 0);
    pending.placed(1, { term: 2, index: 5 });
    // A repeated answer moves nothing.
    pending.placed(1, { term: 9, index: 9 });
    expect(pending.applied(5, 2)).toMatchObject({ outcome: "committed" });
    expect(pending.size).toBe(0);
  });

  it("drops only what has no place", () => {
    const pending = new PendingProposals(10);
    pending.add(1, undefined, 0);
    pending.add(2, { term: 1, index: 1 }, 0);
    expect([pending.drop(1), pending.drop(2), pending.drop(3)]).toEqual([true, false, false]);
  });

  it("ends what a snapshot covers as unknown, and leaves the rest", () => {
    const pending = new PendingProposals(10);
    pending.add(1, { term: 1, index: 5 }, 0);
    pending.add(2, { term: 1, index: 6 }, 0);
    pending.add(3, undefined, 0);
    expect(pending.covered(5)).toEqual([{ id: 1, outcome: "unknown" }]);
    expect(pending.applied(5, 1)).toBeUndefined();
    expect(pending.abandonAll().map(({ id }) => id)).toEqual([2, 3]);
  });

  it("gives up old ones without a place, and everything when the leader is lost", () => {
    const pending = new PendingProposals(3);
    pending.add(1, undefined, 10);
    pending.add(2, { term: 1, index: 1 }, 11);
    pending.add(3, undefined, 20);
    expect(pending.full).toBe(true);
    expect(pending.abandonUnplacedBefore(15)).toEqual([{ id: 1, outcome: "unknown" }]);
    expect(pending.abandonAll().map(({ id }) => id)).toEqual([2, 3]);
    expect(pending.size).toBe(0);
  });
});
