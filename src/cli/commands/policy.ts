/** `quorate policy`: policy documents, whose hash a TEE carries and the manifest lists. */
import { Command } from "commander";
import { POLICY_DOCUMENT_BYTES_MAX } from "../../core/limits.ts";
import {
  parsePolicyDocument,
  POLICY_DOCUMENT_FORMAT,
} from "../../core/policy-document/policy-document.ts";
import { QuorateError } from "../../core/errors.ts";
import { readInputFile, writeNewFile } from "../../config/files.ts";
import { parseOwnerKey, sha256 } from "../../crypto/index.ts";
import { type Io, type OutputFormat, printResult } from "../io.ts";
import { keySetJson, referenceSetsJson } from "../manifest-parts.ts";
import { collected, flag, lineageFlag, outputFlag, wholeNumber } from "../options.ts";

interface CommonOptions {
  readonly out: string;
  readonly description: string;
  readonly output: OutputFormat;
}

interface WorkloadOptions extends CommonOptions {
  readonly coordinatorPolicy: readonly string[];
  readonly owner: readonly string[];
  readonly threshold?: number;
  readonly lineage?: string;
  readonly referenceValues?: string;
  readonly devPlatform?: string;
}

export function policyCommand(io: Io): Command {
  const command = new Command("policy").description(
    "make policy documents for workloads and coordinators",
  );

  command
    .command("coordinator")
    .description("make the policy document of coordinators")
    .addOption(outFlag())
    .addOption(descriptionFlag("a Quorate coordinator"))
    .addOption(outputFlag())
    .action(async (options: CommonOptions) => {
      await writePolicy(io, options, {
        format: POLICY_DOCUMENT_FORMAT,
        description: options.description,
      });
    });

  command
    .command("workload")
    .description("make the policy document of a workload, with the coordinators that it accepts")
    .addOption(outFlag())
    .addOption(descriptionFlag("a workload"))
    .addOption(
      flag("--coordinator-policy <file>", "policy document of an accepted coordinator (repeatable)")
        .argParser(collected)
        .makeOptionMandatory(),
    )
    .addOption(
      flag("--owner <file>", "public key of an owner who may found the lineage (repeatable)")
        .argParser(collected)
        .default([]),
    )
    .addOption(
      flag("--threshold <k>", "owners who must have approved its genesis").argParser(
        wholeNumber(1, 64),
      ),
    )
    .addOption(lineageFlag("accept only this lineage, instead of naming owners"))
    .addOption(
      flag(
        "--reference-values <file>",
        "JSON with the reference-value sets of accepted coordinators",
      ),
    )
    .addOption(
      flag("--dev-platform <folder>", "accept the coordinator of this simulated vendor. INSECURE"),
    )
    .addOption(outputFlag())
    .addHelpText(
      "after",
      "\nThe document is measured: its SHA-256 is the key of the workload's policy in the manifest, and the workload's TEE\n" +
        "carries it as SNP host data or TDX MRCONFIGID. So nobody can swap the coordinator that a workload trusts.\n",
    )
    .action(async (options: WorkloadOptions) => {
      const policies = await Promise.all(options.coordinatorPolicy.map(policyHash));
      const owners =
        options.owner.length === 0
          ? {}
          : { owners: await keySetJson(options.owner, options.threshold) };
      await writePolicy(io, options, {
        format: POLICY_DOCUMENT_FORMAT,
        description: options.description,
        coordinator: {
          policies,
          referenceValues: await referenceSetsJson(options, ["coordinator"]),
          ...owners,
          ...(options.lineage === undefined ? {} : { lineage: options.lineage }),
        },
      });
    });
  return command;
}

/** SHA-256 of a policy document, which must be a valid one. */
export async function policyHash(file: string): Promise<string> {
  const bytes = await readInputFile(file, "policy document", POLICY_DOCUMENT_BYTES_MAX);
  checkPolicy(bytes, `policy document ${file}`);
  return sha256(bytes);
}

async function writePolicy(io: Io, options: CommonOptions, document: unknown): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
  checkPolicy(bytes, "the policy document");
  await writeNewFile(options.out, bytes, 0o644);
  const hash = sha256(bytes);
  printResult(io, options.output, {
    text: `policy document: ${options.out}\npolicy hash:     ${hash}`,
    value: { file: options.out, policyHash: hash },
  });
}

function checkPolicy(bytes: Uint8Array, what: string): void {
  const parsed = parsePolicyDocument(bytes, parseOwnerKey);
  if (!parsed.ok)
    throw new QuorateError("invalid-argument", `${what} is not valid`, { faults: parsed.error });
}

function outFlag() {
  return flag("--out <file>", "where to write it").makeOptionMandatory();
}

function descriptionFlag(fallback: string) {
  return flag("--description <text>", "a sentence for people").default(fallback);
}
