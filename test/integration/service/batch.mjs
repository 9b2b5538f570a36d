// Runs several commands of the compiled program one after the other in this one process, to set things up quickly.
// Usage: node batch.mjs DIST JSON, where JSON is a list of argument lists. Ends with the first exit code that is not 0.
import process from "node:process";
import { pathToFileURL } from "node:url";

const [dist, batch] = process.argv.slice(2);
const { createProgram } = await import(`${pathToFileURL(dist)}/cli/program.js`);
const { runProgram } = await import(`${pathToFileURL(dist)}/cli/run.js`);
const { stdin, stdout, stderr, env } = process;
const { signal } = new AbortController();
const io = { stdin, stdout, stderr, env, interactive: false, signal, now: () => Date.now() };
for (const args of JSON.parse(batch)) {
  process.exitCode = await runProgram(await createProgram(io, args), args, io);
  if (process.exitCode !== 0) break;
}
