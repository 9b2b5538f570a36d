/** `quorate keygen`: keys of owners and share owners, and the simulated vendor for development. */
import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { Command } from "commander";
import { createDevelopmentVendor } from "../../attestation/index.ts";
import { writeNewFile } from "../../config/files.ts";
import { keyIdOf } from "../../crypto/index.ts";
import { flag, outputFlag } from "../options.ts";
import { type Io, type OutputFormat, printResult } from "../io.ts";

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const generate = promisify(generateKeyPair) as (
  type: string,
  options: Readonly<Record<string, unknown>>,
) => Promise<KeyPair>;

const OWNER_ALGORITHMS = {
  "p-256": () => generate("ec", { namedCurve: "P-256" }),
  "p-384": () => generate("ec", { namedCurve: "P-384" }),
  ed25519: () => generate("ed25519", {}),
} as const;

const SHARE_ALGORITHMS = {
  x25519: () => generate("x25519", {}),
  "rsa-3072": () => generate("rsa", { modulusLength: 3072 }),
  "rsa-4096": () => generate("rsa", { modulusLength: 4096 }),
} as const;

interface KeyOptions<Algorithm extends string> {
  readonly out: string;
  readonly algorithm: Algorithm;
  readonly output: OutputFormat;
}

export function keygenCommand(io: Io): Command {
  const command = new Command("keygen").description(
    "make keys for owners and share owners, or a simulated platform",
  );

  const keyCommand = <Algorithm extends string>(
    name: string,
    what: string,
    algorithms: Readonly<Record<Algorithm, () => Promise<KeyPair>>>,
    example: string,
  ): void => {
    const [first] = Object.keys(algorithms);
    command
      .command(name)
      .description(`make ${what}`)
      .addOption(
        flag(
          "--out <path>",
          "write PATH.key.pem (secret, mode 0600) and PATH.pub.pem",
        ).makeOptionMandatory(),
      )
      .addOption(
        flag("--algorithm <name>", "kind of key").choices(Object.keys(algorithms)).default(first),
      )
      .addOption(outputFlag())
      .addHelpText("after", `\nExample:\n  quorate keygen ${name} --out ${example}\n`)
      .action(async (options: KeyOptions<Algorithm>) => {
        await writeKeyPair(io, options, await algorithms[options.algorithm]());
      });
  };
  keyCommand("owner", "the key with which an owner approves manifests", OWNER_ALGORITHMS, "alice");
  keyCommand(
    "share-owner",
    "the key to which a share of the seed is encrypted",
    SHARE_ALGORITHMS,
    "alice-share",
  );

  command
    .command("dev-platform")
    .description(
      "make a simulated TEE vendor. INSECURE: whoever reads the folder can forge any evidence",
    )
    .addOption(flag("--out <folder>", "a folder that does not exist yet").makeOptionMandatory())
    .addOption(outputFlag())
    .action(async (options: { out: string; output: OutputFormat }) => {
      const vendor = await createDevelopmentVendor(options.out);
      printResult(io, options.output, {
        text:
          `simulated vendor: ${options.out}\nroot: ${vendor.rootFingerprint}\n` +
          "INSECURE: for development only; whoever reads this folder can forge any evidence",
        value: { folder: options.out, developmentRoot: vendor.rootFingerprint },
      });
    });
  return command;
}

async function writeKeyPair(
  io: Io,
  options: { out: string; output: OutputFormat },
  pair: KeyPair,
): Promise<void> {
  const secret = `${options.out}.key.pem`;
  const open = `${options.out}.pub.pem`;
  await writeNewFile(secret, pair.privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);
  await writeNewFile(open, pair.publicKey.export({ type: "spki", format: "pem" }), 0o644);
  const keyId = keyIdOf(pair.publicKey);
  printResult(io, options.output, {
    text: `secret key: ${secret} (keep it to yourself)\npublic key: ${open} (goes into the manifest)\nkey id:     ${keyId}`,
    value: { secretKey: secret, publicKey: open, keyId },
  });
}
