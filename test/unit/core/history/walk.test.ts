import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../../../src/core/brand.ts";
import {
  continueWalk,
  type FetchedRecord,
  type RecordDocument,
  startWalk,
  type Walk,
} from "../../../../src/core/history/index.ts";
import { HISTORY_RECORDS_MAX } from "../../../../src/core/limits.ts";
import { genesis, heal, recovery, seal, update } from "./sample-records.ts";

const chain: RecordDocument[] = [genesis()];
for (let i = 1; i < 12; i++) {
  const make = i % 5 === 0 ? heal : i % 7 === 0 ? recovery : update;
  chain.push(make(chain[i - 1]!, `${i}`));
}
const head = chain.at(-1)!;
const byHash = new Map(chain.map((document) => [document.hash, document]));

function walk(
  from: RecordDocument,
  known: readonly Sha256[],
  fetch: (hash: Sha256) => FetchedRecord,
): { walk: Walk; fetches: number } {
  const isKnown = (hash: Sha256): boolean => known.includes(hash);
  let current = startWalk(from, isKnown);
  let fetches = 0;
  while (current.kind === "fetch") {
    fetches += 1;
    current = continueWalk(current, fetch(current.next), isKnown);
  }
  return { walk: current, fetches };
}

function fromStore(hash: Sha256): FetchedRecord {
  const document = byHash.get(hash);
  return document === undefined ? { kind: "missing" } : { kind: "found", document };
}

describe("a walk", () => {
  it("gives the way from the genesis to the head, oldest first", () => {
    expect(walk(head, [], fromStore)).toEqual({
      walk: { kind: "done", base: undefined, path: chain.map((document) => document.hash) },
      fetches: chain.length - 1,
    });
  });

  it("ends at the newest record that is known, without fetching it", () => {
    const known = chain.slice(0, 9).map((document) => document.hash);
    expect(walk(head, known, fromStore)).toEqual({
      walk: {
        kind: "done",
        base: chain[8]!.hash,
        path: chain.slice(9).map((document) => document.hash),
      },
      fetches: 2,
    });
  });

  it("is over at once for a known head", () => {
    expect(walk(head, [head.hash], fromStore)).toEqual({
      walk: { kind: "done", base: head.hash, path: [] },
      fetches: 0,
    });
  });

  it.each(["missing", "invalid"] as const)("says which record is %s", (kind) => {
    const gone = chain[4]!.hash;
    const result = walk(head, [], (hash) => (hash === gone ? { kind } : fromStore(hash)));
    expect(result.walk).toEqual({ kind: "broken", code: `record-${kind}`, at: gone });
  });

  it("does not take another record for the one that it asked for", () => {
    const asked = chain[4]!.hash;
    const swap = { kind: "found", document: chain[3]! } as const;
    const result = walk(head, [], (hash) => (hash === asked ? swap : fromStore(hash)));
    expect(result.walk).toEqual({ kind: "broken", code: "record-invalid", at: asked });
  });

  it("ends where the counters do not count the steps", () => {
    const jump = seal({ ...head.record, generation: (head.record.generation + 5) as never });
    const result = walk(jump, [], fromStore);
    expect(result).toEqual({
      walk: { kind: "broken", code: "length-mismatch", at: head.record.previous },
      fetches: 1,
    });
  });

  it("does not begin on a history that is longer than any real one", () => {
    const far = seal({ ...head.record, generation: HISTORY_RECORDS_MAX as never });
    expect(walk(far, [], fromStore)).toEqual({
      walk: { kind: "broken", code: "too-long", at: far.hash },
      fetches: 0,
    });
  });

  it("takes time in proportion to the length", () => {
    const count = 100_000;
    const hashOf = (i: number): Sha256 => i.toString(16).padStart(64, "0") as Sha256;
    const document = (i: number) => ({
      hash: hashOf(i),
      record: {
        ...head.record,
        generation: (i + 1) as never,
        epoch: 1 as never,
        previous: i === 0 ? null : hashOf(i - 1),
      },
    });
    let current = startWalk(document(count - 1), () => false);
    const started = performance.now();
    while (current.kind === "fetch") {
      const fetched = document(Number.parseInt(current.next, 16));
      current = continueWalk(current, { kind: "found", document: fetched }, () => false);
    }
    expect(current).toMatchObject({ kind: "done", base: undefined });
    if (current.kind === "done") expect(current.path).toHaveLength(count);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
