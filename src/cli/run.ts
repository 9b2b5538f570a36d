/** Runs the command line: parses, dispatches, and turns whatever goes wrong into `error:` and `hint:` lines and an exit code. */
import { CommanderError, type Command } from "commander";
import { AssertionError } from "../core/assert.ts";
import { QuorateError } from "../core/errors.ts";
import { EXIT, EXIT_OF_ERROR, type ExitCode } from "./exit-codes.ts";
import { type Io, note, progress } from "./io.ts";

/** Runs `program` with the arguments after the program name. Never throws. @returns the exit code */
export async function runProgram(
  program: Command,
  args: readonly string[],
  io: Io,
): Promise<ExitCode> {
  let outcome: ExitCode = EXIT.ok;
  forEachCommand(program, (command) => {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(text),
    });
    command.showHelpAfterError(`hint: ${commandPath(command)} --help shows what it takes`);
  });
  program.hook("preAction", (_program, action) => {
    applySwitchesOfEnvironment(action, io);
  });
  program.hook("postAction", (_program, action) => {
    const code: unknown = action.getOptionValue(EXIT_CODE);
    if (typeof code === "number") outcome = code as ExitCode;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return outcome;
  } catch (cause) {
    progress(io, undefined);
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return reportError(cause, io);
  }
}

const EXIT_CODE = "quorateExitCode";

/** Sets the exit code of a command that ends without an error, e.g. a validation that found faults. */
export function setExitCode(command: Command, code: ExitCode): void {
  command.setOptionValue(EXIT_CODE, code);
}

/** Prints an error as `error:` and `hint:` lines. @returns its exit code */
export function reportError(cause: unknown, io: Io): ExitCode {
  if (!(cause instanceof QuorateError)) {
    const text = cause instanceof Error ? cause.message : String(cause);
    note(io, `error: ${text}`);
    if (cause instanceof AssertionError)
      note(io, "hint: this is a fault in Quorate; please report it with the command that led here");
    if (io.env["QUORATE_DEBUG"] !== undefined && cause instanceof Error)
      note(io, cause.stack ?? "");
    return EXIT.error;
  }
  note(io, `error: ${cause.message}`);
  for (const fault of cause.faults) note(io, `  ${fault.path}: ${fault.message}`);
  if (cause.hint !== undefined && cause.hint !== "") note(io, `hint: ${cause.hint}`);
  if (io.env["QUORATE_DEBUG"] !== undefined) note(io, cause.stack ?? "");
  return EXIT_OF_ERROR[cause.code];
}

/**
 * Reads switches from the environment by value; the parser takes any value, even `false`, for "on".
 *
 * **Security:** `QUORATE_ACCEPT_INSECURE_DEV_ATTESTATION=false` must not accept simulated evidence.
 */
function applySwitchesOfEnvironment(command: Command, io: Io): void {
  for (const option of command.options) {
    const name = option.attributeName();
    if (!option.isBoolean() || command.getOptionValueSource(name) !== "env") continue;
    const text = io.env[option.envVar ?? ""] ?? "";
    if (!["true", "1", "false", "0", ""].includes(text)) {
      throw new QuorateError("usage", `${option.envVar ?? name} is "${text}"`, {
        hint: "a switch is true, 1, false, 0 or empty",
      });
    }
    command.setOptionValueWithSource(name, text === "true" || text === "1", "env");
  }
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}

function commandPath(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  return names.join(" ");
}
