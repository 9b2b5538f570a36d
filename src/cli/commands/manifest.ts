/** `quorate manifest`: write, check, compare and explain manifests, without a coordinator. */
import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { MANIFEST_BYTES_MAX } from "../../core/limits.ts";
import { QuorateError } from "../../core/errors.ts";
import {
  diffManifests,
  type Manifest,
  MANIFEST_FORMAT,
  manifestWarnings,
  parseManifest,
} from "../../core/manifest/index.ts";
import { unwrap } from "../../core/result.ts";
import { readInputFile, writeNewFile } from "../../config/files.ts";
import { parseDuration } from "../../config/duration.ts";
import { parseOwnerKey, parseShareOwnerKey, sha256 } from "../../crypto/index.ts";
import { explainEvidence } from "../evidence/explain.ts";
import { type Io, note, type OutputFormat, printResult } from "../io.ts";
import { keySetJson, referenceSetsJson } from "../manifest-parts.ts";
import { collected, flag, outputFlag, parseTime, wholeNumber } from "../options.ts";
import { policyHash } from "./policy.ts";

/** A manifest with the bytes that owners approve. */
export interface ManifestFile {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/** Reads and parses a manifest. @throws QuorateError `manifest-invalid` with every fault */
export async function readManifestFile(file: string): Promise<ManifestFile> {
  const bytes = await readInputFile(file, "manifest", MANIFEST_BYTES_MAX);
  return { bytes, manifest: unwrap(parseManifest(bytes, { parseOwnerKey, parseShareOwnerKey })) };
}

export function manifestCommand(io: Io): Command {
  const command = new Command("manifest").description(
    "write, check, compare and explain manifests",
  );
  command.addCommand(initCommand(io));

  command
    .command("validate")
    .description("check a manifest, listing every fault and everything worth a second look")
    .argument("<file>", "the manifest")
    .addOption(outputFlag())
    .action(async (file: string, options: { output: OutputFormat }) => {
      const { bytes, manifest } = await readManifestFile(file);
      const warnings = manifestWarnings(manifest);
      const hash = sha256(bytes);
      printResult(io, options.output, {
        text: [
          `valid: ${file}`,
          `hash:  ${hash}`,
          ...warnings.map((each) => `warning: ${each.path}: ${each.message}`),
        ].join("\n"),
        value: { valid: true, hash, warnings },
      });
    });

  command
    .command("diff")
    .description("say in words what a new manifest changes")
    .argument("<old>", "the manifest in force")
    .argument("<new>", "the manifest to come")
    .addOption(outputFlag())
    .action(async (before: string, after: string, options: { output: OutputFormat }) => {
      const changes = diffManifests(
        (await readManifestFile(before)).manifest,
        (await readManifestFile(after)).manifest,
      );
      printResult(io, options.output, {
        text:
          changes.length === 0
            ? "Both manifests mean the same."
            : changes.map((change) => `- ${change}`).join("\n"),
        value: { changes },
      });
    });

  command
    .command("explain")
    .description("say why a manifest would accept or refuse a piece of evidence")
    .addOption(flag("--manifest <file>", "the manifest").makeOptionMandatory())
    .addOption(
      flag("--evidence <file>", "report or quote: raw, hex or base64").makeOptionMandatory(),
    )
    .addOption(flag("--collateral <path>", "a collateral file, or a folder of them"))
    .addOption(
      flag(
        "--accept-insecure-dev-attestation",
        "judge as a coordinator that accepts simulated evidence",
      ).default(false),
    )
    .addOption(flag("--at <time>", "judge as of this time (RFC 3339)").argParser(parseTime))
    .addOption(outputFlag())
    .action(async (options: ExplainOptions, action: Command) => {
      const { manifest } = await readManifestFile(options.manifest);
      await explainEvidence(io, action, manifest, { ...options, at: options.at ?? io.now() });
    });
  return command;
}

interface ExplainOptions {
  readonly manifest: string;
  readonly evidence: string;
  readonly collateral?: string;
  readonly acceptInsecureDevAttestation: boolean;
  readonly at?: number;
  readonly output: OutputFormat;
}

interface InitOptions {
  readonly out: string;
  readonly trustDomain: string;
  readonly coordinatorName: readonly string[];
  readonly coordinatorPolicy: readonly string[];
  readonly workload: readonly string[];
  readonly owner: readonly string[];
  readonly threshold?: number;
  readonly shareOwner: readonly string[];
  readonly shareThreshold?: number;
  readonly certificateLifetime?: number;
  readonly referenceValues?: string;
  readonly devPlatform?: string;
  readonly output: OutputFormat;
}

function initCommand(io: Io): Command {
  return new Command("init")
    .description("write a first manifest from keys and policy documents, to edit from there")
    .addOption(flag("--out <file>", "where to write it").default("manifest.json"))
    .addOption(
      flag("--trust-domain <name>", "SPIFFE trust domain of the mesh").makeOptionMandatory(),
    )
    .addOption(
      repeatable(
        "--coordinator-name <name>",
        "stable name of a coordinator (repeatable)",
      ).makeOptionMandatory(),
    )
    .addOption(
      repeatable(
        "--coordinator-policy <file>",
        "policy document of coordinators (repeatable)",
      ).makeOptionMandatory(),
    )
    .addOption(
      repeatable(
        "--workload <name=file>",
        "a workload and its policy document (repeatable)",
      ).default([]),
    )
    .addOption(
      repeatable(
        "--owner <file>",
        "public key of a manifest owner (repeatable)",
      ).makeOptionMandatory(),
    )
    .addOption(flag("--threshold <k>", "owners who must approve").argParser(wholeNumber(1, 64)))
    .addOption(
      repeatable("--share-owner <file>", "public key of a share owner (repeatable)").default([]),
    )
    .addOption(
      flag("--share-threshold <k>", "shares that recover the seed").argParser(wholeNumber(1, 64)),
    )
    .addOption(
      flag("--certificate-lifetime <duration>", "lifetime of workload certificates").argParser(
        parseDuration,
      ),
    )
    .addOption(flag("--reference-values <file>", "JSON with the reference-value sets"))
    .addOption(
      flag(
        "--dev-platform <folder>",
        "a development set for the coordinator and each workload. INSECURE",
      ),
    )
    .addOption(outputFlag())
    .addHelpText(
      "after",
      "\nStart with quorate keygen and quorate policy; then quorate manifest validate, quorate approve, quorate set.\n",
    )
    .action(async (options: InitOptions) => {
      const bytes = Buffer.from(`${JSON.stringify(await manifestJson(options), null, 2)}\n`);
      const parsed = parseManifest(bytes, { parseOwnerKey, parseShareOwnerKey });
      if (!parsed.ok) {
        // Written all the same: the author mends it in an editor, with the list of faults at hand.
        await writeFile(options.out, bytes, { flag: "wx" });
        throw parsed.error;
      }
      await writeNewFile(options.out, bytes, 0o644);
      for (const warning of manifestWarnings(parsed.value))
        note(io, `warning: ${warning.path}: ${warning.message}`);
      printResult(io, options.output, {
        text: `manifest: ${options.out}\nhash:     ${sha256(bytes)}`,
        value: { file: options.out, hash: sha256(bytes) },
      });
    });
}

async function manifestJson(options: InitOptions): Promise<unknown> {
  const workloads = options.workload.map(workloadArgument);
  const development = options.referenceValues === undefined;
  const policies = new Map<string, unknown>();
  for (const file of options.coordinatorPolicy) {
    const sets = development ? { referenceValues: ["dev-coordinator"] } : {};
    policies.set(await policyHash(file), {
      role: "coordinator",
      spiffePath: "/coordinator",
      ...sets,
    });
  }
  for (const { name, file } of workloads) {
    const sets = development ? { referenceValues: [`dev-${name}`] } : {};
    policies.set(await policyHash(file), {
      spiffePath: `/${name}`,
      dnsNames: [name],
      secretId: name,
      ...sets,
    });
  }
  const names = ["coordinator", ...workloads.map((workload) => workload.name)];
  return {
    format: MANIFEST_FORMAT,
    trustDomain: options.trustDomain,
    coordinators: options.coordinatorName,
    policies: Object.fromEntries(policies),
    referenceValues: await referenceSetsJson(options, names),
    owners: await keySetJson(options.owner, options.threshold),
    ...(options.shareOwner.length === 0
      ? {}
      : { shareOwners: await keySetJson(options.shareOwner, options.shareThreshold) }),
    ...(options.certificateLifetime === undefined
      ? {}
      : { certificates: { leafLifetimeSeconds: Math.round(options.certificateLifetime / 1000) } }),
  };
}

function workloadArgument(text: string): { name: string; file: string } {
  const at = text.indexOf("=");
  if (at <= 0 || at === text.length - 1) {
    throw new QuorateError("usage", `"${text}" is not a workload`, {
      hint: "write NAME=FILE, for example web=web.policy.json",
    });
  }
  return { name: text.slice(0, at), file: text.slice(at + 1) };
}

function repeatable(flags: string, description: string) {
  return flag(flags, description).argParser(collected);
}
