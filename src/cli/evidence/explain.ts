/** `quorate manifest explain`: says in words why a manifest accepts or refuses a piece of evidence. */
import type { Command } from "commander";
import type { Manifest } from "../../core/manifest/index.ts";
import { Appraiser, NO_COLLATERAL, appraisalPolicy } from "../../attestation/index.ts";
import { EXIT } from "../exit-codes.ts";
import { type Io, type OutputFormat, note, printResult } from "../io.ts";
import { setExitCode } from "../run.ts";
import { readCollateral, readEvidence } from "./evidence-input.ts";
import { verdictJson, verdictText } from "./verdict-output.ts";

/** What to explain, and as whom to judge. */
export interface ExplainOptions {
  /** A file in any form that `evidence inspect` reads. */
  readonly evidence: string;
  /** A collateral file, or a folder of them. */
  readonly collateral?: string | undefined;
  readonly acceptInsecureDevAttestation: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly output: OutputFormat;
}

/** Prints the verdict; `command` ends with `untrusted` if the evidence is refused. The report data is not compared. */
export async function explainEvidence(
  io: Io,
  command: Command,
  manifest: Manifest,
  options: ExplainOptions,
): Promise<void> {
  const evidence = await readEvidence(options.evidence);
  const collateral =
    options.collateral === undefined ? NO_COLLATERAL : await readCollateral([], options.collateral);
  const allowDevelopment = options.acceptInsecureDevAttestation;
  const { verdict } = await new Appraiser().appraise(evidence, {
    collateral,
    policy: appraisalPolicy(manifest, { allowDevelopment }),
    now: options.at,
    expectedReportData: undefined,
  });
  printResult(io, options.output, {
    text: verdictText(options.evidence, verdict),
    value: verdictJson(verdict),
  });
  note(io, "note: the report data is not compared; in a session it must be that session's own");
  if (!verdict.accepted) setExitCode(command, EXIT.untrusted);
}
