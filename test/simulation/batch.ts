/** Many runs in a row. */
import { createHash } from "node:crypto";
import { drawOptions, type FaultKind } from "./options.ts";
import { simulate, type SimulationResult } from "./simulation.ts";
import { Tally } from "./tally.ts";

/** What to run: seeds from `from` on, until `seeds` or the time is used up. */
export interface BatchOptions {
  readonly from: number;
  readonly seeds: number;
  /** Milliseconds after which no further seed is begun. @default Infinity */
  readonly millisMax?: number;
  readonly only?: readonly FaultKind[] | undefined;
}

/** The sum of a batch. */
export interface BatchResult {
  readonly runs: number;
  readonly virtualHours: number;
  readonly events: number;
  /** Real time, of this process alone. */
  readonly seconds: number;
  readonly tally: Tally;
  /** The trace hashes of all runs, in one. */
  readonly traceHash: string;
  /** The first run that failed; none was begun after it. */
  readonly failed: SimulationResult | undefined;
}

/** Runs seed after seed, up to the first failure. */
export function runBatch({ from, seeds, millisMax, only }: BatchOptions): BatchResult {
  const start = performance.now();
  const tally = new Tally();
  const hash = createHash("sha256");
  let failed: SimulationResult | undefined;
  let [runs, events, micros] = [0, 0, 0];
  while (runs < seeds && failed === undefined) {
    if (performance.now() - start > (millisMax ?? Infinity)) break;
    const result = simulate(drawOptions(from + runs, only));
    runs++;
    events += result.events;
    micros += result.virtualMicros;
    tally.add(result.tally);
    hash.update(result.traceHash);
    if (result.failure !== undefined) failed = result;
  }
  const seconds = (performance.now() - start) / 1_000;
  const traceHash = hash.digest("hex");
  return { runs, virtualHours: micros / 3.6e9, events, seconds, tally, traceHash, failed };
}
