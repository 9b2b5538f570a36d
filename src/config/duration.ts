/** Durations as people write them: `90s`, `15m`, `24h`, `7d`, `250ms`. */
import { QuorateError } from "../core/errors.ts";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of a duration. @throws QuorateError `usage` */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  const unit = UNITS[match?.[2] ?? ""];
  if (match === null || unit === undefined) {
    throw new QuorateError("usage", `"${text}" is not a duration`, {
      hint: "write a number and a unit: 250ms, 90s, 15m, 24h, 7d",
    });
  }
  return Number(match[1]) * unit;
}

/** A duration in the largest unit that leaves no fraction below a second: `3d`, `23h 59m`, `15s`. */
export function formatDuration(millis: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.round(millis / 1000));
  for (const [unit, seconds] of [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
    ["s", 1],
  ] as const) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0 && parts.length < 2) parts.push(`${count}${unit}`);
  }
  return parts.length === 0 ? "0s" : parts.join(" ");
}
