/**
 * The text form of cases: a command line, optional input lines, `----`, the expected output up to an empty line, or
 * between doubled `----` lines when it has empty lines itself. `#` starts a comment line. The form is that of the
 * data-driven tests of etcd-io/raft.
 */

/** One argument of a command line: `key`, `key=value` or `key=(value, value)`. */
export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

/** One case of a file. */
export interface Case {
  /** Line of the command, from 1. */
  readonly line: number;
  /** The whole command line. */
  readonly text: string;
  readonly command: string;
  readonly args: readonly Argument[];
  /** The lines between command and `----`. */
  readonly input: readonly string[];
  /** Without the final line end; empty for no output. */
  readonly expected: string;
  /** Line numbers, from 0, of the `----` and of the first line behind the case: what an update replaces. */
  readonly outputFrom: number;
  readonly outputTo: number;
}

const SEPARATOR = "----";

/** @throws Error with the line number if the text is not of that form. */
export function parseCases(text: string): Case[] {
  const lines = text.split("\n");
  const cases: Case[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (line.trim() === "" || line.startsWith("#")) {
      at++;
      continue;
    }
    const separator = lines.indexOf(SEPARATOR, at);
    if (separator === -1) throw new Error(`line ${at + 1}: no ${SEPARATOR} after this command`);
    const { expected, end } = outputAfter(lines, separator);
    cases.push({
      line: at + 1,
      text: line,
      ...parseCommand(line),
      input: lines.slice(at + 1, separator),
      expected,
      outputFrom: separator,
      outputTo: end,
    });
    at = end;
  }
  return cases;
}

/** Splits a command line into its command and arguments. */
export function parseCommand(line: string): { command: string; args: Argument[] } {
  const words = line.match(/[^\s=()]+(=(\([^)]*\)|\S*))?/g) ?? [];
  const [command = "", ...rest] = words;
  return { command, args: rest.map(parseArgument) };
}

/** `text` with the outputs of `cases` replaced by `outputs`, comments and layout kept. */
export function withOutputs(
  text: string,
  cases: readonly Case[],
  outputs: readonly string[],
): string {
  const lines = text.split("\n");
  const result: string[] = [];
  let from = 0;
  cases.forEach((one, index) => {
    result.push(...lines.slice(from, one.outputFrom));
    const output = outputs[index] ?? "";
    const doubled = output.split("\n").includes("");
    result.push(
      ...(doubled ? [SEPARATOR, SEPARATOR, output, SEPARATOR, SEPARATOR] : [SEPARATOR, output]),
    );
    from = one.outputTo;
  });
  result.push(...lines.slice(from));
  return result.join("\n");
}

function parseArgument(word: string): Argument {
  const equals = word.indexOf("=");
  if (equals === -1) return { key: word, values: [] };
  const value = word.slice(equals + 1);
  const list = value.startsWith("(") ? value.slice(1, -1).split(",") : [value];
  return {
    key: word.slice(0, equals),
    values: list.map((item) => item.trim()).filter((item) => item !== ""),
  };
}

function outputAfter(
  lines: readonly string[],
  separator: number,
): { expected: string; end: number } {
  if (lines[separator + 1] !== SEPARATOR) {
    let end = separator + 1;
    while (end < lines.length && lines[end] !== "") end++;
    return { expected: lines.slice(separator + 1, end).join("\n"), end };
  }
  let end = separator + 2;
  while (end + 1 < lines.length && (lines[end] !== SEPARATOR || lines[end + 1] !== SEPARATOR))
    end++;
  return { expected: lines.slice(separator + 2, end).join("\n"), end: end + 2 };
}
