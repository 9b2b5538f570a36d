import { describe, expect, it } from "vitest";
import { ReadRounds } from "../../../../src/core/raft/read-rounds.ts";

const read = (context: number): { from: string; context: number } => ({ from: "a", context });

describe("ReadRounds", () => {
  it("covers all waiting reads by one round, and releases them with the index of its beginning", () => {
    const rounds = new ReadRounds();
    rounds.add(read(1));
    rounds.add(read(2));
    rounds.begin(7);
    expect(rounds.confirm(1)).toEqual([
      { from: "a", context: 1, index: 7 },
      { from: "a", context: 2, index: 7 },
    ]);
    expect(rounds.size).toBe(0);
  });

  it("does not release a read by an answer to an earlier round", () => {
    const rounds = new ReadRounds();
    rounds.add(read(1));
    rounds.begin(7);
    rounds.add(read(2));
    rounds.begin(8);
    expect(rounds.confirm(1).map(({ context }) => context)).toEqual([1]);
    expect(rounds.confirm(1)).toEqual([]);
    expect(rounds.confirm(2)).toEqual([{ from: "a", context: 2, index: 8 }]);
  });

  it("counts upwards only", () => {
    const rounds = new ReadRounds();
    const seen = [rounds.advanceRound()];
    rounds.begin(1);
    seen.push(rounds.round, rounds.advanceRound());
    expect(seen).toEqual([1, 2, 3]);
  });

  it("is due when reads wait and none is under way", () => {
    const rounds = new ReadRounds();
    expect(rounds.due).toBe(false);
    rounds.add(read(1));
    expect(rounds.due).toBe(true);
    rounds.begin(1);
    rounds.add(read(2));
    expect([rounds.due, rounds.anyWaiting]).toEqual([false, true]);
    rounds.confirm(1);
    expect(rounds.due).toBe(true);
  });

  it("gives all of them back when the leadership ends", () => {
    const rounds = new ReadRounds();
    rounds.add(read(1));
    rounds.begin(1);
    rounds.add(read(2));
    expect(rounds.abandonAll().map(({ context }) => context)).toEqual([1, 2]);
    expect(rounds.size).toBe(0);
  });
});
