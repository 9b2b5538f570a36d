/** Runs this same program as real child processes, the way a person would from a shell. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { QuorateError } from "../../core/errors.ts";

const PROGRAM = fileURLToPath(new URL("../../main.js", import.meta.url));
const END_WITH_PARENT = new URL("end-with-parent.js", import.meta.url).href;

/** What a finished command left. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `quorate ARGS` in `folder` to its end, whatever that is. */
export async function runCommand(
  folder: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Finished> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: cleanEnvironment(),
    signal,
  });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => (output[stream] += text));
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? 1, ...output };
}

/** A command that goes on running, its log as JSON lines. */
export class RunningCommand {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<() => void>();
  #ended = false;
  /** Fulfilled once the process has ended, whatever the reason. */
  readonly ended: Promise<void>;

  /** Starts `quorate ARGS` in `folder`; its standard error is read as the log. It ends with this process at the latest. */
  constructor(folder: string, args: readonly string[]) {
    this.#child = spawn(process.execPath, ["--import", END_WITH_PARENT, PROGRAM, ...args], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: cleanEnvironment(),
    });
    const stderr = this.#child.stderr;
    if (stderr === null)
      throw new QuorateError("internal", "a child process has no standard error");
    createInterface({ input: stderr }).on("line", (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("close", () => {
        this.#ended = true;
        this.#wake();
        resolve();
      });
    });
  }

  /**
   * The first log entry whose message is `message`, past or future.
   *
   * @throws QuorateError `deadline-exceeded`, or `unavailable` with the last lines if the process ended first.
   */
  async logged(message: string, timeoutMillis: number): Promise<Readonly<Record<string, unknown>>> {
    const deadline = Date.now() + timeoutMillis;
    for (;;) {
      const found = this.#lines.map(parseLine).find((entry) => entry["msg"] === message);
      if (found !== undefined) return found;
      if (this.#ended)
        throw new QuorateError("unavailable", `the process ended:\n${this.lastLines()}`);
      const left = deadline - Date.now();
      if (left <= 0)
        throw new QuorateError("deadline-exceeded", `the process did not say "${message}" in time`);
      await this.#changed(left);
    }
  }

  /** What it said last. */
  lastLines(): string {
    return this.#lines.slice(-5).join("\n");
  }

  /** Ends it at once, as a crash would. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Asks it to end, and waits until it has; after five seconds it is killed. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.#end("SIGTERM");
    clearTimeout(timer);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#ended) return;
    const closed = once(this.#child, "close");
    this.#child.kill(signal);
    await closed;
  }

  #changed(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, millis);
      this.#listeners.add(done);
    });
  }

  #wake(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Settings of the caller's shell must not leak into the demonstration. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("QUORATE_")),
  );
}
