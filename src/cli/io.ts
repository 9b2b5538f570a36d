/** What a command may touch of the process it runs in; tests hand in their own. */
import type { Readable, Writable } from "node:stream";

export interface Io {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True if standard error is a terminal: only then is progress shown. */
  readonly interactive: boolean;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** How a command prints its result. */
export type OutputFormat = "text" | "json";

/** Prints a result: `text` for people, or `value` as one JSON document. Bytes become base64. */
export function printResult(
  io: Io,
  format: OutputFormat,
  result: { text: string; value: unknown },
): void {
  if (format === "json") io.stdout.write(`${JSON.stringify(result.value, jsonValue, 2)}\n`);
  else if (result.text !== "")
    io.stdout.write(result.text.endsWith("\n") ? result.text : `${result.text}\n`);
}

/** Prints one of many results, as JSON on a line of its own. */
export function printJsonLine(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value, jsonValue)}\n`);
}

/** One line for people on standard error, whatever the output format. */
export function note(io: Io, text: string): void {
  io.stderr.write(`${text}\n`);
}

/** A progress line that a terminal overwrites with the next one; nothing elsewhere. `undefined` clears it. */
export function progress(io: Io, text: string | undefined): void {
  if (io.interactive) io.stderr.write(text === undefined ? "\r\x1b[K" : `\r\x1b[K${text}`);
}

function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "bigint") return Number(value);
  return value;
}
