import { describe, expect, it } from "vitest";
import type { Authority } from "../../../src/authority/authority.ts";
import { isInstanceId, type InstanceId } from "../../../src/core/brand.ts";
import { Metrics } from "../../../src/observability/metrics.ts";
import { StateMetrics } from "../../../src/services/state-metrics.ts";

function instanceId(digit: string): InstanceId {
  const id = digit.repeat(32);
  if (!isInstanceId(id)) throw new Error("an instance id has 32 digits");
  return id;
}

const OWN = instanceId("a");
const OTHER = instanceId("b");
const START = Date.parse("2026-01-01T00:00:00.000Z");

/** An authority without a state that has read a head made by somebody at some time. */
function showing(hash: string, instance: InstanceId, createdAt: number): Authority {
  const record = { author: { name: "x", instance }, createdAt: new Date(createdAt).toISOString() };
  const history = { recordHash: hash, record };
  return { lifecycle: { kind: "uninitialized", storeHasHead: true }, history } as never;
}

function shown() {
  const metrics = new Metrics();
  const clock = { now: START };
  const state = new StateMetrics({
    metrics,
    instance: OWN,
    startedAt: START,
    now: () => clock.now,
  });
  const lag = async (): Promise<{ count: number; sum: number }> => {
    const { values } = await metrics.headLag.get();
    const of = (suffix: string): number =>
      values.find(({ metricName }) => metricName === `quorate_head_lag_seconds_${suffix}`)!.value;
    return { count: of("count"), sum: of("sum") };
  };
  return { state, clock, lag };
}

describe("the lag of heads", () => {
  it("is the time from making to seeing, once for every head of another coordinator", async () => {
    const { state, clock, lag } = shown();
    clock.now = START + 10_250;
    const authority = showing("one", OTHER, START + 10_000);
    state.show(authority);
    clock.now += 60_000;
    state.show(authority);
    expect(await lag()).toEqual({ count: 1, sum: 0.25 });
    state.show(showing("two", OTHER, clock.now - 500));
    expect(await lag()).toEqual({ count: 2, sum: 0.75 });
  });

  it("leaves out own heads and those from before the start", async () => {
    const { state, clock, lag } = shown();
    clock.now = START + 5_000;
    state.show(showing("own", OWN, START + 1_000));
    state.show(showing("old", OTHER, START - 1));
    expect(await lag()).toEqual({ count: 0, sum: 0 });
  });

  it("is 0 at least, whatever the maker's clock says", async () => {
    const { state, clock, lag } = shown();
    clock.now = START + 5_000;
    state.show(showing("future", OTHER, START + 3_600_000));
    expect(await lag()).toEqual({ count: 1, sum: 0 });
  });
});
