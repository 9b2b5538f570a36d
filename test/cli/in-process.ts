/** Runs the command line inside the test's own process: for what needs no process of its own. */
import { PassThrough, Readable, type Writable } from "node:stream";
import { createProgram } from "../../src/cli/program.ts";
import { runProgram } from "../../src/cli/run.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `quorate ARGS` with these environment variables and no terminal. */
export async function inProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const output = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr"): Writable =>
    new PassThrough().on("data", (chunk: Buffer) => (output[name] += chunk.toString()));
  const io = {
    stdin: Readable.from([]),
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env,
    interactive: false,
    signal: new AbortController().signal,
    now: () => Date.now(),
  };
  // The parser reads the process's environment itself.
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    const code = await runProgram(await createProgram(io, args), args, io);
    return { code, ...output };
  } finally {
    for (const name of Object.keys(env)) {
      if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[name];
    }
  }
}
