/** `npm run simulate -- --seeds N --from S [--minutes M] [--only KIND,…]`. */
import process from "node:process";
import { parseArgs } from "node:util";
import { runBatch } from "./batch.ts";
import { FAULT_KINDS, type FaultKind } from "./options.ts";
import { failureReport, reportOf } from "./report.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    minutes: { type: "string" },
    only: { type: "string" },
  },
});
const only = values.only?.split(",") as FaultKind[] | undefined;
const unknown = only?.find((kind) => !FAULT_KINDS.includes(kind));
if (unknown !== undefined) {
  console.error(`error: no fault "${unknown}"; there are: ${FAULT_KINDS.join(", ")}`);
  process.exit(2);
}
const batch = runBatch({
  from: Number(values.from),
  seeds: Number(values.seeds),
  millisMax: values.minutes === undefined ? Infinity : Number(values.minutes) * 60_000,
  only,
});
console.log(reportOf(batch));
if (batch.failed !== undefined) {
  console.log(`\n${failureReport(batch.failed, only)}`);
  process.exitCode = 1;
}
