/** Evidence: what a platform hands out to prove which code runs on it. */
import { CERTIFICATE_TABLE_BYTES_MAX, QUOTE_BYTES_MAX } from "../core/limits.ts";
import type { Platform } from "../core/manifest/reference-values.ts";
import { type Failure, failure } from "./failure.ts";

/** Evidence of one platform. Nothing in it is proved yet. */
export interface Evidence {
  readonly platform: Platform;
  /** An SNP attestation report, or a TDX quote. At most `QUOTE_BYTES_MAX`. */
  readonly quote: Uint8Array;
  /** The host's certificate table (configfs-tsm `auxblob`), or nothing. At most `CERTIFICATE_TABLE_BYTES_MAX`. */
  readonly certificates: Uint8Array;
}

/** The first check of every verifier: sizes that no real evidence reaches. */
export function evidenceSizeFailures(evidence: Evidence): Failure[] {
  const failures: Failure[] = [];
  const check = (name: string, length: number, max: number): void => {
    if (length <= max) return;
    failures.push(failure("evidence-too-large", `at most ${max} bytes`, `${length} bytes`, name));
  };
  check("quote", evidence.quote.length, QUOTE_BYTES_MAX);
  check("certificates", evidence.certificates.length, CERTIFICATE_TABLE_BYTES_MAX);
  return failures;
}
