/** Reads what the evidence commands are given. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import {
  CERTIFICATE_FILE_BYTES_MAX,
  COLLATERAL_FILE_BYTES_MAX,
  EVIDENCE_FILE_BYTES_MAX,
} from "../../core/limits.ts";
import { QuorateError } from "../../core/errors.ts";
import { unwrap } from "../../core/result.ts";
import { readInputFile } from "../../config/files.ts";
import {
  type Collateral,
  type Evidence,
  NO_COLLATERAL,
  decodePemChain,
  mergeCollateral,
  parseCollateralFile,
  parseEvidenceFile,
} from "../../attestation/index.ts";

/** Evidence of a file, in any form. @throws QuorateError `evidence-malformed`, or as reading files does */
export async function readEvidence(file: string): Promise<Evidence> {
  return unwrap(parseEvidenceFile(await readInputFile(file, "evidence", EVIDENCE_FILE_BYTES_MAX)));
}

/**
 * All collateral of certificate files (PEM or DER) and of one collateral file or a folder of such files.
 *
 * @throws QuorateError `collateral-invalid`, or as reading files does
 */
export async function readCollateral(
  certificateFiles: readonly string[],
  fileOrFolder: string | undefined,
): Promise<Collateral> {
  const certificates = (await Promise.all(certificateFiles.map(readCertificates))).flat();
  const files = fileOrFolder === undefined ? [] : await filesOf(fileOrFolder);
  const parts = await Promise.all(
    files.map(async (file) => {
      const bytes = await readInputFile(file, "collateral", COLLATERAL_FILE_BYTES_MAX);
      return unwrap(parseCollateralFile(bytes));
    }),
  );
  return mergeCollateral([{ ...NO_COLLATERAL, certificates }, ...parts]);
}

async function readCertificates(file: string): Promise<readonly Uint8Array[]> {
  const bytes = await readInputFile(file, "certificate", CERTIFICATE_FILE_BYTES_MAX);
  // A SEQUENCE: DER. Anything else has to be PEM.
  if (bytes[0] === 0x30) return [bytes];
  const chain = decodePemChain(bytes);
  if (chain.ok) return chain.value;
  throw new QuorateError("collateral-invalid", `${file} holds no certificates: ${chain.error}`, {
    hint: "give PEM or DER",
  });
}

async function filesOf(fileOrFolder: string): Promise<readonly string[]> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(fileOrFolder)).isDirectory();
  } catch (cause) {
    throw new QuorateError("not-found", `there is no collateral at ${fileOrFolder}`, { cause });
  }
  if (!isFolder) return [fileOrFolder];
  const names = (await readdir(fileOrFolder)).filter((name) => name.endsWith(".json")).sort();
  return names.map((name) => path.join(fileOrFolder, name));
}
