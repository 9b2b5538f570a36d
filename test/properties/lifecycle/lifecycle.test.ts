import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Epoch, Generation } from "../../../src/core/brand.ts";
import type { HeadClass, RecordPlace } from "../../../src/core/history/index.ts";
import {
  becomeReady,
  type CoordinatorState,
  currentState,
  initialLifecycle,
  type Lifecycle,
  mayIssue,
  observeHead,
  storeFailed,
} from "../../../src/core/lifecycle/lifecycle.ts";
import { sha256 } from "../../unit/core/history/sample-records.ts";

type State = CoordinatorState<undefined>;

/** The one history of the world: position i is generation i + 1 within epoch 1. */
function place(position: number): RecordPlace {
  return {
    hash: sha256(`${position}`),
    generation: (position + 1) as Generation,
    epoch: 1 as Epoch,
    group: sha256("0"),
  };
}

/** A step: something is computed from the state captured `lag` states ago, or the store fails or lies. */
const steps = fc.array(
  fc.record({
    what: fc.constantFrom("install", "observe", "fail", "lie", "fork"),
    lag: fc.nat(2),
    ahead: fc.nat(3),
    prepared: fc.boolean(),
  }),
  { maxLength: 30 },
);

describe("the lifecycle under random orders of events", () => {
  it("never goes back, never revives a stale state, and never issues behind a head that it has seen", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(steps, (events) => {
        let lifecycle: Lifecycle<undefined> = initialLifecycle();
        const captured: (State | undefined)[] = [undefined];
        const wasStale = new Set<State>();
        let newestHead = -1;
        for (const { what, lag, ahead, prepared } of events) {
          const before = currentState(lifecycle);
          const from = captured.at(-1 - (lag % captured.length));
          const position = from === undefined ? -1 : from.place.generation - 1;
          if (what === "fail") {
            lifecycle = storeFailed(lifecycle, "no answer");
            expect(currentState(lifecycle)).toBe(before);
          } else if (what === "install") {
            const next: State = { place: place(position + ahead), payload: undefined };
            if (position + ahead < 0) continue;
            const { outcome, lifecycle: after } = becomeReady(lifecycle, { from, next });
            if (outcome !== "done") expect(after).toBe(lifecycle);
            if (outcome === "done") captured.push(next);
            lifecycle = after;
            seen.add(outcome);
          } else if (from !== undefined) {
            const head = headFor(what, position + ahead, ahead);
            const { outcome, lifecycle: after } = observeHead(lifecycle, { from, head, prepared });
            if (outcome === "done" && head.kind === "follow") {
              newestHead = Math.max(newestHead, head.head.generation - 1);
            }
            expect(currentState(after)).toBe(before);
            lifecycle = after;
          }
          const now = currentState(lifecycle);
          if (now === undefined) continue;
          seen.add(lifecycle.kind);
          if (before !== undefined && now !== before) {
            expect(now.place.generation).toBeGreaterThan(before.place.generation);
          }
          if (lifecycle.kind === "stale") wasStale.add(now);
          else expect(wasStale.has(now)).toBe(false);
          if (mayIssue(lifecycle, now)) {
            expect(now.place.generation - 1).toBeGreaterThanOrEqual(newestHead);
          }
        }
      }),
      { numRuns: 3_000 },
    );
    expect([...seen].sort()).toEqual(
      ["activating", "already", "done", "not-newer", "outdated", "ready", "stale"].sort(),
    );
  });
});

function headFor(what: "observe" | "lie" | "fork", position: number, ahead: number): HeadClass {
  if (what === "lie") return { kind: "rollback", to: "missing" };
  if (what === "fork") return { kind: "fork", reason: "unverified" };
  return ahead === 0 ? { kind: "same" } : { kind: "follow", head: place(position) };
}
