/** Runs the command line inside the test's own process: for what needs no process of its own. */
import { PassThrough, Readable, type Writable } from "node:stream";
import type { Command, Option } from "commander";
import type { Io } from "../../src/cli/io.ts";
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
  const { io, output } = testIo(env);
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

/** Every command that does something, by its whole name, with its flags. */
export async function commands(): Promise<{ name: string; options: readonly Option[] }[]> {
  const found: { name: string; options: readonly Option[] }[] = [];
  const visit = (command: Command, path: string): void => {
    if (command.commands.length === 0) found.push({ name: path, options: command.options });
    for (const child of command.commands) visit(child, `${path} ${child.name()}`.trim());
  };
  visit(await createProgram(testIo({}).io, []), "");
  return found;
}

/** Parses `quorate ARGS` without doing anything. @throws what is wrong with the flags */
export async function parseOnly(args: readonly string[]): Promise<void> {
  const program = await createProgram(testIo({}).io, args);
  const visit = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
    if (command.commands.length === 0) command.action(() => undefined);
    for (const child of command.commands) visit(child);
  };
  visit(program);
  await program.parseAsync([...args], { from: "user" });
}

/** What a command may touch, none of it this process's own, and what it printed there. */
export function testIo(env: Readonly<Record<string, string>>) {
  const output = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr"): Writable =>
    new PassThrough().on("data", (chunk: Buffer) => (output[name] += chunk.toString()));
  const io: Io = {
    stdin: Readable.from([]),
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env,
    interactive: false,
    signal: new AbortController().signal,
    now: () => Date.now(),
  };
  return { io, output };
}
