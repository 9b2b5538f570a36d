/** The version of this build, from package.json: one place to change at a release. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

export const VERSION: string = (
  JSON.parse(readFileSync(packageFile(), "utf8")) as { version: string }
).version;

/** The nearest package.json above this file, which lies at different depths in sources and builds. */
function packageFile(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, "package.json")) && folder !== path.dirname(folder))
    folder = path.dirname(folder);
  return path.join(folder, "package.json");
}
