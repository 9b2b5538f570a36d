/** The platform that a command runs on, real or simulated. */
import {
  detectPlatform,
  DevelopmentQuoter,
  developmentMeasurement,
  loadDevelopmentVendor,
  type Quoter,
} from "../attestation/index.ts";
import { POLICY_DOCUMENT_BYTES_MAX } from "../core/limits.ts";
import { QuorateError } from "../core/errors.ts";
import { readInputFile } from "../config/files.ts";
import { sha256 } from "../crypto/index.ts";
import { type Io, note } from "./io.ts";
import { flag } from "./options.ts";

/** Flags of every command that shows evidence. */
export interface PlatformOptions {
  readonly policy?: string;
  readonly insecureDevAttestation?: string;
  readonly devMeasurement: string;
}

export function platformFlags(defaultMeasurement: string) {
  return [
    flag(
      "--insecure-dev-attestation <folder>",
      "simulate a TEE with the vendor in this folder. INSECURE, for trials",
    ),
    flag("--dev-measurement <name>", "which simulated program this is").default(defaultMeasurement),
  ];
}

/** The quoter of this process. @throws QuorateError `platform-unavailable` with the way out */
export async function openPlatform(io: Io, options: PlatformOptions): Promise<Quoter> {
  if (options.insecureDevAttestation === undefined) {
    const quoter = await detectPlatform();
    if (quoter !== undefined) return quoter;
    throw new QuorateError(
      "platform-unavailable",
      "this machine shows no TEE (no report interface of SEV-SNP or TDX in configfs)",
      {
        hint: "run inside a confidential VM with Linux 6.7 or newer and configfs mounted, or try quorate dev",
      },
    );
  }
  if (options.policy === undefined) {
    throw new QuorateError("usage", "a simulated TEE needs the policy document that it carries", {
      hint: "give --policy FILE",
    });
  }
  note(
    io,
    "INSECURE: attestation is simulated; anybody with the folder of the simulated vendor can forge it",
  );
  const vendor = await loadDevelopmentVendor(options.insecureDevAttestation);
  const policy = await readInputFile(options.policy, "policy document", POLICY_DOCUMENT_BYTES_MAX);
  return new DevelopmentQuoter(vendor, {
    measurement: developmentMeasurement(options.devMeasurement),
    policyHash: sha256(policy),
  });
}
