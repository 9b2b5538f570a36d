/** `quorate approve`: an owner signs a manifest, with a key file or through an HSM. */
import { createPublicKey } from "node:crypto";
import { Command } from "commander";
import { QuorateError } from "../../core/errors.ts";
import { unwrap } from "../../core/result.ts";
import { readInputFile, readInputText, replaceFile, writeNewFile } from "../../config/files.ts";
import {
  importOwnerKey,
  type OwnerKey,
  parseOwnerKey,
  sha256,
  signAsOwner,
  spkiOf,
  verifyOwnerSignature,
} from "../../crypto/index.ts";
import {
  type ApprovalSubject,
  bytesToSign,
  encodeApprovalFile,
  readPrivateKey,
} from "../approval-file.ts";
import { type Io, note, type OutputFormat, printResult } from "../io.ts";
import { flag, outputFlag } from "../options.ts";
import { readLastSeen } from "../trust.ts";
import { type ManifestFile, readManifestFile } from "./manifest.ts";

interface ApproveOptions {
  readonly genesis: boolean;
  readonly verified?: string;
  readonly key?: string;
  readonly export?: string;
  readonly publicKey?: string;
  readonly signature?: string;
  readonly out?: string;
  readonly output: OutputFormat;
}

export function approveCommand(io: Io): Command {
  return new Command("approve")
    .description("approve a manifest as one of its owners")
    .argument("<manifest>", "the manifest, byte for byte as it will be set")
    .addOption(
      flag("--genesis", "approve it as the first manifest of a new history").default(false),
    )
    .addOption(
      flag("--verified <folder>", "approve it as successor of what quorate verify wrote there"),
    )
    .addOption(flag("--key <file>", "the owner's private key (PEM)"))
    .addOption(flag("--export <file>", "write the exact bytes to sign there, for an HSM, and stop"))
    .addOption(flag("--public-key <file>", "with --signature: the owner's public key"))
    .addOption(
      flag("--signature <file>", "take the signature that an HSM made (ECDSA in DER, or Ed25519)"),
    )
    .addOption(
      flag("--out <file>", "where to write the approval").default(undefined, "standard output"),
    )
    .addOption(outputFlag())
    .addHelpText(
      "after",
      `
Read what you approve first: quorate manifest diff OLD NEW.

Examples:
  quorate approve manifest.json --genesis --key alice.key.pem --out alice.approval.json
  quorate approve manifest.json --verified verified --key alice.key.pem --out alice.approval.json

With an HSM (ECDSA P-256 with SHA-256, P-384 with SHA-384, or Ed25519):
  quorate approve manifest.json --verified verified --export to-sign.bin
  … sign to-sign.bin …
  quorate approve manifest.json --verified verified --public-key alice.pub.pem --signature signature.bin --out alice.approval.json
`,
    )
    .action(async (file: string, options: ApproveOptions) => {
      const manifest = await readManifestFile(file);
      const subject = await subjectOf(manifest, options);
      const bytes = bytesToSign(subject);
      if (options.export !== undefined) {
        await writeNewFile(options.export, bytes, 0o644);
        printResult(io, options.output, {
          text: `bytes to sign: ${options.export} (${subject.kind} of manifest ${subject.manifest})`,
          value: { file: options.export, ...subject },
        });
        return;
      }
      const { owner, signature } = await signed(options, bytes);
      warnStranger(io, manifest, owner, subject);
      const text = encodeApprovalFile({ subject, approval: { key: owner.keyId, signature } });
      if (options.out === undefined) {
        io.stdout.write(text);
        return;
      }
      // Unlike a key, an approval can be made again.
      await replaceFile(options.out, text, 0o644);
      printResult(io, options.output, {
        text: `approval: ${options.out} (${subject.kind} of manifest ${subject.manifest})`,
        value: { file: options.out, key: owner.keyId, ...subject },
      });
    });
}

async function subjectOf(
  { bytes }: ManifestFile,
  options: ApproveOptions,
): Promise<ApprovalSubject> {
  const manifest = sha256(bytes);
  if (options.genesis === (options.verified !== undefined)) {
    throw new QuorateError("usage", "say for which place in the history the manifest is approved", {
      hint: "give either --genesis, or --verified with the folder that quorate verify wrote",
    });
  }
  if (options.verified === undefined) return { kind: "genesis", manifest };
  const seen = await readLastSeen(options.verified);
  if (seen === undefined) {
    throw new QuorateError("not-found", `nothing was verified into ${options.verified} yet`, {
      hint: `run quorate verify --out ${options.verified} first`,
    });
  }
  return { kind: "update", manifest, lineage: seen.lineage, predecessor: seen.lastSet };
}

async function signed(
  options: ApproveOptions,
  bytes: Uint8Array,
): Promise<{ owner: OwnerKey; signature: Uint8Array }> {
  if (options.key !== undefined) {
    const privateKey = await readPrivateKey(options.key);
    const owner = unwrap(importOwnerKey(spkiOf(createPublicKey(privateKey))));
    return { owner, signature: await signAsOwner(privateKey, owner.algorithm, bytes) };
  }
  if (options.signature === undefined || options.publicKey === undefined) {
    throw new QuorateError("usage", "nothing to sign with", {
      hint: "give --key, or --public-key and --signature with what an HSM signed",
    });
  }
  const owner = unwrap(
    parseOwnerKey(await readInputText(options.publicKey, "public key", 16 * 1024)),
  );
  const signature = await readInputFile(options.signature, "signature", 1024);
  if (await verifyOwnerSignature(owner, bytes, signature)) return { owner, signature };
  throw new QuorateError(
    "verification-failed",
    "the signature is not this key's over this manifest and place",
    {
      hint: "sign the bytes that --export writes, unhashed, with the same --genesis or --verified",
    },
  );
}

function warnStranger(
  io: Io,
  { manifest }: ManifestFile,
  owner: OwnerKey,
  subject: ApprovalSubject,
): void {
  const isOwner = manifest.owners.keys.some(({ keyId }) => keyId === owner.keyId);
  if (isOwner) return;
  const which =
    subject.kind === "genesis"
      ? "it will not count"
      : "it counts only if the manifest in force names it";
  note(io, `warning: this key is not an owner's of the manifest; ${which}`);
}
