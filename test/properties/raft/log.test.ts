/** The log against a list that is copied on every change. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RaftLog } from "../../../src/core/raft/log.ts";
import { entryBytes } from "../../../src/core/raft/entry.ts";
import { NO_DATA, plainConfiguration, type Entry } from "../../../src/core/raft/index.ts";

/** Terms by index, from 1; the simple second implementation. `dropped` positions keep their term here. */
interface Model {
  readonly terms: readonly number[];
  readonly dropped: number;
  readonly commit: number;
  readonly applied: number;
}

type Action =
  | { readonly kind: "take"; readonly back: number; readonly terms: readonly number[] }
  | { readonly kind: "commit" | "apply" | "compact"; readonly by: number }
  | { readonly kind: "restore"; readonly ahead: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    kind: fc.constant("take" as const),
    back: fc.nat(4),
    terms: fc.array(fc.nat(2), { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constantFrom("commit" as const, "apply" as const, "compact" as const),
    by: fc.nat(4),
  }),
  fc.record({ kind: fc.constant("restore" as const), ahead: fc.integer({ min: 1, max: 3 }) }),
);

function entryOf(term: number, index: number): Entry {
  return { kind: "normal", term, index, data: NO_DATA };
}

/** Does `wanted` to both, if it is allowed at all; returns the model afterwards. */
function act(log: RaftLog, model: Model, wanted: Action): Model {
  const last = model.terms.length;
  switch (wanted.kind) {
    case "take": {
      // A leader's message builds on a position that both have; what is committed it never changes.
      const previous = Math.max(model.commit, last - wanted.back);
      let term = model.terms[previous - 1] ?? 0;
      const entries = wanted.terms.map((step, at) => entryOf((term += step), previous + 1 + at));
      log.take(entries);
      const conflict = entries.find((entry) => model.terms[entry.index - 1] !== entry.term);
      if (conflict === undefined) return model;
      const rest = entries.filter((entry) => entry.index >= conflict.index);
      const terms = [
        ...model.terms.slice(0, conflict.index - 1),
        ...rest.map((entry) => entry.term),
      ];
      return { ...model, terms };
    }
    case "commit": {
      const commit = Math.min(model.commit + wanted.by, last);
      log.commitTo(commit);
      return { ...model, commit };
    }
    case "apply": {
      const applied = Math.min(model.applied + wanted.by, model.commit);
      log.markApplied(applied);
      return { ...model, applied };
    }
    case "compact": {
      log.compact(model.dropped + wanted.by);
      return { ...model, dropped: Math.min(model.dropped + wanted.by, model.applied) };
    }
    case "restore": {
      const index = model.commit + wanted.ahead;
      const term = (model.terms.at(-1) ?? 0) + 1;
      log.restore({ index, term, configuration: plainConfiguration([]), data: NO_DATA });
      log.markSnapshotLoaded();
      const terms = Array.from({ length: index }, () => term);
      return { terms, dropped: index, commit: index, applied: index };
    }
  }
}

describe("RaftLog", () => {
  it("does what a list of terms would do", () => {
    let truncations = 0;
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const log = new RaftLog();
        let model: Model = { terms: [], dropped: 0, commit: 0, applied: 0 };
        for (const wanted of actions) {
          const before = model.terms.length;
          model = act(log, model, wanted);
          if (model.terms.length < before) truncations++;
          const { terms, dropped, commit, applied } = model;
          expect([log.lastIndex, log.firstIndex, log.commit, log.applied]).toEqual([
            terms.length,
            dropped + 1,
            commit,
            applied,
          ]);
          for (let index = 1; index <= terms.length + 1; index++) {
            const known = index >= dropped ? terms[index - 1] : undefined;
            expect(log.termAt(index)).toBe(known);
          }
          const kept = log.entriesFrom(log.firstIndex, Number.MAX_SAFE_INTEGER);
          expect(kept.map((entry) => entry.term)).toEqual(terms.slice(dropped));
          expect(log.bytes).toBe(kept.reduce((sum, entry) => sum + entryBytes(entry), 0));
          expect(log.lastTerm).toBe(terms.at(-1) ?? 0);
        }
      }),
      { numRuns: 300 },
    );
    expect(truncations).toBeGreaterThan(0);
  });

  it("finds the last position whose term is not above another's", () => {
    const steps = fc.array(fc.nat(2), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(steps, fc.nat(25), fc.nat(40), (increments, index, term) => {
        const log = new RaftLog();
        let own = 1;
        const terms = increments.map((step) => (own += step));
        log.appendOwn(terms.map((each, at) => entryOf(each, at + 1)));
        const upTo = terms.slice(0, index);
        const simple = upTo.filter((each) => each <= term).length;
        expect(log.lastNotAbove(index, term)).toEqual({
          term: terms[simple - 1] ?? 0,
          index: simple,
        });
      }),
    );
  });
});
