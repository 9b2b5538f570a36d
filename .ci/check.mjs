// `npm run check`, the one gate: every step runs, even after an earlier one failed, and the end says
// which failed. `--fast` leaves out the tests.
import { spawnSync } from "node:child_process";
import process from "node:process";

const bin = (name, ...args) => ["npx", ["--no-install", name, ...args]];
const steps = [
  ["format", ...bin("prettier", "--check", "--log-level", "warn", ".")],
  ["types", ...bin("tsc", "-p", "tsconfig.json")],
  ["lint", "npm", ["run", "--silent", "lint"]],
  ["layers", "npm", ["run", "--silent", "layers"]],
  ["dead exports", "npm", ["run", "--silent", "dead"]],
  ["generated code", "npm", ["run", "--silent", "proto"]],
  ...(process.argv.includes("--fast") ? [] : [["tests", "npm", ["test", "--silent"]]]),
];

const failed = [];
for (const [name, command, args] of steps) {
  const start = Date.now();
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  console.log(
    `check: ${name} ${status === 0 ? "ok" : "FAILED"} (${((Date.now() - start) / 1000).toFixed(1)} s)`,
  );
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`check: failed: ${failed.join(", ")}`);
  process.exit(1);
}
