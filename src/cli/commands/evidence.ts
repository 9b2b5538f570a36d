/** `quorate evidence`: look at and verify reports and quotes, offline. */
import { Command } from "commander";
import { fromHex } from "../../core/bytes.ts";
import { QuorateError } from "../../core/errors.ts";
import { inspectEvidence } from "../evidence/inspect.ts";
import { verifyEvidence } from "../evidence/verify.ts";
import type { Io, OutputFormat } from "../io.ts";
import { collected, flag, outputFlag, parseTime } from "../options.ts";
import { setExitCode } from "../run.ts";

interface VerifyFlags {
  readonly certificates: readonly string[];
  readonly collateral?: string;
  readonly at?: number;
  readonly policy?: string;
  readonly reportData?: Uint8Array;
  readonly acceptInsecureDevAttestation: boolean;
  readonly output: OutputFormat;
}

export function evidenceCommand(io: Io): Command {
  const command = new Command("evidence").description(
    "look at and verify SEV-SNP reports and TDX quotes, offline",
  );

  command
    .command("inspect")
    .description("print what reports or quotes say, proved or not")
    .argument("<files...>", "raw, hex or base64")
    .addOption(outputFlag())
    .action(async (files: string[], options: { output: OutputFormat }, action: Command) => {
      setExitCode(action, await inspectEvidence(io, files, options));
    });

  command
    .command("verify")
    .description(
      "give the whole verdict: every check that failed, with what was expected and found",
    )
    .argument("<files...>", "raw, hex or base64")
    .addOption(
      flag("--certificates <file>", "PEM or DER certificates of the chain (repeatable)")
        .argParser(collected)
        .default([], "none"),
    )
    .addOption(flag("--collateral <path>", "a collateral file, or a folder of them"))
    .addOption(
      flag("--at <time>", "judge as of this time (RFC 3339)")
        .argParser(parseTime)
        .default(undefined, "now"),
    )
    .addOption(
      flag(
        "--policy <file>",
        "JSON with named reference-value sets, as in a manifest; without it only genuineness is judged",
      ),
    )
    .addOption(
      flag("--report-data <hex>", "the 64 bytes that the evidence must be bound to").argParser(
        parseReportData,
      ),
    )
    .addOption(
      flag(
        "--accept-insecure-dev-attestation",
        "accept simulated evidence. INSECURE, for trials",
      ).default(false),
    )
    .addOption(outputFlag())
    .action(async (files: string[], options: VerifyFlags, action: Command) => {
      const code = await verifyEvidence(io, files, {
        certificates: options.certificates,
        collateral: options.collateral,
        at: options.at ?? io.now(),
        policy: options.policy,
        reportData: options.reportData,
        allowDevelopment: options.acceptInsecureDevAttestation,
        output: options.output,
      });
      setExitCode(action, code);
    });
  return command;
}

function parseReportData(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes?.length === 64) return bytes;
  throw new QuorateError("usage", "the report data is not 64 bytes in hex");
}
