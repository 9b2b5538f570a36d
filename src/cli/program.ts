/** The `quorate` command line: every command, and the help that introduces them. */
import { Command } from "commander";
import { approveCommand } from "./commands/approve.ts";
import { coordinatorCommand } from "./commands/coordinator.ts";
import { demoCommand, devCommand } from "./commands/demo.ts";
import { evidenceCommand } from "./commands/evidence.ts";
import { keygenCommand } from "./commands/keygen.ts";
import { manifestCommand } from "./commands/manifest.ts";
import { policyCommand } from "./commands/policy.ts";
import { recoverCommand } from "./commands/recover.ts";
import { setCommand } from "./commands/set.ts";
import { sidecarCommand } from "./commands/sidecar.ts";
import { statusCommand } from "./commands/status.ts";
import { getCommand, historyCommand, verifyCommand } from "./commands/verify.ts";
import { type Io, type OutputFormat, printResult } from "./io.ts";
import { outputFlag } from "./options.ts";
import { VERSION } from "./version.ts";

export function createProgram(io: Io): Command {
  const program = new Command("quorate")
    .description("Attested coordinator for confidential workloads")
    .version(VERSION, "-V, --version", "print the version")
    .addHelpText(
      "after",
      `
A first manifest, from nothing:
  quorate keygen owner --out alice          keys of owners, and of share owners
  quorate policy coordinator --out …        policy documents, whose hash a TEE carries
  quorate manifest init --owner … --out manifest.json
  quorate coordinator                       run it, inside a TEE
  quorate approve manifest.json --genesis --key alice.key.pem --out alice.approval.json
  quorate set manifest.json --approval alice.approval.json --policies . --key alice.key.pem

Without hardware: quorate demo shows everything, quorate dev leaves a coordinator running.

Every flag is also an environment variable, e.g. --log-level is QUORATE_LOG_LEVEL.
Exit codes: 0 ok, 1 error, 2 usage, 3 unreachable, 4 attestation or verification failed, 5 not authorised,
6 conflict, 7 not ready or recovery needed.
`,
    );

  program.commandsGroup("Run:");
  program
    .addCommand(coordinatorCommand(io))
    .addCommand(sidecarCommand(io))
    .addCommand(devCommand(io))
    .addCommand(demoCommand(io));
  program.commandsGroup("Agree on a manifest:");
  program
    .addCommand(keygenCommand(io))
    .addCommand(policyCommand(io))
    .addCommand(manifestCommand(io));
  program.addCommand(approveCommand(io)).addCommand(setCommand(io));
  program.commandsGroup("Look and verify:");
  program
    .addCommand(statusCommand(io))
    .addCommand(verifyCommand(io))
    .addCommand(getCommand(io))
    .addCommand(historyCommand(io));
  program.addCommand(evidenceCommand(io));
  program.commandsGroup("After a crash:");
  program.addCommand(recoverCommand(io));
  program.commandsGroup("Other:");
  program
    .command("version")
    .description("print the version")
    .addOption(outputFlag())
    .action((options: { output: OutputFormat }) => {
      const { node } = process.versions;
      printResult(io, options.output, {
        text: `quorate ${VERSION} (node ${node})`,
        value: { version: VERSION, node },
      });
    });
  return program;
}
