// Makes a checkout ready to run: installs the locked dependencies if they are missing or old, compiles `src` to `dist`
// with `--build`, and `src` and the tools under `test` to `dist-test` with `--tools`, if anything there is newer. Needs
// only Node and npm. Quiet when there is nothing to do.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import process from "node:process";

const root = path.resolve(import.meta.dirname, "..");
const stamp = path.join(root, "node_modules", ".quorate-lock-hash");

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error: Quorate needs Node.js 20.19 or newer; this is ${process.versions.node}`);
  console.error("hint: install a current Node.js and run the same command again");
  process.exit(1);
}

install();
if (process.argv.includes("--build")) build("src/tsconfig.json", "dist", ["src"]);
if (process.argv.includes("--tools")) build("test/tsconfig.json", "dist-test", ["src", "test"]);

function install() {
  const wanted = createHash("sha256")
    .update(readFileSync(path.join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.error("installing dependencies (npm ci)");
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

function build(project, output, sources) {
  const info = path.join(root, output, ".tsbuildinfo");
  const built = existsSync(info) ? statSync(info).mtimeMs : 0;
  const changed = [
    ...sources.map((folder) => newest(path.join(root, folder))),
    statSync(path.join(root, "tsconfig.json")).mtimeMs,
  ];
  if (changed.every((time) => time < built)) return;
  console.error(`compiling ${sources.join(" and ")} (tsc)`);
  run(process.execPath, [path.join("node_modules", "typescript", "bin", "tsc"), "-p", project]);
  // An incremental build that had nothing to emit keeps its old date: mark it as checked.
  writeFileSync(info, readFileSync(info));
}

function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    latest = Math.max(latest, statSync(path.join(entry.parentPath, entry.name)).mtimeMs);
  }
  return latest;
}

function run(command, args) {
  // npm's chatter goes to standard error, so that `quorate … -o json` stays clean on standard output.
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.status !== 0) {
    console.error(`error: ${command} ${args.join(" ")} failed`);
    process.exit(result.status ?? 1);
  }
}
