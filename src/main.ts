#!/usr/bin/env node
/** The `quorate` program. */
import process from "node:process";
import { runProgram } from "./cli/run.ts";
import { createProgram } from "./cli/program.ts";
import type { Io } from "./cli/io.ts";

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // A second signal does not wait for the graceful end that the first one asked for.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort(signal);
  });
}
// A reader that went away (`quorate history | head`) is no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});
process.stderr.on("error", () => {
  // Nobody reads what we would say about it.
});

const io: Io = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  interactive: process.stderr.isTTY,
  signal: interrupt.signal,
  now: () => Date.now(),
};
const args = process.argv.slice(2);
process.exitCode = await runProgram(await createProgram(io, args), args, io);
