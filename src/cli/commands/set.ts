/** `quorate set`: makes an approved manifest the enforced one. */
import { createPublicKey } from "node:crypto";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import { isInstanceId } from "../../core/brand.ts";
import { QuorateError } from "../../core/errors.ts";
import { POLICY_DOCUMENT_BYTES_MAX } from "../../core/limits.ts";
import { genesisInstanceBytes, type Manifest } from "../../core/manifest/index.ts";
import { unwrap } from "../../core/result.ts";
import { readInputFile, replaceFile } from "../../config/files.ts";
import { assert } from "../../core/assert.ts";
import { importOwnerKey, sha256, signAsOwner, spkiOf } from "../../crypto/index.ts";
import { type ApprovalFile, readApprovalFile, readPrivateKey } from "../approval-file.ts";
import { type ConnectOptions, withCoordinator } from "../coordinator-client.ts";
import { type Io, type OutputFormat, printResult } from "../io.ts";
import { collected, connectFlags, flag, outputFlag } from "../options.ts";
import { type ManifestFile, readManifestFile } from "./manifest.ts";

interface SetOptions extends ConnectOptions {
  readonly approval: readonly string[];
  readonly policies?: string;
  readonly key?: string;
  readonly shares?: string;
  readonly output: OutputFormat;
}

export function setCommand(io: Io): Command {
  const command = new Command("set")
    .description("set an approved manifest")
    .argument("<manifest>", "the manifest, byte for byte as approved")
    .addOption(
      flag("--approval <file>", "an owner's approval (repeatable)")
        .argParser(collected)
        .makeOptionMandatory(),
    )
    .addOption(flag("--policies <folder>", "where the policy documents of the manifest are"))
    .addOption(
      flag(
        "--key <file>",
        "first manifest only: an owner's key, to bind it to the coordinator that was verified",
      ),
    )
    .addOption(
      flag(
        "--shares <file>",
        "write the encrypted seed shares there (quorate get can fetch them again)",
      ),
    )
    .addOption(outputFlag())
    .addHelpText(
      "after",
      `
The coordinator's evidence is verified against the manifest before anything is sent. Repeating the same call is safe.

Examples:
  quorate set manifest.json --approval alice.approval.json --approval bob.approval.json --policies . --key alice.key.pem
  quorate set manifest.json --approval alice.approval.json --approval bob.approval.json --policies .
`,
    );
  for (const option of connectFlags()) command.addOption(option);
  return command.action(async (file: string, options: SetOptions) => {
    const manifest = await readManifestFile(file);
    const approvals = await Promise.all(options.approval.map(readApprovalFile));
    const previous = commonPlace(manifest, approvals);
    await withCoordinator(io, options, async (client) => {
      const attested = await client.attest();
      await client.requireCoordinator(attested, manifest.manifest);
      const response = await client.user.setManifest(
        {
          manifest: manifest.bytes,
          policyDocuments: await policyDocuments(manifest.manifest, options.policies),
          approvals: approvals.map(({ approval }) => ({
            keyId: approval.key,
            signature: approval.signature,
          })),
          previousRecord: previous,
          ...(previous === ""
            ? { genesisBinding: await binding(manifest, options.key, attested.instance.id) }
            : {}),
        },
        client.call,
      );
      if (options.shares !== undefined) await replaceFile(options.shares, response.shares, 0o644);
      printResult(io, options.output, {
        text: `manifest set: ${sha256(manifest.bytes)}\nrecord:       ${response.recordHash}`,
        value: { manifest: sha256(manifest.bytes), record: response.recordHash },
      });
    });
  });
}

/** All approvals must be for this manifest and one place. @returns the predecessor; empty for a genesis */
function commonPlace({ bytes }: ManifestFile, approvals: readonly ApprovalFile[]): string {
  const hash = sha256(bytes);
  const places = new Set<string>();
  for (const [index, { subject }] of approvals.entries()) {
    if (subject.manifest !== hash) {
      throw new QuorateError(
        "invalid-argument",
        `approval ${index + 1} is for another manifest: ${subject.manifest}`,
        {
          hint: `approve the file that is set, byte for byte; its hash is ${hash}`,
        },
      );
    }
    places.add(subject.kind === "genesis" ? "" : subject.predecessor);
  }
  const [place, ...others] = [...places];
  if (place !== undefined && others.length === 0) return place;
  throw new QuorateError(
    "invalid-argument",
    "the approvals are for different places in the history",
    {
      hint: "let every owner run quorate verify and quorate approve again",
    },
  );
}

async function binding(
  { bytes, manifest }: ManifestFile,
  keyFile: string | undefined,
  instanceId: string,
) {
  if (keyFile === undefined) {
    throw new QuorateError("usage", "a first manifest must be bound to the coordinator", {
      hint: "give --key with the private key of one of the manifest's owners",
    });
  }
  const privateKey = await readPrivateKey(keyFile);
  const owner = unwrap(importOwnerKey(spkiOf(createPublicKey(privateKey))));
  if (!manifest.owners.keys.some(({ keyId }) => keyId === owner.keyId)) {
    throw new QuorateError(
      "not-authorised",
      `${keyFile} is not the key of an owner of this manifest`,
    );
  }
  assert(isInstanceId(instanceId), "an attested instance has an id");
  const signature = await signAsOwner(
    privateKey,
    owner.algorithm,
    genesisInstanceBytes(sha256(bytes), instanceId),
  );
  return { instanceId, keyId: owner.keyId, signature };
}

/** Files of the folder whose hash is a policy of the manifest. What is missing may be known to the coordinator. */
async function policyDocuments(
  manifest: Manifest,
  folder: string | undefined,
): Promise<Uint8Array[]> {
  if (folder === undefined) return [];
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new QuorateError("not-found", `the folder ${folder} cannot be read`, { cause });
  });
  const found: Uint8Array[] = [];
  for (const name of names.filter((each) => each.endsWith(".json"))) {
    const bytes = await readInputFile(
      path.join(folder, name),
      "policy document",
      POLICY_DOCUMENT_BYTES_MAX,
    ).catch(() => undefined);
    if (bytes !== undefined && manifest.policies.has(sha256(bytes))) found.push(bytes);
  }
  return found;
}
