/** The process log: JSON lines (pino), or short lines for people when standard error is a terminal. */
import { Writable } from "node:stream";
import { pino, type Logger } from "pino";

export type { Logger };

/** Levels that `--log-level` takes, most talkative first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** `json` for machines, `text` for a terminal. */
  readonly format: "json" | "text";
  /** Where lines go; the caller keeps it open. */
  readonly destination: Writable;
}

/**
 * A logger that names its errors by code and message only; at level `debug` also by the code of their cause, such as
 * OpenSSL's reason for a failed handshake.
 *
 * **Security:** secrets are `Secret` objects and print `[redacted]`; the text of an error's cause stays out of every
 * log, because it may be a peer's.
 */
export function createLog(options: LogOptions): Logger {
  const destination =
    options.format === "json" ? options.destination : textLines(options.destination);
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: options.level === "debug" ? describeWithCause : describeError },
    },
    destination,
  );
}

function describeError(error: unknown): Readonly<Record<string, string>> {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = "code" in error ? String(error.code) : undefined;
  return { ...(code === undefined ? {} : { code }), message: error.message };
}

function describeWithCause(error: unknown): unknown {
  const described = describeError(error);
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return described;
  const { cause } = error;
  return "code" in cause ? { ...described, cause: String(cause.code) } : described;
}

/** Turns JSON lines into `12:00:00 info  message  key=value`. */
function textLines(destination: Writable): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const { level, time, msg, ...rest } = JSON.parse(chunk.toString()) as Record<string, unknown>;
      const pairs = Object.entries(rest).map(([key, value]) => `${key}=${compact(value)}`);
      const clock = String(time).slice(11, 19);
      destination.write(
        `${clock} ${String(level).padEnd(5)} ${[String(msg), ...pairs].join("  ")}\n`,
      );
      done();
    },
  });
}

/** **Security:** texts of strangers are in errors: nothing that could steer a terminal leaves here. */
function compact(value: unknown): string {
  if (typeof value === "string" && /^[!-~]+$/.test(value)) return value;
  // JSON leaves DEL and the C1 controls as they are.
  return JSON.stringify(value).replace(
    /[\u007f-\u009f]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
