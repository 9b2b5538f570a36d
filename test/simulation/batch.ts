/** Many runs in a row. */
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
  /** Called after each run. */
  readonly onRun?: (result: SimulationResult) => void;
}

/** The sum of a batch. */
export interface BatchResult {
  readonly runs: number;
  readonly virtualHours: number;
  readonly events: number;
  /** Real time, of this process alone. */
  readonly seconds: number;
  readonly tally: Tally;
  /** The first run that failed; none was begun after it. */
  readonly failed: SimulationResult | undefined;
}

/** Runs seed after seed, up to the first failure. */
export function runBatch({ from, seeds, millisMax, only, onRun }: BatchOptions): BatchResult {
  const start = performance.now();
  const tally = new Tally();
  let failed: SimulationResult | undefined;
  let [runs, events, micros] = [0, 0, 0];
  while (runs < seeds && failed === undefined) {
    if (performance.now() - start > (millisMax ?? Infinity)) break;
    const result = simulate(drawOptions(from + runs, only));
    runs++;
    events += result.events;
    micros += result.virtualMicros;
    tally.add(result.tally);
    if (result.failure !== undefined) failed = result;
    onRun?.(result);
  }
  const seconds = (performance.now() - start) / 1_000;
  return { runs, virtualHours: micros / 3.6e9, events, seconds, tally, failed };
}
