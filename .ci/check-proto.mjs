// `npm run proto`: the protocol is lint-clean and formatted, the generated code is in sync with it, and nothing breaks
// clients of the last release (`proto-baseline.binpb`; only a release replaces it, with `--release`).
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";

const root = path.resolve(import.meta.dirname, "..");
const baseline = path.join(".ci", "proto-baseline.binpb");

if (process.argv.includes("--release")) {
  step("build the image of this release", ["build", "-o", baseline]);
  process.exit(0);
}
step("buf lint", ["lint"]);
step("buf format", ["format", "--diff", "--exit-code", "proto"]);
step("buf breaking", ["breaking", "--against", baseline]);

const temporary = mkdtempSync(path.join(tmpdir(), "quorate-gen-"));
try {
  step("buf generate", ["generate", "--template", ".ci/buf.gen.yaml", "--output", temporary]);
  const fresh = tree(path.join(temporary, "src", "gen"));
  const checkedIn = tree(path.join(root, "src", "gen"));
  const differing = [...new Set([...fresh.keys(), ...checkedIn.keys()])].filter(
    (name) => fresh.get(name) !== checkedIn.get(name),
  );
  if (differing.length > 0)
    fail(`src/gen is out of date: ${differing.join(", ")}`, "run npm run generate");
} finally {
  rmSync(temporary, { recursive: true });
}

function step(name, args) {
  const result = spawnSync("npx", ["--no-install", "buf", ...args], {
    cwd: root,
    stdio: ["ignore", 1, 2],
  });
  if (result.status !== 0) fail(`${name} failed`, "see above");
}

function tree(folder) {
  const files = new Map();
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    files.set(path.relative(folder, file), readFileSync(file, "utf8"));
  }
  return files;
}

function fail(message, hint) {
  console.error(`error: ${message}\nhint: ${hint}`);
  process.exit(1);
}
