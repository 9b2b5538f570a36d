import { describe, expect, it } from "vitest";
import type { Epoch, Generation } from "../../../../src/core/brand.ts";
import {
  type AppliedRecord,
  classifyHead,
  demandsReassertion,
  type HeadClass,
  type ObservedHead,
  type RecordPlace,
} from "../../../../src/core/history/index.ts";
import { sha256 } from "./sample-records.ts";

function place(name: string, generation: number, epoch: number, group: string): RecordPlace {
  return {
    hash: sha256(name),
    generation: generation as Generation,
    epoch: epoch as Epoch,
    group: sha256(group),
  };
}

const lineage = sha256("ours");
const foreign = sha256("foreign");
const ancestor = place("ancestor", 1, 1, "ancestor");
const opener = place("opener", 1, 2, "opener");
const applied: AppliedRecord = {
  ...place("applied", 2, 2, "opener"),
  lineage,
  isAncestor: (hash) => hash === ancestor.hash || hash === opener.hash,
};

function verified(at: RecordPlace, descendsFromApplied: boolean, of = lineage): ObservedHead {
  return { kind: "verified", lineage: of, place: at, descendsFromApplied };
}

describe("classifyHead, line by line of the table", () => {
  const update = place("update", 3, 2, "opener");
  const takeover = place("takeover", 2, 3, "takeover");
  const sibling = place("sibling", 2, 2, "opener");
  const otherTakeover = place("other takeover", 1, 2, "other takeover");

  it.each<[string, ObservedHead, HeadClass]>([
    ["missing", { kind: "missing" }, { kind: "rollback", to: "missing" }],
    ["unparsable", { kind: "unparsable" }, { kind: "corruption", found: "unparsable" }],
    [
      "badly signed under our lineage",
      { kind: "badly-signed", lineage },
      { kind: "corruption", found: "badly-signed" },
    ],
    [
      "of another lineage whose own chain verifies",
      verified(place("foreign", 1, 1, "foreign"), false, foreign),
      { kind: "fork", reason: "other-lineage" },
    ],
    ["our record", verified(applied, false), { kind: "same" }],
    ["an ancestor", verified(ancestor, false), { kind: "rollback", to: ancestor.hash }],
    [
      "the ancestor that opened our epoch",
      verified(opener, false),
      { kind: "rollback", to: opener.hash },
    ],
    ["a descendant in our epoch", verified(update, true), { kind: "follow", head: update }],
    [
      "a descendant in a higher epoch",
      verified(takeover, true),
      { kind: "taken-over", head: takeover },
    ],
    [
      "no descendant, but under the same epoch-opening record",
      verified(sibling, false),
      { kind: "branch", head: sibling },
    ],
    [
      "of another takeover",
      verified(otherTakeover, false),
      { kind: "fork", reason: "other-history" },
    ],
    [
      "of another lineage, badly signed",
      { kind: "badly-signed", lineage: foreign },
      { kind: "fork", reason: "unverified" },
    ],
    [
      "of another lineage, its chain not verifiable",
      { kind: "unverified", lineage: foreign, hash: sha256("x") },
      { kind: "fork", reason: "unverified" },
    ],
    [
      "of our lineage, its chain not verifiable",
      { kind: "unverified", lineage, hash: sha256("x") },
      { kind: "fork", reason: "unverified" },
    ],
  ])("a head that is %s", (_, head, expected) => {
    expect(classifyHead(applied, head)).toEqual(expected);
  });

  it("knows our own records even if the store has lost the documents behind them", () => {
    const unverified = (at: RecordPlace): ObservedHead => ({
      kind: "unverified",
      lineage,
      hash: at.hash,
    });
    expect(classifyHead(applied, unverified(applied))).toEqual({ kind: "same" });
    expect(classifyHead(applied, unverified(ancestor))).toEqual({
      kind: "rollback",
      to: ancestor.hash,
    });
  });

  it("demands re-assertion for what a lying store shows, and never for a FORK or a successor", () => {
    const kinds = (heads: ObservedHead[]): boolean[] =>
      heads.map((head) => demandsReassertion(classifyHead(applied, head)));
    const lies: ObservedHead[] = [{ kind: "missing" }, { kind: "unparsable" }];
    expect(kinds([...lies, verified(ancestor, false), verified(sibling, false)])).toEqual([
      true,
      true,
      true,
      true,
    ]);
    const others = [verified(applied, false), verified(update, true), verified(takeover, true)];
    expect(kinds([...others, verified(otherTakeover, false)])).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});
