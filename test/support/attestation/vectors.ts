/** The real attestation vectors beside the checkout. They are not part of the repository. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { X509Certificate } from "node:crypto";
import { fromHex } from "../../../src/core/bytes.ts";

const FOLDER = fileURLToPath(new URL("../../../../shared/vectors/attestation", import.meta.url));

/** False where only the repository is checked out; tests then say that they were skipped. */
export const hasVectors = existsSync(join(FOLDER, "expected.json"));

/** Appended to the name of a suite that needs the vectors. */
export const vectorsNote = hasVectors ? "" : " (skipped: ../shared/vectors/attestation is missing)";

/** A vector's bytes; files of hex are decoded. */
export function vector(path: string): Uint8Array {
  const content = readFileSync(join(FOLDER, path));
  if (!/\.(hex|txt)$/.test(path)) return new Uint8Array(content);
  const decoded = fromHex(content.toString("latin1").trim());
  if (decoded === undefined) throw new Error(`${path} is not hex`);
  return decoded;
}

/** A JSON vector. */
export function jsonVector(path: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, path), "utf8"));
}

/** All certificates of a PEM or DER file, in DER. */
export function certificatesIn(path: string): Uint8Array[] {
  const content = readFileSync(join(FOLDER, path));
  const blocks = content
    .toString("latin1")
    .match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  return (blocks ?? [content]).map((block) => new Uint8Array(new X509Certificate(block).raw));
}
