import { describe, expect, it } from "vitest";
import { Prng } from "../../../src/core/prng.ts";
import { VirtualNetwork, type LinkQuality, type Transmission } from "./network.ts";
import { partition, PARTITION_SHAPES, type PartitionShape } from "./partition-shapes.ts";
import { Schedule } from "./schedule.ts";

interface Letter {
  readonly type: "letter";
  readonly number: number;
}

const PERFECT: LinkQuality = {
  delayMicros: 10,
  jitterMicros: 0,
  lossRate: 0,
  duplicateRate: 0,
  detourRate: 0,
  detourMicros: 0,
};

/** A network of three places, and what has arrived so far. */
function post(quality: Partial<LinkQuality> = {}) {
  const schedule = new Schedule<Transmission<Letter>>();
  const network = new VirtualNetwork<Letter>({
    places: 3,
    prng: new Prng(1),
    quality: { ...PERFECT, ...quality },
    schedule: (delayMicros, transmission) => schedule.after(delayMicros, transmission),
  });
  const arrivals = (): number[] => {
    const numbers: number[] = [];
    for (let next = schedule.next(); next !== undefined; next = schedule.next()) {
      const message = network.arrive(next);
      if (message !== undefined) numbers.push(message.number);
    }
    return numbers;
  };
  const send = (count: number): void => {
    for (let number = 0; number < count; number++) network.send(0, 1, { type: "letter", number });
  };
  return { network, schedule, arrivals, send };
}

const LINK = { from: 0, to: 1 };

describe("virtual time", () => {
  it("takes events in the order of time, and of asking where times are equal", () => {
    const schedule = new Schedule<number>();
    const prng = new Prng(3);
    const times = Array.from({ length: 500 }, () => prng.int(0, 50));
    for (const [event, time] of times.entries()) schedule.after(time, event);
    const expected = [...times.keys()].sort((a, b) => times[a]! - times[b]! || a - b);
    const taken: number[] = [];
    for (let next = schedule.next(); next !== undefined; next = schedule.next()) {
      expect(schedule.now).toBe(times[next]);
      taken.push(next);
    }
    expect(taken).toEqual(expected);
  });

  it("counts delays from the event that is happening", () => {
    const schedule = new Schedule<string>();
    schedule.after(5, "first");
    schedule.next();
    schedule.after(5, "second");
    schedule.after(-1, "at once");
    expect([schedule.next(), schedule.next(), schedule.now]).toEqual(["at once", "second", 10]);
    expect([schedule.next(), schedule.size]).toEqual([undefined, 0]);
  });
});

describe("the virtual network", () => {
  it("carries everything in order when nothing is wrong", () => {
    const { send, arrivals, schedule } = post();
    send(4);
    expect(arrivals()).toEqual([0, 1, 2, 3]);
    expect(schedule.now).toBe(10);
  });

  it("loses, duplicates and re-orders as often as told, and counts it", () => {
    const { network, send, arrivals } = post({
      lossRate: 0.2,
      duplicateRate: 0.1,
      jitterMicros: 100,
    });
    send(1_000);
    const arrived = arrivals();
    const { sent, delivered, dropped, duplicated, reordered } = network.counts.get("letter")!;
    expect(sent).toBe(1_000);
    expect(dropped).toBeGreaterThan(150);
    expect(dropped).toBeLessThan(250);
    expect(duplicated).toBeGreaterThan(50);
    expect(delivered).toBe(sent - dropped + duplicated);
    expect(arrived).toHaveLength(delivered);
    expect(reordered).toBeGreaterThan(100);
    expect(new Set(arrived).size).toBe(sent - dropped);
  });

  it("takes the second of two copies on a detour, past what was sent later", () => {
    const { send, arrivals } = post({ duplicateRate: 1, detourMicros: 1_000_000 });
    send(20);
    const arrived = arrivals();
    expect(arrived.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, number) => number));
    expect(arrived.slice(20).sort((a, b) => a - b)).toEqual(arrived.slice(0, 20));
  });

  it("swallows what meets a cut, at its beginning or underway, until it is mended as often as cut", () => {
    const { network, send, arrivals } = post();
    send(1);
    network.cut(LINK);
    network.cut(LINK);
    expect(arrivals()).toEqual([]);
    network.mend(LINK);
    send(1);
    expect(arrivals()).toEqual([]);
    network.mend(LINK);
    send(1);
    expect(arrivals()).toEqual([0]);
  });

  it("holds what meets a clog, and loses nothing of it", () => {
    const { network, send, arrivals } = post();
    network.clog(LINK);
    send(3);
    expect(arrivals()).toEqual([]);
    network.unclog(LINK);
    expect(arrivals()).toEqual([0, 1, 2]);
  });

  it("ends every disturbance when it is calmed", () => {
    const { network, send, arrivals } = post({ lossRate: 1 });
    network.cut(LINK);
    network.clog(LINK);
    network.calm(PERFECT);
    send(2);
    expect(arrivals()).toEqual([0, 1]);
  });
});

describe("a partition of five places", () => {
  /** How many others each place can speak with in both directions, sorted. */
  function degrees(shape: PartitionShape, seed: number): number[] {
    const cuts = partition(shape, 5, new Prng(seed));
    const carries = (from: number, to: number): boolean =>
      !cuts.some((cut) => cut.from === from && cut.to === to);
    const places = [0, 1, 2, 3, 4];
    return places
      .map((a) => places.filter((b) => b !== a && carries(a, b) && carries(b, a)).length)
      .sort();
  }

  it("has the shape that its name says, whoever is where", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      expect(degrees("one-out", seed)).toEqual([0, 3, 3, 3, 3]);
      expect(degrees("hub", seed)).toEqual([1, 1, 1, 1, 4]);
      expect(degrees("chain", seed)).toEqual([1, 1, 2, 2, 2]);
      expect(degrees("pair", seed)).toEqual([3, 3, 4, 4, 4]);
      expect(degrees("bridge", seed)).toContain(4);
      expect(degrees("halves", seed)).not.toContain(4);
      expect(partition("one-way", 5, new Prng(seed))).toHaveLength(1);
      const deaf = partition("deaf", 5, new Prng(seed));
      expect(new Set(deaf.map(({ to }) => to)).size).toBe(1);
      expect(new Set(deaf.map(({ from }) => from)).size).toBe(4);
      const mute = partition("mute", 5, new Prng(seed));
      expect(new Set(mute.map(({ from }) => from)).size).toBe(1);
      expect(new Set(mute.map(({ to }) => to)).size).toBe(4);
    }
  });

  it("is nothing where there is one place only", () => {
    for (const shape of PARTITION_SHAPES) expect(partition(shape, 1, new Prng(1))).toEqual([]);
  });
});
