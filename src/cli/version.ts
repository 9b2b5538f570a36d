/** The version of this build, from package.json: one place to change at a release. */
import { createRequire } from "node:module";

const manifest = createRequire(import.meta.url)("../../package.json") as { version: string };

export const VERSION: string = manifest.version;
