import { describe, expect, it } from "vitest";
import { AnsweredProposals } from "../../../../src/core/raft/answered-proposals.ts";

const PLACE = { term: 3, index: 7 };

function memory(answersMax: number): AnsweredProposals {
  const answered = new AnsweredProposals(3, answersMax);
  answered.setForwarders(["a", "b"]);
  return answered;
}

describe("AnsweredProposals", () => {
  it("recalls every answer by its forwarder and number", () => {
    const answered = memory(10);
    answered.remember("a", 1, PLACE);
    answered.remember("b", 2, "transferring");
    expect(answered.recall("a", 1)).toBe(PLACE);
    expect(answered.recall("b", 2)).toBe("transferring");
    expect([answered.recall("a", 2), answered.recall("b", 1)]).toEqual([undefined, undefined]);
  });

  it("says of nodes that it knows nothing of that their answers may be forgotten", () => {
    const answered = memory(10);
    answered.remember("z", 1, PLACE);
    expect(answered.recall("z", 1)).toBe("forgotten");
    expect(new AnsweredProposals(0, 10).recall("a", 1)).toBe("forgotten");
  });

  it("takes no number for new that is not above all that it has forgotten, in whatever order they came", () => {
    const answered = memory(2);
    for (const id of [5, 3, 9]) answered.remember("a", id, PLACE);
    expect(answered.recall("a", 5)).toBe("forgotten");
    expect(answered.recall("a", 3)).toBe(PLACE);
    // It never came, but nothing tells it from one that was forgotten.
    expect(answered.recall("a", 4)).toBe("forgotten");
    expect(answered.recall("a", 6)).toBeUndefined();
    answered.remember("a", 10, PLACE);
    expect(answered.recall("a", 3)).toBe("forgotten");
    expect(answered.recall("a", 6)).toBeUndefined();
    expect(answered.recall("b", 1)).toBeUndefined();
  });

  it("keeps what it knows of members that stay, and nothing of others", () => {
    const answered = memory(10);
    answered.remember("a", 1, PLACE);
    answered.remember("b", 1, PLACE);
    answered.setForwarders(["b", "c"]);
    expect(["a", "b", "c"].map((id) => answered.recall(id, 1))).toEqual([
      "forgotten",
      PLACE,
      undefined,
    ]);
  });
});
