import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findAnomaly } from "./check.ts";
import type { Action, Operation } from "./history.ts";

/** An operation on register 0 from `calledAt` to `returnedAt`. */
function op(calledAt: number, returnedAt: number, action: Action): Operation {
  return { register: 0, action, calledAt, returnedAt };
}

const write = (value: number): Action => ({ kind: "write", value });
const read = (returned: number): Action => ({ kind: "read", returned });
const swap = (expected: number, value: number, found: number): Action => ({
  kind: "swap",
  expected,
  value,
  found,
});
const unanswered = (expected: number, value: number): Action => ({
  kind: "swap-unanswered",
  expected,
  value,
});

const GOOD: readonly [string, Operation[]][] = [
  ["nothing", []],
  ["a read of a register that nobody wrote", [op(1, 2, read(0))]],
  ["a read after a write", [op(1, 2, write(5)), op(3, 4, read(5))]],
  ["a read of the old value during a write", [op(1, 4, write(5)), op(2, 3, read(0))]],
  ["a read of the new value during a write", [op(1, 4, write(5)), op(2, 3, read(5))]],
  [
    "two concurrent writes in the order that later reads show",
    [op(1, 4, write(5)), op(2, 3, write(6)), op(5, 6, read(5)), op(7, 8, read(5))],
  ],
  [
    "an unknown write that took effect late",
    [op(1, Infinity, write(5)), op(2, 3, read(0)), op(4, 5, read(5))],
  ],
  ["an unknown write that never took effect", [op(1, Infinity, write(5)), op(2, 3, read(0))]],
  [
    "a swap that found what it expected",
    [op(1, 2, write(5)), op(3, 4, swap(5, 6, 5)), op(5, 6, read(6))],
  ],
  [
    "a swap that found something else",
    [op(1, 2, write(5)), op(3, 4, swap(4, 6, 5)), op(5, 6, read(5))],
  ],
  [
    "an unanswered swap on top of an unknown write, seen by nobody but a read of its value",
    [op(1, Infinity, write(5)), op(2, Infinity, unanswered(5, 6)), op(3, 4, read(6))],
  ],
  [
    "registers that do not touch each other",
    [op(1, 2, write(5)), { register: 1, action: read(0), calledAt: 3, returnedAt: 4 }],
  ],
];

const BAD: readonly [string, Operation[]][] = [
  ["a stale read after a write", [op(1, 2, write(5)), op(3, 4, read(0))]],
  ["a read of a value that nobody wrote", [op(1, 2, write(5)), op(3, 4, read(7))]],
  ["a read of what is written only later", [op(1, 2, read(5)), op(3, 4, write(5))]],
  [
    "two reads that see a write and then don't",
    [op(1, 8, write(5)), op(2, 3, read(5)), op(4, 5, read(0))],
  ],
  [
    "two reads that disagree about the order of two writes",
    [op(1, 2, write(5)), op(3, 4, write(6)), op(5, 6, read(5))],
  ],
  [
    "a value that comes back",
    [op(1, 2, write(5)), op(3, 4, write(6)), op(5, 6, read(6)), op(7, 8, read(5))],
  ],
  ["two swaps that both won", [op(1, 6, swap(0, 5, 0)), op(2, 5, swap(0, 6, 0))]],
  [
    "an unknown write that took effect twice",
    [op(1, Infinity, write(5)), op(2, 3, read(5)), op(4, 5, write(6)), op(6, 7, read(5))],
  ],
  [
    "an unanswered swap whose condition never held",
    [op(1, 2, write(4)), op(3, Infinity, unanswered(5, 6)), op(7, 8, read(6))],
  ],
];

describe("the linearizability checker", () => {
  for (const [title, history] of GOOD) {
    it(`accepts ${title}`, () => {
      expect(findAnomaly(history)).toBeUndefined();
    });
  }

  for (const [title, history] of BAD) {
    it(`refuses ${title}`, () => {
      expect(findAnomaly(history)).toMatchObject({ register: 0 });
    });
  }

  it("agrees with trying every order of every choice of unknown operations", () => {
    let refused = 0;
    fc.assert(
      fc.property(histories(), (history) => {
        const expected = someOrderFits(history);
        if (!expected) refused++;
        expect(findAnomaly(history) === undefined).toBe(expected);
      }),
      { numRuns: 3_000, seed: 20 },
    );
    // Of both kinds there must be many, else they agree about nothing.
    expect(refused).toBeGreaterThan(300);
    expect(refused).toBeLessThan(2_700);
  });

  it("decides a long history of many clients with unknown outcomes in well under a second", () => {
    const history: Operation[] = [];
    let value = 0;
    for (let at = 0; at < 20_000; at += 10) {
      history.push(op(at, Infinity, write(1_000_000 + at)));
      history.push(op(at + 1, at + 9, write(at)), op(at + 2, at + 8, read(value)));
      value = at;
    }
    expect(findAnomaly(history)).toBeUndefined();
    history.push(op(20_001, 20_002, read(3)));
    expect(findAnomaly(history)).toBeDefined();
  }, 5_000);
});

/** Up to six operations with unique values and times. */
function histories(): fc.Arbitrary<Operation[]> {
  const value = fc.integer({ min: 0, max: 6 });
  const one = fc.record({
    kind: fc.constantFrom("write", "read", "swap", "unknown write", "unknown swap"),
    a: value,
    b: value,
    calledAt: fc.integer({ min: 0, max: 20 }),
    length: fc.integer({ min: 1, max: 8 }),
  });
  return fc.array(one, { minLength: 1, maxLength: 6 }).map((drawn) =>
    drawn.map(({ kind, a, b, calledAt, length }, index) => {
      // The fraction makes all times different.
      const from = calledAt + index / 100;
      const to = from + length + 0.005;
      switch (kind) {
        case "write":
          return op(from, to, write(index + 1));
        case "read":
          return op(from, to, read(a));
        case "swap":
          return op(from, to, swap(a, index + 1, b));
        case "unknown write":
          return op(from, Infinity, write(index + 1));
        default:
          return op(from, Infinity, unanswered(a, index + 1));
      }
    }),
  );
}

/** The definition itself: some order of all that returned and some that did not keeps time and explains every answer. */
function someOrderFits(history: readonly Operation[]): boolean {
  const fits = (left: readonly Operation[], value: number): boolean => {
    if (left.every(({ returnedAt }) => returnedAt === Infinity)) return true;
    return left.some((candidate) => {
      if (left.some(({ returnedAt }) => returnedAt < candidate.calledAt)) return false;
      const { action } = candidate;
      const rest = left.filter((one) => one !== candidate);
      if (action.kind === "write") return fits(rest, action.value);
      if (action.kind === "read") return action.returned === value && fits(rest, value);
      if (action.kind === "swap" && action.found !== value) return false;
      return fits(rest, action.expected === value ? action.value : value);
    });
  };
  return fits(history, 0);
}
