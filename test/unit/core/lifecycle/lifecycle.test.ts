import { describe, expect, it } from "vitest";
import type { Epoch, Generation } from "../../../../src/core/brand.ts";
import type { HeadClass, RecordPlace } from "../../../../src/core/history/index.ts";
import {
  becomeReady,
  type CoordinatorState,
  currentState,
  initialLifecycle,
  inRecoveryMode,
  type Lifecycle,
  mayIssue,
  observeHead,
  observeUninitialized,
  storeFailed,
  type Transition,
} from "../../../../src/core/lifecycle/lifecycle.ts";
import { sha256 } from "../history/sample-records.ts";

type State = CoordinatorState<string>;

function place(generation: number, epoch = 1): RecordPlace {
  return {
    hash: sha256(`${generation}/${epoch}`),
    generation: generation as Generation,
    epoch: epoch as Epoch,
    group: sha256(`opener of ${epoch}`),
  };
}

/** A new state object each time, also for the same record. */
function state(generation: number, epoch = 1): State {
  return { place: place(generation, epoch), payload: `keys of ${generation}/${epoch}` };
}

function done(transition: Transition<string>): Lifecycle<string> {
  expect(transition.outcome).toBe("done");
  return transition.lifecycle;
}

const same: HeadClass = { kind: "same" };
const follow = (generation: number): HeadClass => ({ kind: "follow", head: place(generation) });
const takenOver = (generation: number, epoch: number): HeadClass => ({
  kind: "taken-over",
  head: place(generation, epoch),
});
const fork: HeadClass = { kind: "fork", reason: "other-history" };
const lies: HeadClass[] = [
  { kind: "rollback", to: "missing" },
  { kind: "corruption", found: "unparsable" },
  { kind: "branch", head: place(2) },
];

const start = initialLifecycle<string>();
const s1 = state(1);
const ready1 = done(becomeReady(start, { from: undefined, next: s1 }));

/** What the watch's reader does: observes the head against whatever state is current. */
function watch(lifecycle: Lifecycle<string>, head: HeadClass, prepared = false) {
  return observeHead(lifecycle, { from: currentState(lifecycle)!, head, prepared });
}

describe("the lifecycle of a state", () => {
  it("begins uninitialized, in recovery mode only once the store is known to have a head", () => {
    expect(inRecoveryMode(start)).toBe(false);
    expect(inRecoveryMode(done(observeUninitialized(start, false)))).toBe(false);
    expect(inRecoveryMode(done(observeUninitialized(start, true)))).toBe(true);
    expect(observeUninitialized(ready1, true)).toEqual({ outcome: "outdated", lifecycle: ready1 });
  });

  it("issues from the current ready state object and from no other", () => {
    expect(mayIssue(ready1, s1)).toBe(true);
    expect(mayIssue(ready1, state(1))).toBe(false);
    expect(mayIssue(start, s1)).toBe(false);
  });

  it("becomes stale by a head beyond its state, and only a newer state object ends that", () => {
    const stale = done(watch(ready1, takenOver(1, 2)));
    expect(stale).toMatchObject({ kind: "stale", state: s1, head: place(1, 2) });
    expect(inRecoveryMode(stale)).toBe(true);
    expect(mayIssue(stale, s1)).toBe(false);
    expect(becomeReady(stale, { from: s1, next: s1 }).outcome).toBe("not-newer");
    expect(becomeReady(stale, { from: s1, next: state(1) }).outcome).toBe("not-newer");
    const recovered = done(becomeReady(stale, { from: s1, next: state(1, 2) }));
    expect(recovered.kind).toBe("ready");
    expect(inRecoveryMode(recovered)).toBe(false);
  });

  it("stays stale although its own record is shown again, or a prepare turns up", () => {
    const stale = done(watch(ready1, follow(2)));
    expect(done(watch(stale, same)).kind).toBe("stale");
    expect(done(watch(stale, follow(2), true)).kind).toBe("stale");
    expect(done(watch(stale, follow(3), true))).toMatchObject({ kind: "stale", head: place(3) });
  });

  it("activates a head that it has prepared for: neither stale, nor in recovery mode, nor issuing", () => {
    const activating = done(watch(ready1, follow(2), true));
    expect(activating).toMatchObject({ kind: "activating", state: s1, head: place(2) });
    expect(inRecoveryMode(activating)).toBe(false);
    expect(mayIssue(activating, s1)).toBe(false);
  });

  it("becomes stale when the prepare for the observed head is gone", () => {
    const activating = done(watch(ready1, follow(2), true));
    expect(done(watch(activating, follow(2), false)).kind).toBe("stale");
  });

  it("never activates a takeover, for which no prepare can hold the key", () => {
    expect(done(watch(ready1, takenOver(1, 2), true)).kind).toBe("stale");
  });

  it("does not become stale by an error of the store, however often", () => {
    let lifecycle = ready1;
    for (let i = 0; i < 3; i++) lifecycle = storeFailed(lifecycle, "no answer");
    expect(lifecycle).toEqual({ ...ready1, store: { kind: "failing", reason: "no answer" } });
    expect(currentState(lifecycle)).toBe(s1);
    expect(done(watch(lifecycle, same))).toMatchObject({
      kind: "ready",
      store: { kind: "agrees" },
    });
    expect(storeFailed(start, "no answer")).toMatchObject({ kind: "uninitialized" });
  });

  it.each(lies)("does not become stale by a store that shows a $kind", (lie) => {
    const lifecycle = done(watch(ready1, lie));
    expect(lifecycle).toMatchObject({ kind: "ready", store: { kind: "lying", shown: lie.kind } });
    expect(currentState(lifecycle)).toBe(s1);
  });

  it("issues nothing in a FORK, until the store shows its record or a descendant", () => {
    const forked = done(watch(ready1, fork));
    expect(mayIssue(forked, s1)).toBe(false);
    for (const lie of lies) expect(done(watch(forked, lie)).store.kind).toBe("fork");
    expect(storeFailed(forked, "no answer").store.kind).toBe("fork");
    expect(mayIssue(done(watch(forked, same)), s1)).toBe(true);
    expect(done(watch(forked, follow(2)))).toMatchObject({
      kind: "stale",
      store: { kind: "agrees" },
    });
  });

  it("keeps the newest head when reads are answered out of order", () => {
    const stale = done(watch(done(watch(ready1, follow(3))), follow(2)));
    expect(stale).toMatchObject({ kind: "stale", head: place(3) });
    const activating = done(watch(ready1, follow(3), true));
    expect(done(watch(activating, follow(2), false))).toMatchObject({
      kind: "activating",
      head: place(3),
    });
  });

  it("goes through a record that the head has passed already, as stale", () => {
    const stale = done(watch(ready1, follow(3)));
    const s2 = state(2);
    const between = done(becomeReady(stale, { from: s1, next: s2 }));
    expect(between).toMatchObject({ kind: "stale", state: s2, head: place(3) });
    expect(done(becomeReady(between, { from: s2, next: state(3) })).kind).toBe("ready");
  });
});

describe("races", () => {
  it("own update and its watch event: in either order the update is installed once", () => {
    const s2 = state(2);
    // The event comes first.
    const activating = done(watch(ready1, follow(2), true));
    const ready2 = done(becomeReady(activating, { from: s1, next: s2 }));
    expect(ready2).toMatchObject({ kind: "ready", state: s2 });
    // The event's reader installs the same record as well.
    expect(becomeReady(ready2, { from: s1, next: state(2) })).toEqual({
      outcome: "already",
      lifecycle: ready2,
    });
    // The event comes last: measured against the new state it is the same, against the old one it is outdated.
    expect(done(watch(ready2, same))).toMatchObject({ kind: "ready", state: s2 });
    const late = observeHead(ready2, { from: s1, head: follow(2), prepared: true });
    expect(late).toEqual({ outcome: "outdated", lifecycle: ready2 });
  });

  it("two quick updates: the event of the first cannot undo the second", () => {
    const s2 = state(2);
    const s3 = state(3);
    const ready2 = done(becomeReady(ready1, { from: s1, next: s2 }));
    const ready3 = done(becomeReady(ready2, { from: s2, next: s3 }));
    expect(observeHead(ready3, { from: s1, head: follow(2), prepared: false }).outcome).toBe(
      "outdated",
    );
    expect(observeHead(ready3, { from: s2, head: follow(3), prepared: false }).outcome).toBe(
      "outdated",
    );
    expect(done(watch(ready3, same))).toMatchObject({ kind: "ready", state: s3 });
  });

  it("two quick updates: of two computed from one state, one is installed", () => {
    const mine = done(becomeReady(ready1, { from: s1, next: state(2) }));
    const other: State = {
      place: { ...place(2), hash: sha256("the other") },
      payload: "other keys",
    };
    expect(becomeReady(mine, { from: s1, next: other })).toEqual({
      outcome: "outdated",
      lifecycle: mine,
    });
  });

  it("update during recovery: what was recovered is stale if the head has moved meanwhile", () => {
    const stale = done(watch(ready1, takenOver(1, 2)));
    const moved = done(watch(stale, takenOver(2, 2)));
    const recovered = state(1, 2);
    const installed = done(becomeReady(moved, { from: s1, next: recovered }));
    expect(installed).toMatchObject({ kind: "stale", state: recovered, head: place(2, 2) });
    expect(inRecoveryMode(installed)).toBe(true);
    expect(mayIssue(installed, recovered)).toBe(false);
  });

  it("update during recovery: of two recoveries one is installed, the other has to look again", () => {
    const first = done(becomeReady(start, { from: undefined, next: state(1, 2) }));
    expect(becomeReady(first, { from: undefined, next: state(2, 2) }).outcome).toBe("outdated");
    expect(becomeReady(first, { from: undefined, next: state(1, 2) }).outcome).toBe("already");
  });

  it("lost answer then repeat: the repeated update finds its record installed and changes nothing", () => {
    const s2 = state(2);
    const ready2 = done(becomeReady(ready1, { from: s1, next: s2 }));
    const again = becomeReady(ready2, { from: s1, next: state(2) });
    expect(again.outcome).toBe("already");
    expect(currentState(again.lifecycle)).toBe(s2);
  });

  it("ambiguous swap that lands late: nothing changes until the head has moved, then it activates", () => {
    // The swap's outcome is unknown: the store failed, and the old record is still enforced.
    const unknown = storeFailed(ready1, "the swap's answer was lost");
    expect(mayIssue(unknown, s1)).toBe(true);
    const unmoved = done(watch(unknown, same));
    expect(unmoved.kind).toBe("ready");
    // It lands; the prepare was kept.
    const landed = done(watch(unmoved, follow(2), true));
    expect(landed.kind).toBe("activating");
    expect(mayIssue(landed, s1)).toBe(false);
    expect(done(becomeReady(landed, { from: s1, next: state(2) })).kind).toBe("ready");
  });

  it("ambiguous swap that lands late: after another update it is only a head seen out of date", () => {
    const ready2 = done(becomeReady(ready1, { from: s1, next: state(2) }));
    const stale = observeHead(ready2, { from: s1, head: follow(2), prepared: true });
    expect(stale.outcome).toBe("outdated");
    expect(stale.lifecycle).toBe(ready2);
  });
});
