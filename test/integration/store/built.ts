/** Compiled code for child processes, which can't read TypeScript. */
import { spawnSync } from "node:child_process";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "../../..");

/** Compiles `src` if anything there is newer, and returns the absolute path of a compiled module, e.g. `store/store.js`. */
export function builtModule(name: string): string {
  const { status, stderr } = spawnSync(process.execPath, [".ci/prepare.mjs", "--build"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the build failed:\n${stderr}`);
  return path.join(ROOT, "dist", name);
}
