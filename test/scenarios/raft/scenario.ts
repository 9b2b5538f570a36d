/**
 * `npm run scenario -- [--update] [--anywhere] FILE…`: runs scenario files, prints what differs, exits non-zero if
 * anything does. `--update` writes the present outputs into the files; outside this folder only with `--anywhere`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { withOutputs } from "./runner/case-file.ts";
import { lineDiff } from "./runner/line-diff.ts";
import { runFile, type CaseResult } from "./runner/run-file.ts";

// npm starts scripts in the project's folder, whether this runs compiled or not.
const OWN_FOLDER = path.resolve("test/scenarios/raft") + path.sep;
const FLAGS = ["--update", "--anywhere"];

const words = process.argv.slice(2);
const unknown = words.find((word) => word.startsWith("--") && !FLAGS.includes(word));
const names = words.filter((word) => !word.startsWith("--"));
if (unknown !== undefined || names.length === 0) {
  if (unknown !== undefined) console.error(`error: unknown option ${unknown}`);
  console.error("usage: npm run scenario -- [--update [--anywhere]] FILE…");
  process.exit(2);
}

let failed = false;
for (const name of names) {
  // A relative name is meant from where the user stands.
  const file = path.resolve(process.env["INIT_CWD"] ?? process.cwd(), name);
  try {
    if (words.includes("--update")) update(name, file);
    else if (!check(name, file)) failed = true;
  } catch (error) {
    console.error(`error: ${name}: ${error instanceof Error ? error.message : String(error)}`);
    failed = true;
  }
}
process.exit(failed ? 1 : 0);

function check(name: string, file: string): boolean {
  const results = runFile(path.basename(file), readFileSync(file, "utf8"));
  for (const { one, output, verdict } of results) {
    if (verdict === "different") {
      console.log(`${name}:${one.line}: ${one.text}\n${lineDiff(one.expected, output)}\n`);
    }
  }
  for (const { one, difference, verdict } of results) {
    if (verdict === "as listed") {
      console.log(
        `${name}:${one.line}: ${one.text}\n  differs by design: ${difference?.reason ?? ""}`,
      );
    }
  }
  const count = (verdict: CaseResult["verdict"]): number =>
    results.filter((result) => result.verdict === verdict).length;
  const different = count("different");
  console.log(
    `${name}: ${count("as expected")} of ${results.length} cases as expected, ` +
      `${count("as listed")} differ as listed, ${different} differ`,
  );
  return different === 0;
}

function update(name: string, file: string): void {
  if (!file.startsWith(OWN_FOLDER) && !words.includes("--anywhere")) {
    throw new Error("not one of the project's own scenarios; --anywhere updates it all the same");
  }
  const text = readFileSync(file, "utf8");
  const results = runFile(path.basename(file), text);
  const updated = withOutputs(
    text,
    results.map((result) => result.one),
    results.map((result) => result.output),
  );
  if (updated !== text) writeFileSync(file, updated);
  console.log(`${name}: ${updated === text ? "unchanged" : "updated"}`);
}
