import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Claim } from "../../../../src/core/healing/index.ts";
import {
  claimBytes,
  compareClaims,
  greatestSelectable,
  isSelectable,
  provesLiveGroup,
} from "../../../../src/core/healing/index.ts";
import { hash, instance } from "../../../support/healing/ledger.ts";
import { claim, LINEAGE, records } from "./fixtures.ts";

const head = records().view(hash("g2"), true);
const sealing = records("sealed").view(hash("g2"), true);

const anyClaim: fc.Arbitrary<Claim> = fc
  .record({
    name: fc.constantFrom("a", "b", "c"),
    epoch: fc.integer({ min: 0, max: 2 }),
    generation: fc.integer({ min: 0, max: 2 }),
    group: fc.constantFrom(undefined, hash("g"), hash("h")),
    term: fc.integer({ min: 0, max: 2 }),
    index: fc.integer({ min: 0, max: 2 }),
  })
  .map((change) => claim(change));

describe("the order of claims", () => {
  it("goes by epoch, then generation, group, term, index and name", () => {
    const least = claim({
      name: "a",
      epoch: 0,
      generation: 0,
      group: hash("a"),
      term: 0,
      index: 0,
    });
    const steps: readonly Partial<Claim>[] = [
      { name: "b" },
      { index: 1, name: "a" },
      { term: 1, index: 0 },
      { group: hash("b"), term: 0 },
      { generation: 1, group: hash("a") },
      { epoch: 1, generation: 0 },
    ];
    let before = least;
    for (const change of steps) {
      const next = { ...before, ...change };
      expect(compareClaims(before, next)).toBeLessThan(0);
      expect(compareClaims(next, before)).toBeGreaterThan(0);
      before = next;
    }
  });

  it("is transitive and total, also over several groups of one epoch", () => {
    fc.assert(
      fc.property(anyClaim, anyClaim, anyClaim, (a, b, c) => {
        expect(Math.sign(compareClaims(a, b))).toBe(-Math.sign(compareClaims(b, a)) + 0);
        if (compareClaims(a, b) <= 0 && compareClaims(b, c) <= 0) {
          expect(compareClaims(a, c)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });
});

describe("a selectable claim", () => {
  it("holds secrets that the manifest lets it use without a user", () => {
    expect(isSelectable(claim(), head)).toBe(true);
    expect(isSelectable(claim({ secrets: "none" }), head)).toBe(false);
    expect(isSelectable(claim({ secrets: "sealed" }), head)).toBe(false);
    expect(isSelectable(claim({ secrets: "sealed" }), sealing)).toBe(true);
  });

  it("is of a name of the manifest, by a build that the manifest accepts, that heals itself", () => {
    expect(isSelectable(claim({ name: "d" }), head)).toBe(false);
    expect(isSelectable(claim({ eligible: false }), head)).toBe(false);
    expect(isSelectable(claim({ live: true }), head)).toBe(false);
  });

  it("is chosen if it is the greatest of them, whatever unselectable ones say", () => {
    const small = { claim: claim({ name: "a", index: 1 }), digest: hash("small") };
    const great = { claim: claim({ name: "b", index: 2 }), digest: hash("great") };
    const excluded = { claim: claim({ name: "c", index: 3, eligible: false }), digest: hash("x") };
    expect(greatestSelectable([small, great, excluded], head)).toBe(great);
    expect(greatestSelectable([excluded], head)).toBeUndefined();
  });
});

describe("a live group", () => {
  it("is proved by a member that has applied exactly the newest head, in its group", () => {
    const live = claim({ live: true });
    expect(provesLiveGroup(live, head)).toBe(true);
    expect(provesLiveGroup({ ...live, live: false }, head)).toBe(false);
    expect(provesLiveGroup({ ...live, record: hash("g1") }, head)).toBe(false);
    expect(provesLiveGroup({ ...live, group: hash("older") }, head)).toBe(false);
    expect(provesLiveGroup({ ...live, name: "d" }, head)).toBe(false);
  });
});

describe("the bytes of a claim", () => {
  const header = { lineage: LINEAGE, base: head, attempt: 1 };

  it("differ with every field, so that a vote is for one claim only", () => {
    const changes: readonly Partial<Claim>[] = [
      {},
      { name: "c" },
      { instance: instance("b2") },
      { secrets: "none" },
      { eligible: false },
      { epoch: 2 },
      { generation: 3 },
      { record: undefined },
      { group: undefined },
      { term: 4 },
      { index: 8 },
      { live: true },
    ];
    const texts = changes.map((change) => String(claimBytes(header, claim(change))));
    const others = [
      { ...header, attempt: 2 },
      { ...header, lineage: hash("other") },
      { ...header, base: { ...head, hash: hash("g3") } },
      { ...header, base: { ...head, generation: 9 as never } },
      { ...header, base: { ...head, epoch: 9 as never } },
    ].map((other) => String(claimBytes(other, claim())));
    expect(new Set([...texts, ...others]).size).toBe(changes.length + 5);
  });
});
