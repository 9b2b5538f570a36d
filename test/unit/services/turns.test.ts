import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Turns } from "../../../src/services/turns.ts";

describe("Turns", () => {
  it("lets so many steps start in one turn of the event loop, and the others in order after it", async () => {
    const turns = new Turns(3);
    const started: number[] = [];
    const steps = Array.from({ length: 8 }, (_, i) => turns.take().then(() => started.push(i)));
    const seen: number[] = [];
    while (started.length < 8) {
      await nextTurn();
      seen.push(started.length);
    }
    await Promise.all(steps);
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    // Three at once, three as soon as the loop comes round, which is before this test looks.
    expect(seen).toEqual([6, 8]);
  });

  it("delays nothing while there are few, turn after turn", async () => {
    const turns = new Turns(2);
    for (let turn = 0; turn < 5; turn++) {
      const late = nextTurn("late");
      const both = Promise.all([turns.take(), turns.take()]);
      expect(await Promise.race([both, late])).not.toBe("late");
      await nextTurn();
    }
  });

  it("lets nobody overtake those who wait", async () => {
    const turns = new Turns(1);
    const started: string[] = [];
    const step = (name: string) => turns.take().then(() => started.push(name));
    const first = [step("a"), step("b"), step("c")];
    await nextTurn();
    await Promise.all([...first, step("d")]);
    expect(started).toEqual(["a", "b", "c", "d"]);
  });
});
