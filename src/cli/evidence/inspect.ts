/** `quorate evidence inspect`: prints what any report or quote says. */
import { describeEvidence } from "../../attestation/index.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { type Io, type OutputFormat, note, printResult } from "../io.ts";
import { readEvidence } from "./evidence-input.ts";

/**
 * Prints the evidence of each file. Nothing is verified, and the output says so.
 *
 * @returns `untrusted` if a file's evidence cannot be read wholly
 * @throws QuorateError `evidence-malformed`, or as reading files does
 */
export async function inspectEvidence(
  io: Io,
  files: readonly string[],
  options: { readonly output: OutputFormat },
): Promise<ExitCode> {
  const described = await Promise.all(
    files.map(async (file) => ({ file, ...describeEvidence(await readEvidence(file)) })),
  );
  const text = described.map(({ file, platform, facts, failures }) => {
    const width = Math.max(0, ...facts.map(({ name }) => name.length));
    return [
      `${file}: ${platform === "snp" ? "SEV-SNP report" : "TDX quote"}`,
      ...facts.map(({ name, value }) => `  ${name.padEnd(width)}  ${value}`),
      ...failures.map(({ code, message, expected, found }) => {
        return `  malformed: ${message} [${code}]: expected ${expected}, found ${found}`;
      }),
    ].join("\n");
  });
  const value = described.map(({ facts, ...rest }) => ({
    ...rest,
    facts: Object.fromEntries(facts.map(({ name, value: fact }) => [name, fact])),
  }));
  printResult(io, options.output, { text: text.join("\n"), value });
  note(io, "note: nothing of this is verified; see: quorate evidence verify");
  return described.some(({ failures }) => failures.length > 0) ? EXIT.untrusted : EXIT.ok;
}
