import { describe, expect, it } from "vitest";
import { Inflights } from "../../../../src/core/raft/inflights.ts";

describe("Inflights", () => {
  it("is full at its number of messages", () => {
    const window = new Inflights(2, 1_000);
    window.add(5, 1);
    expect(window.full).toBe(false);
    window.add(6, 1);
    expect(window.full).toBe(true);
  });

  it("is full once its bytes are reached", () => {
    const window = new Inflights(100, 10);
    window.add(5, 9);
    expect(window.full).toBe(false);
    window.add(6, 9);
    expect(window.full).toBe(true);
  });

  it("frees what an acknowledgement covers, however many messages that are", () => {
    const window = new Inflights(1_000, 1_000);
    for (let index = 1; index <= 300; index++) window.add(index, 1);
    window.acknowledge(250);
    expect(window.count).toBe(50);
    window.acknowledge(10);
    expect(window.count).toBe(50);
    window.acknowledge(300);
    expect(window.count).toBe(0);
    for (let index = 301; index <= 400; index++) window.add(index, 9.9);
    expect(window.full).toBe(false);
  });

  it("forgets everything when cleared", () => {
    const window = new Inflights(1, 1);
    window.add(1, 1);
    window.clear();
    expect([window.count, window.full]).toEqual([0, false]);
  });
});
