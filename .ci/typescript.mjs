// `node --import ./.ci/typescript.mjs FILE.ts` runs TypeScript sources directly: the types are removed file by
// file as they are loaded, nothing is checked (that is `npm run types`) and nothing is written.
import { register } from "node:module";

register("./typescript-loader.mjs", import.meta.url);
