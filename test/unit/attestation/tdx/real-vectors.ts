/** The public TDX vectors, which lie beside the checkout and are not part of it. */
import { existsSync, readFileSync } from "node:fs";
import { parseCollateralFile } from "../../../../src/attestation/collateral/collateral-file.ts";
import type { Collateral } from "../../../../src/attestation/verification.ts";
import { unwrap } from "../../../../src/core/result.ts";

const FOLDER = new URL("../../../../../shared/vectors/attestation/", import.meta.url);

export const VECTORS_PRESENT = existsSync(FOLDER);
if (!VECTORS_PRESENT) console.warn(`skipped: no real vectors in ${FOLDER.pathname}`);

/** A vector's bytes; hex files decoded. */
export function vector(path: string): Uint8Array {
  const bytes = readFileSync(new URL(path, FOLDER));
  const isHex = path.endsWith(".hex") || path.endsWith("hex.txt");
  return isHex
    ? Buffer.from(bytes.toString("ascii").trim().replace(/^0x/, ""), "hex")
    : new Uint8Array(bytes);
}

export function vectorCollateral(path: string): Collateral {
  return unwrap(parseCollateralFile(vector(path)));
}

/** What an independent verifier found in a quote. */
export interface ExpectedQuote {
  readonly file: string;
  readonly expect: Readonly<Record<string, unknown>>;
}

export function expectedQuotes(): readonly ExpectedQuote[] {
  const text = readFileSync(new URL("expected.json", FOLDER), "utf8");
  return (JSON.parse(text) as { tdx: ExpectedQuote[] }).tdx;
}
