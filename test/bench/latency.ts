/** Durations as rows: the usual one and the slow ones. */
import type { BenchRow } from "./bench-row.ts";

/** The value that `share` (0 to 1) of the values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}

/** Durations of `count` runs one after the other, in milliseconds, after a tenth as many to warm up. */
export async function durations(
  count: number,
  operation: () => Promise<unknown>,
): Promise<readonly number[]> {
  const times: number[] = [];
  for (let i = -Math.ceil(count / 10); i < count; i++) {
    const start = performance.now();
    await operation();
    if (i >= 0) times.push(performance.now() - start);
  }
  return times;
}

/** Two rows, in milliseconds: the median, and the quantile `slow` beside that of the floor. */
export function latencyRows(
  name: string,
  times: readonly number[],
  floor: { readonly name: string; readonly times: readonly number[] },
  options: { readonly slow?: number; readonly note?: string } = {},
): BenchRow[] {
  const { slow = 0.99, note } = options;
  return [0.5, slow].map((share) => ({
    name: `${name}, p${share * 100}`,
    value: quantile(times, share),
    unit: "ms",
    floor: { name: floor.name, value: quantile(floor.times, share) },
    ...(note === undefined || share !== 0.5 ? {} : { note }),
  }));
}
