/** Parts of manifests and policy documents, as the JSON that people would write. */
import path from "node:path";
import {
  developmentMeasurement,
  loadDevelopmentVendor,
  SIMULATED_TCB,
} from "../attestation/index.ts";
import { MANIFEST_BYTES_MAX } from "../core/limits.ts";
import { QuorateError } from "../core/errors.ts";
import { readInputText } from "../config/files.ts";

const KEY_FILE_BYTES_MAX = 16 * 1024;

/** `{"threshold": …, "keys": […]}` from files of public keys; a key is named after its file. @param threshold all of them if absent */
export async function keySetJson(
  files: readonly string[],
  threshold: number | undefined,
): Promise<unknown> {
  const keys = await Promise.all(
    files.map(async (file) => ({
      name: path.basename(file).replace(/(\.pub)?\.(pem|der|txt)$/, ""),
      publicKey: await readInputText(file, "public key", KEY_FILE_BYTES_MAX),
    })),
  );
  return { threshold: threshold ?? files.length, keys };
}

/** Where reference values come from. */
export interface ReferenceSources {
  readonly referenceValues?: string;
  readonly devPlatform?: string;
}

/**
 * Reference-value sets: those of a file, or a development set for each of `names`, called `dev-NAME`.
 *
 * @throws QuorateError `usage` without a source
 */
export async function referenceSetsJson(
  sources: ReferenceSources,
  names: readonly string[],
): Promise<Record<string, unknown>> {
  if (sources.referenceValues !== undefined) {
    return JSON.parse(
      await readInputText(sources.referenceValues, "reference values", MANIFEST_BYTES_MAX),
    ) as Record<string, unknown>;
  }
  if (sources.devPlatform === undefined) {
    throw new QuorateError("usage", "no reference values are given", {
      hint: "give --reference-values FILE, or --dev-platform FOLDER for a trial without hardware",
    });
  }
  const { rootFingerprint } = await loadDevelopmentVendor(sources.devPlatform);
  const set = (name: string): unknown => ({
    platform: "snp",
    developmentRoot: rootFingerprint,
    measurement: developmentMeasurement(name),
    minimumTcb: { Milan: SIMULATED_TCB },
  });
  return Object.fromEntries(names.map((name) => [`dev-${name}`, set(name)]));
}
