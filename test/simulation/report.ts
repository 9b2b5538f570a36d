/** A batch's result as text. */
import type { BatchResult } from "./batch.ts";
import { describeOptions, drawOptions, type FaultKind } from "./options.ts";
import type { SimulationResult } from "./simulation.ts";

/** Seeds, virtual time, events, faults and counters of a batch, a line each. */
export function reportOf(batch: BatchResult): string {
  const { runs, virtualHours, events, seconds, tally } = batch;
  const perSecond = Math.round(events / seconds);
  const timesReal = Math.round((virtualHours * 3_600) / seconds);
  const lines = [
    `seeds ${runs}, virtual hours ${virtualHours.toFixed(2)}, events ${events}, seconds ${seconds.toFixed(1)}`,
    `${perSecond} events/s, ${timesReal} × real time on one core`,
    "",
    "faults",
    ...rows(tally.faults),
    "",
    "counters",
    ...rows(tally.counts),
    "",
    `  ${"messages".padEnd(22)}${COLUMNS.map((name) => name.padStart(12)).join("")}`,
  ];
  for (const [kind, counts] of Object.entries(tally.messages).sort()) {
    const cells = COLUMNS.map((name) => String(counts[name]).padStart(12));
    lines.push(`  ${kind.padEnd(22)}${cells.join("")}`);
  }
  return lines.join("\n");
}

/** What failed, what led to it, and the line that runs it again. */
export function failureReport(
  { seed, failure }: SimulationResult,
  only: readonly FaultKind[] | undefined,
): string {
  const restriction = only === undefined ? "" : ` --only "${only.join(",")}"`;
  return [
    `FAILED: seed ${seed}: ${failure?.message ?? ""}`,
    describeOptions(drawOptions(seed, only)),
    "the last events:",
    ...(failure?.trace ?? []),
    "the nodes:",
    ...(failure?.nodes ?? []).map((line) => `  ${line}`),
    `replay: npm run simulate -- --seeds 1 --from ${seed}${restriction}`,
  ].join("\n");
}

const COLUMNS = ["sent", "delivered", "dropped", "duplicated", "reordered"] as const;

function rows(counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts)
    .sort()
    .map(([name, value]) => `  ${name.padEnd(34)}${String(value).padStart(12)}`);
}
