import { describe, expect, it } from "vitest";
import type { InstanceId } from "../../../src/core/brand.ts";
import { instance } from "../../support/healing/ledger.ts";
import { SimpleGroups } from "../../support/healing/groups.ts";
import { World } from "../../support/healing/world.ts";

/** A tick stands for 10 ms: 100 ms between repetitions, 2 s to failover, a message and a store request take one. */
const TICKS = { retryTicks: 10, failoverTicks: 200, attemptTicks: 200, healDelayTicks: 300 };

/** Ticks from the last start to the opening, and to everybody's membership, after all but one have crashed. */
function heal(
  count: number,
  missing: number,
): { readonly opened: number; readonly settled: number } {
  const names = ["a", "b", "c", "d", "e"].slice(0, count);
  const first = names.map((name) => instance(`${name}1`));
  const world = new World({ names, ...TICKS }, (self) => {
    const groups = new SimpleGroups((a, b) => self.isLinked(a, b));
    groups.found(self.head, first);
    return groups;
  });
  for (const one of first) world.start(one, { held: world.head });
  world.run(10);
  for (const one of first.slice(1)) world.crash(one);
  // The survivor's group has been without a leader for the heal delay.
  world.run(TICKS.healDelayTicks + 20);
  const start = world.time;
  const again: InstanceId[] = names.slice(1, count - missing).map((name) => instance(`${name}2`));
  for (const one of again) world.start(one);
  const isOpen = () => (world.counts.get("opened") ?? 0) > 0;
  while (!isOpen() && world.time < start + 2_000) world.run(1);
  const opened = world.time - start;
  while (!world.isSettled() && world.time < start + 2_000) world.run(1);
  expect(world.broken).toEqual([]);
  return { opened, settled: world.time - start };
}

describe("the time from the last start to an open epoch", () => {
  const rows: string[] = [];
  for (const count of [3, 5]) {
    for (const missing of [0, 1]) {
      it(`is short for ${count} coordinators with ${missing} missing`, () => {
        const { opened, settled } = heal(count, missing);
        rows.push(
          `${count} coordinators, ${missing} missing: open after ${opened}, all joined after ${settled}`,
        );
        // All present: a read, a claim, a vote and a swap. One missing: the failover timeout on top.
        expect(opened).toBeLessThan(missing === 0 ? 25 : TICKS.failoverTicks + 25);
        expect(settled - opened).toBeLessThan(TICKS.retryTicks + 25);
      });
    }
  }
  it("is printed", () => {
    console.log(`ticks (10 ms each) from the last start:\n${rows.join("\n")}`);
    expect(rows).toHaveLength(4);
  });
});
