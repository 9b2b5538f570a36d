/**
 * The lifecycle of a coordinator's state: uninitialized, ready, activating, stale.
 *
 * Every function takes the current lifecycle and gives the next one; the shell keeps it in one variable. What changes
 * it names the state object that it was computed from, and is refused if another one has taken its place meanwhile.
 *
 * A state object is never changed and never comes back: once it was stale, only a newer object can be ready. There is
 * no transition from an error of the store to stale; only a verified head makes a state stale.
 */
import { chainLength } from "../history/link.ts";
import type { HeadClass, RecordPlace } from "../history/classify.ts";

/** An immutable state: the record that it enforces, and whatever the shell needs for that (manifest, keys, mesh CA). */
export interface CoordinatorState<Payload> {
  readonly place: RecordPlace;
  readonly payload: Payload;
}

/** What the store's head last showed, measured against the current state. */
export type StoreStanding =
  /** Not read yet. */
  | { readonly kind: "unknown" }
  /** It shows the current record or a descendant. */
  | { readonly kind: "agrees" }
  /** It did not answer. Whatever needs a fresh read fails until it does. */
  | { readonly kind: "failing"; readonly reason: string }
  /** It shows something that has to be re-asserted. */
  | { readonly kind: "lying"; readonly shown: "rollback" | "corruption" | "branch" }
  /** FORK: issue nothing, write nothing. */
  | { readonly kind: "fork"; readonly reason: string };

/** Where a coordinator stands. */
export type Lifecycle<Payload> =
  | {
      readonly kind: "uninitialized";
      readonly store: StoreStanding;
      /** Whether the store has a head; `undefined` until it was read. */
      readonly storeHasHead: boolean | undefined;
    }
  | {
      readonly kind: "ready";
      readonly store: StoreStanding;
      readonly state: CoordinatorState<Payload>;
    }
  /** The head has moved to a record whose key this instance holds: the next state is being made. */
  | {
      readonly kind: "activating";
      readonly store: StoreStanding;
      readonly state: CoordinatorState<Payload>;
      readonly head: RecordPlace;
    }
  /** The head has moved past the state. */
  | {
      readonly kind: "stale";
      readonly store: StoreStanding;
      readonly state: CoordinatorState<Payload>;
      readonly head: RecordPlace;
    };

/** What came of a change. Only `done` gives another lifecycle. */
export type Outcome =
  | "done"
  /** The current state enforces that record already: a repeated answer. */
  | "already"
  /** The change was computed from a state that is no longer the current one: compute it again. */
  | "outdated"
  /** The offered record lies behind the current one. */
  | "not-newer";

/** A lifecycle and how it came about. */
export interface Transition<Payload> {
  readonly outcome: Outcome;
  readonly lifecycle: Lifecycle<Payload>;
}

/** A process that has just started. */
export function initialLifecycle<Payload>(): Lifecycle<Payload> {
  return { kind: "uninitialized", store: { kind: "unknown" }, storeHasHead: undefined };
}

/** The current state object, whatever its condition. */
export function currentState<Payload>(
  lifecycle: Lifecycle<Payload>,
): CoordinatorState<Payload> | undefined {
  return lifecycle.kind === "uninitialized" ? undefined : lifecycle.state;
}

/**
 * Puts `next` in the place of the state `from` that it was computed from (`undefined`: there was none): genesis, the
 * activation of an update, recovery, heal.
 *
 * If a head beyond `next` is known already, `next` is current but stale.
 */
export function becomeReady<Payload>(
  lifecycle: Lifecycle<Payload>,
  change: {
    readonly from: CoordinatorState<Payload> | undefined;
    readonly next: CoordinatorState<Payload>;
  },
): Transition<Payload> {
  const { from, next } = change;
  const current = currentState(lifecycle);
  if (current?.place.hash === next.place.hash && lifecycle.kind !== "stale") {
    return { outcome: "already", lifecycle };
  }
  if (current !== from) return { outcome: "outdated", lifecycle };
  if (current !== undefined && !isNewer(next.place, current.place)) {
    return { outcome: "not-newer", lifecycle };
  }
  const { store } = lifecycle;
  const head = observedHead(lifecycle);
  if (head !== undefined && isNewer(head, next.place)) {
    return { outcome: "done", lifecycle: { kind: "stale", store, state: next, head } };
  }
  return { outcome: "done", lifecycle: { kind: "ready", store, state: next } };
}

/**
 * Takes note of a verified head, classified against the state `from`.
 *
 * @param observation.prepared whether this instance holds all that it needs to enforce exactly that head.
 */
export function observeHead<Payload>(
  lifecycle: Lifecycle<Payload>,
  observation: {
    readonly from: CoordinatorState<Payload>;
    readonly head: HeadClass;
    readonly prepared: boolean;
  },
): Transition<Payload> {
  if (lifecycle.kind === "uninitialized" || lifecycle.state !== observation.from) {
    return { outcome: "outdated", lifecycle };
  }
  const { head, prepared } = observation;
  switch (head.kind) {
    case "same":
      return done({ ...lifecycle, store: { kind: "agrees" } });
    case "rollback":
    case "corruption":
    case "branch":
      // A FORK ends only when the store shows our record or a descendant.
      if (lifecycle.store.kind === "fork") return done(lifecycle);
      return done({ ...lifecycle, store: { kind: "lying", shown: head.kind } });
    case "fork":
      return done({ ...lifecycle, store: { kind: "fork", reason: head.reason } });
    case "follow":
      return done(headMoved(lifecycle, head.head, prepared));
    case "taken-over":
      // Another group's key is not to be had from a prepare.
      return done(headMoved(lifecycle, head.head, false));
  }
}

/** Takes note, while there is no state, of whether the store has a head. */
export function observeUninitialized<Payload>(
  lifecycle: Lifecycle<Payload>,
  storeHasHead: boolean,
): Transition<Payload> {
  if (lifecycle.kind !== "uninitialized") return { outcome: "outdated", lifecycle };
  return done({ kind: "uninitialized", store: { kind: "agrees" }, storeHasHead });
}

/** Takes note of an error of the store, its watch, or the walk over its documents. Nothing becomes stale by it. */
export function storeFailed<Payload>(
  lifecycle: Lifecycle<Payload>,
  reason: string,
): Lifecycle<Payload> {
  if (lifecycle.store.kind === "fork") return lifecycle;
  return { ...lifecycle, store: { kind: "failing", reason } };
}

/** True where peer recovery, heal and user recovery may be attempted. */
export function inRecoveryMode(lifecycle: Lifecycle<unknown>): boolean {
  switch (lifecycle.kind) {
    case "uninitialized":
      return lifecycle.storeHasHead === true;
    case "stale":
      return true;
    case "ready":
    case "activating":
      return false;
  }
}

/**
 * True if a call that captured `state` may still answer from it, as far as memory can tell.
 *
 * **Security:** necessary, not sufficient: every issuance also needs a read of the head, begun after the request, that
 * showed the state's record.
 */
export function mayIssue<Payload>(
  lifecycle: Lifecycle<Payload>,
  state: CoordinatorState<Payload>,
): boolean {
  return lifecycle.kind === "ready" && lifecycle.state === state && lifecycle.store.kind !== "fork";
}

function headMoved<Payload>(
  lifecycle: Exclude<Lifecycle<Payload>, { kind: "uninitialized" }>,
  head: RecordPlace,
  prepared: boolean,
): Lifecycle<Payload> {
  const store: StoreStanding = { kind: "agrees" };
  const known = observedHead(lifecycle);
  // Reads can be answered out of order.
  if (known !== undefined && isNewer(known, head)) return { ...lifecycle, store };
  const { state } = lifecycle;
  const activates = prepared && lifecycle.kind !== "stale";
  return { kind: activates ? "activating" : "stale", store, state, head };
}

/** The newest verified head beyond the current state. */
function observedHead(lifecycle: Lifecycle<unknown>): RecordPlace | undefined {
  return lifecycle.kind === "activating" || lifecycle.kind === "stale" ? lifecycle.head : undefined;
}

function isNewer(a: RecordPlace, b: RecordPlace): boolean {
  return a.epoch >= b.epoch && a.generation >= b.generation && chainLength(a) > chainLength(b);
}

function done<Payload>(lifecycle: Lifecycle<Payload>): Transition<Payload> {
  return { outcome: "done", lifecycle };
}
