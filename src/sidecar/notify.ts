/** Tells the workload that its credentials changed: a command, a signal, or both. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { QuorateError } from "../core/errors.ts";
import { readInputText } from "../config/files.ts";

export interface Notification {
  /** Run by the shell, with QUORATE_CREDENTIALS set to the folder. */
  readonly hook: string | undefined;
  /** A process id, or a file that holds one. */
  readonly pid: string | undefined;
  readonly signal: NodeJS.Signals;
}

/** A hook that takes longer is killed, in milliseconds. */
const HOOK_TIMEOUT_MILLIS = 60_000;
const PID_FILE_BYTES_MAX = 64;

/** @throws QuorateError `internal` if the hook fails, `not-found` if there is no such process */
export async function notifyWorkload(notification: Notification, folder: string): Promise<void> {
  if (notification.pid !== undefined) await signalProcess(notification.pid, notification.signal);
  if (notification.hook !== undefined) await runHook(notification.hook, folder);
}

async function signalProcess(pidOrFile: string, signal: NodeJS.Signals): Promise<void> {
  const text = /^\d+$/.test(pidOrFile)
    ? pidOrFile
    : (await readInputText(pidOrFile, "pid file", PID_FILE_BYTES_MAX)).trim();
  const pid = Number(text);
  // 0 and negative numbers mean process groups to kill(2).
  if (!Number.isSafeInteger(pid) || pid <= 1)
    throw new QuorateError("invalid-argument", `"${text}" is not the id of a process to signal`);
  try {
    process.kill(pid, signal);
  } catch (cause) {
    throw new QuorateError(
      "not-found",
      `process ${pid} could not be signalled: ${(cause as Error).message}`,
      { cause },
    );
  }
}

async function runHook(hook: string, folder: string): Promise<void> {
  const child = spawn(hook, {
    shell: true,
    // What the hook prints is no result of ours: `quorate sidecar --once -o json` stays one JSON document.
    stdio: ["ignore", process.stderr.fd, process.stderr.fd],
    env: { ...process.env, QUORATE_CREDENTIALS: folder },
    timeout: HOOK_TIMEOUT_MILLIS,
    killSignal: "SIGKILL",
  });
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  if (code === 0) return;
  throw new QuorateError("internal", `the hook ended with ${code ?? signal ?? "nothing"}: ${hook}`);
}
