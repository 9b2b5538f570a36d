// npm run explore -- --coordinators N [--states-max M]: explores all interleavings for N coordinators, one to four.
// npm run explore -- --mutations: plants each fault and prints where the exploration finds it.
import process from "node:process";
import { parseArgs } from "node:util";
import { load } from "./compile.mjs";

const { values } = parseArgs({
  options: {
    coordinators: { type: "string", default: "2" },
    "states-max": { type: "string" },
    mutations: { type: "boolean", default: false },
  },
});

if (values.mutations) await runMutations();
else await runExploration(Number(values.coordinators));

async function runExploration(coordinators) {
  const { assignmentsFor, explore } = await load();
  const assignments = assignmentsFor(coordinators);
  if (assignments.length === 0) {
    console.error("error: --coordinators takes 1, 2, 3 or 4");
    process.exit(2);
  }
  // All of three fit; of four only the beginning does.
  const statesMax = Number(values["states-max"] ?? (coordinators > 3 ? 1_000_000 : Infinity));
  const seen = new Map();
  const total = { states: 0, edges: 0, runs: 0 };
  row("assignment", "states", "edges", "depth", "fair runs", "seconds", "");
  for (const assignment of assignments) {
    const start = Date.now();
    const found = explore(assignment, statesMax);
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    const { states, edges, depth, runs } = found;
    row(found.title, states, edges, depth, runs, seconds, found.isComplete ? "all" : "cut short");
    if (found.finding !== undefined) report(found.finding);
    total.states += states;
    total.edges += edges;
    total.runs += runs;
    for (const [what, times] of found.seen) seen.set(what, (seen.get(what) ?? 0) + times);
  }
  row("total", total.states, total.edges, "", total.runs, "", "");
  console.log("\nreached, in how many steps:");
  for (const [what, times] of [...seen].sort()) console.log(`  ${what}: ${times}`);
  const megabytes = Math.round(process.memoryUsage().rss / 1e6);
  console.log(`memory at the end: ${megabytes} MB`);
}

async function runMutations() {
  const { MUTATIONS } = await load();
  let missed = 0;
  for (const { title, replacements } of MUTATIONS) {
    const { assignmentsFor, explore } = await load(replacements);
    let states = 0;
    let found;
    for (const assignment of [1, 2, 3].flatMap((n) => assignmentsFor(n))) {
      const result = explore(assignment);
      states += result.finding?.states ?? result.states;
      if (result.finding === undefined) continue;
      found = { ...result.finding, assignment };
      break;
    }
    if (found === undefined) missed++;
    console.log(`${title}: ${found === undefined ? "NOT FOUND" : found.what}`);
    if (found === undefined) continue;
    const { names, title: where } = found.assignment;
    console.log(`  after ${states} states, ${found.trace.length} steps; ${names.length}: ${where}`);
  }
  console.log(`${missed} of ${MUTATIONS.length} missed`);
  if (missed > 0) process.exitCode = 1;
}

function row(title, states, edges, depth, runs, seconds, note) {
  const cells = [states, edges, depth, runs, seconds].map((cell) => String(cell).padStart(11));
  console.log(`${title.padEnd(48)}${cells.join("")} ${note}`.trimEnd());
}

function report({ what, trace }) {
  process.exitCode = 1;
  console.log(`  BROKEN: ${what}`);
  for (const step of trace) console.log(`    ${step}`);
}
