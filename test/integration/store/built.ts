/** Compiled code for child processes, which can't read TypeScript. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

const ROOT = checkoutOf(import.meta.dirname);

/** Compiles `src` if anything there is newer, and returns the absolute path of a compiled module, e.g. `store/store.js`. */
export function builtModule(name: string): string {
  const { status, stderr } = spawnSync(process.execPath, [".ci/prepare.mjs", "--build"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the build failed:\n${stderr}`);
  return path.join(ROOT, "dist", name);
}

/** This module may itself run compiled, from a folder below. */
function checkoutOf(folder: string): string {
  return existsSync(path.join(folder, "package.json")) ? folder : checkoutOf(path.dirname(folder));
}
