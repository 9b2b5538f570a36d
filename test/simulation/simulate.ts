/**
 * `npm run simulate -- --seeds N --from S [--minutes M] [--only FAULT,…]` runs a batch and prints its report, or the
 * failure of the first seed that fails. With `--mutations` it looks for each planted fault instead.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { runBatch } from "./batch.ts";
import { MUTATIONS } from "./mutations.ts";
import { FAULT_KINDS, type FaultKind } from "./options.ts";
import { failureReport, reportOf } from "./report.ts";

const USAGE =
  "usage: npm run simulate -- [--seeds N] [--from S] [--minutes M] [--only FAULT,… | --mutations] [--json]";

const values = parsedArguments();
const seeds = wholeNumber("seeds", values.seeds);
const from = wholeNumber("from", values.from);
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
if (minutes !== undefined && !(minutes > 0)) fail(`--minutes takes a positive number`);
const only = values.only?.split(",") as FaultKind[] | undefined;
const unknown = only?.find((kind) => !FAULT_KINDS.includes(kind));
if (unknown !== undefined) fail(`no fault "${unknown}"; there are: ${FAULT_KINDS.join(", ")}`);
if (values.mutations) await findMutations();
else simulateSeeds();

function simulateSeeds(): void {
  const batch = runBatch({ from, seeds, millisMax: (minutes ?? Infinity) * 60_000, only });
  const { failed } = batch;
  console.log(values.json ? JSON.stringify(batch) : reportOf(batch));
  if (failed === undefined) return;
  process.exitCode = 1;
  if (!values.json) console.log(`\n${failureReport(failed, only)}`);
}

async function findMutations(): Promise<void> {
  // Only here: a copy with a planted fault must not need the compiler.
  const { detect } = await import("./plant.ts");
  console.log(
    `${"planted fault".padEnd(46)}${"seeds".padStart(7)}${"hours".padStart(8)}  found by`,
  );
  for (const mutation of MUTATIONS) {
    const { runs, virtualHours, failed } = detect(mutation, { from, seeds, minutes });
    const cells = `${String(runs).padStart(7)}${virtualHours.toFixed(2).padStart(8)}`;
    console.log(
      `${mutation.title.padEnd(46)}${cells}  ${failed?.failure?.property ?? "NOT FOUND"}`,
    );
    if (failed === undefined) process.exitCode = 1;
  }
}

function parsedArguments() {
  try {
    return parseArgs({
      options: {
        seeds: { type: "string", default: "100" },
        from: { type: "string", default: "1" },
        minutes: { type: "string" },
        only: { type: "string" },
        mutations: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) fail(`--${name} takes a whole number`);
  return value;
}

function fail(message: string): never {
  console.error(`error: ${message}\n${USAGE}`);
  process.exit(2);
}
