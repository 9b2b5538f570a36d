/** `npm run bench [-- NAME…] [--json]`: measures, beside a floor from the same run, and prints ratios. */
import { setPriority } from "node:os";
import process from "node:process";
import type { BenchRow } from "./bench-row.ts";

const SUITES: Readonly<Record<string, () => Promise<{ bench: () => Promise<BenchRow[]> }>>> = {
  pki: () => import("./pki.ts"),
  attestation: () => import("./attestation.ts"),
  "attestation-tdx": () => import("./attestation-tdx.ts"),
  store: () => import("./store.ts"),
  transport: () => import("./transport.ts"),
  service: () => import("./service.ts"),
  renewal: () => import("./renewal.ts"),
  cluster: () => import("./cluster.ts"),
  "raft-core": () => import("./raft-core.ts"),
};

const args = process.argv.slice(2);
const json = args.includes("--json");
const names = args.filter((arg) => !arg.startsWith("--"));
const unknown = names.filter((name) => !(name in SUITES));
if (unknown.length > 0) {
  console.error(
    `error: no benchmark is called ${unknown.join(", ")}\nhint: choose from ${Object.keys(SUITES).join(", ")}`,
  );
  process.exit(2);
}
setPriority(0);
const all: Record<string, BenchRow[]> = {};
for (const [name, load] of Object.entries(SUITES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const rows = await (await load()).bench();
  all[name] = rows;
  if (!json) console.log(`\n${name}\n${rows.map(line).join("\n")}`);
}
if (json) console.log(JSON.stringify(all, null, 2));

function line({ name, value, unit, floor, note }: BenchRow): string {
  const against =
    floor === undefined
      ? ""
      : `  ${(value / floor.value).toFixed(2).padStart(7)} × ${floor.name} (${figure(floor.value)} ${unit})`;
  return `  ${name.padEnd(52)} ${figure(value).padStart(9)} ${unit.padEnd(4)}${against}${note === undefined ? "" : `  ${note}`}`;
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
