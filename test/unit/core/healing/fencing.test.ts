import { describe, expect, it } from "vitest";
import type { Configuration } from "../../../../src/core/healing/index.ts";
import { isFenced, majorityOf } from "../../../../src/core/healing/index.ts";
import { hash, instance } from "../../../support/healing/ledger.ts";

const GROUP = hash("group");
const members = (text: string) => text.split(" ").filter(Boolean).map(instance);
const plain = (text: string): Configuration => ({ voters: members(text), outgoing: [] });

function voter(name: string, configurations: readonly Configuration[], group = GROUP) {
  return { instance: instance(name), group, configurations };
}

describe("a majority", () => {
  it("is more than half", () => {
    expect([1, 2, 3, 4, 5].map(majorityOf)).toEqual([1, 2, 2, 3, 3]);
  });
});

describe("a fenced group", () => {
  it("has a majority of its configuration among the voters", () => {
    const configuration = plain("a1 b1 c1");
    expect(isFenced(GROUP, [voter("a1", [configuration]), voter("b1", [configuration])])).toBe(
      true,
    );
  });

  it("is not made by new instances, which never belonged to it", () => {
    const configuration = plain("a1 b1 c1");
    const news = { instance: instance("b2"), group: undefined, configurations: [] };
    expect(isFenced(GROUP, [voter("a1", [configuration]), news])).toBe(false);
  });

  it("has one among the voters of every configuration that any voter carries", () => {
    const before = plain("a1 b1 c1");
    const after = plain("a1 b1 c2");
    expect(isFenced(GROUP, [voter("b1", [before, after]), voter("c1", [before])])).toBe(false);
    expect(isFenced(GROUP, [voter("b1", [before, after]), voter("a1", [before])])).toBe(true);
  });

  it("has one of both halves while it is joint", () => {
    const joint = { voters: members("a2 b2 c1"), outgoing: members("a1 b1 c1") };
    expect(isFenced(GROUP, [voter("a1", [joint]), voter("c1", [joint])])).toBe(false);
    const both = [voter("a1", [joint]), voter("c1", [joint]), voter("a2", [joint])];
    expect(isFenced(GROUP, both)).toBe(true);
  });

  it("is one that a voter belonged to: of another nothing is known", () => {
    expect(isFenced(GROUP, [])).toBe(false);
    expect(isFenced(GROUP, [voter("a1", [])])).toBe(false);
    expect(isFenced(GROUP, [voter("a1", [plain("a1")], hash("older"))])).toBe(false);
  });

  it("has no empty configuration", () => {
    expect(isFenced(GROUP, [voter("a1", [plain("")])])).toBe(false);
  });
});
