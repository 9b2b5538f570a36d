/** Real `quorate` processes over the compiled program, and the check that none of them stays behind. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { createInterface } from "node:readline";
import { builtModule } from "../store/built.ts";

const PROGRAM = builtModule("main.js");
const BATCH = path.join(import.meta.dirname, "batch.mjs");
/** Generous: the machine may be busy with other test files. */
export const PATIENCE_MILLIS = 30_000;
const POLL_MILLIS = 20;

/** What a finished command left. */
export interface Finished {
  /** `null` if a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Environment = Readonly<Record<string, string>>;

/** Runs `quorate ARGS` in `folder` to its end. */
export async function quorate(
  folder: string,
  args: readonly string[],
  environment: Environment = {},
): Promise<Finished> {
  return new Running(folder, args, environment).finished();
}

/** Runs several commands in one process, up to the first that fails: quicker than a process each. */
export async function batch(
  folder: string,
  commands: readonly (readonly string[])[],
): Promise<Finished> {
  const args = [path.dirname(PROGRAM), JSON.stringify(commands)];
  return new Running(folder, args, {}, BATCH).finished();
}

/** A `quorate` process. Its standard error is kept line by line. */
export class Running {
  readonly lines: string[] = [];
  stdout = "";
  /** The exit code, once it and everybody who inherited its output have ended; `null` if a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;

  constructor(
    folder: string,
    args: readonly string[],
    environment: Environment = {},
    program = PROGRAM,
  ) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("QUORATE_"));
    this.#child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...Object.fromEntries(inherited), ...environment },
    });
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    createInterface({ input: this.#child.stderr }).on("line", (line) => this.lines.push(line));
    this.ended = once(this.#child, "close").then(([code]) => code as number | null);
  }

  /** The exit code of the process alone, whoever else still holds its output; `null` while it runs. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** True once the process itself has ended, in whatever way. */
  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** What it left, once it has ended. */
  async finished(): Promise<Finished> {
    const code = await this.ended;
    const stderr = this.lines.map((line) => `${line}\n`).join("");
    return { code, stdout: this.stdout, stderr };
  }

  /** The first group of `pattern` in what it has printed on standard output, waited for. */
  printed(pattern: RegExp): Promise<string> {
    return eventually(String(pattern), () => {
      const found = pattern.exec(this.stdout)?.[1];
      if (found === undefined) this.#requireRunning();
      return found;
    });
  }

  /** Log entries with this message, parsed. */
  entries(message: string): Readonly<Record<string, unknown>>[] {
    return this.lines.map(parsed).filter((entry) => entry["msg"] === message);
  }

  /** The `count`-th log entry with this message, waited for. */
  async logged(message: string, count = 1): Promise<Readonly<Record<string, unknown>>> {
    return eventually(`"${message}" ${count} times in the log`, () => {
      const entry = this.entries(message)[count - 1];
      if (entry === undefined) this.#requireRunning();
      return entry;
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  #requireRunning(): void {
    if (this.hasExited)
      throw new Error(
        `the process ended with ${this.exitCode ?? "a signal"}:\n${this.lines.join("\n")}`,
      );
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }
}

/** The first value of `probe` that is neither `undefined` nor `false`. */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadline = Date.now() + PATIENCE_MILLIS;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`in ${PATIENCE_MILLIS} ms there was no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS));
  }
}

/** Processes whose working folder is `folder` or below: children of children are found too. */
export function processesIn(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
      } catch {
        // It ended while we looked, or belongs to somebody else.
        return false;
      }
    });
}

/** Ends a process at once, if it has not ended by itself meanwhile. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has.
  }
}

function parsed(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}
