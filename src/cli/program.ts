/** The `quorate` command line: every command, and the help that introduces them. */
import { Command } from "commander";
import { type Io, type OutputFormat, printResult } from "./io.ts";
import { outputFlag } from "./options.ts";
import { VERSION } from "./version.ts";

type Load = (io: Io) => Promise<Command>;

/** Commands by group, in the order of the help. Each is loaded when it is asked for: a keygen needs no gRPC. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, Load>>>> = {
  "Run:": {
    coordinator: async (io) => (await import("./commands/coordinator.ts")).coordinatorCommand(io),
    sidecar: async (io) => (await import("./commands/sidecar.ts")).sidecarCommand(io),
    dev: async (io) => (await import("./commands/demo.ts")).devCommand(io),
    demo: async (io) => (await import("./commands/demo.ts")).demoCommand(io),
  },
  "Agree on a manifest:": {
    keygen: async (io) => (await import("./commands/keygen.ts")).keygenCommand(io),
    policy: async (io) => (await import("./commands/policy.ts")).policyCommand(io),
    manifest: async (io) => (await import("./commands/manifest.ts")).manifestCommand(io),
    approve: async (io) => (await import("./commands/approve.ts")).approveCommand(io),
    set: async (io) => (await import("./commands/set.ts")).setCommand(io),
  },
  "Look and verify:": {
    status: async (io) => (await import("./commands/status.ts")).statusCommand(io),
    verify: async (io) => (await import("./commands/verify.ts")).verifyCommand(io),
    get: async (io) => (await import("./commands/verify.ts")).getCommand(io),
    history: async (io) => (await import("./commands/verify.ts")).historyCommand(io),
    evidence: async (io) => (await import("./commands/evidence.ts")).evidenceCommand(io),
  },
  "After a crash:": {
    recover: async (io) => (await import("./commands/recover.ts")).recoverCommand(io),
  },
  "Other:": { version: (io) => Promise.resolve(versionCommand(io)) },
};

/** The program with the command that `args` name, or with all of them if they name none (help, a typing error). */
export async function createProgram(io: Io, args: readonly string[]): Promise<Command> {
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

  const known = Object.values(GROUPS).flatMap((group) => Object.keys(group));
  const wanted = known.includes(args[0] ?? "") ? [args[0]] : known;
  for (const [title, group] of Object.entries(GROUPS)) {
    program.commandsGroup(title);
    for (const [name, load] of Object.entries(group)) {
      if (wanted.includes(name)) program.addCommand(await load(io));
    }
  }
  return program;
}

function versionCommand(io: Io): Command {
  return new Command("version")
    .description("print the version")
    .addOption(outputFlag())
    .action((options: { output: OutputFormat }) => {
      const { node } = process.versions;
      printResult(io, options.output, {
        text: `quorate ${VERSION} (node ${node})`,
        value: { version: VERSION, node },
      });
    });
}
