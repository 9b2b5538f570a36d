/** Issuing evidence about oneself. */
import { QuorateError } from "../core/errors.ts";
import type { Platform } from "../core/manifest/reference-values.ts";
import type { Evidence } from "./evidence.ts";

/** The platform that a process runs on, for status, logs and metrics. */
export interface PlatformDescription {
  readonly id: Platform;
  /** True for a simulated platform: then everything says INSECURE. */
  readonly development: boolean;
  /** Who signs: `sev_guest` and `tdx_guest` of the Linux kernel, or `simulated`. */
  readonly provider: string;
}

/** How long a caller wants to wait. */
export interface QuoteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds, waiting for earlier requests included. @default QUOTE_TIMEOUT_MS */
  readonly timeoutMs?: number | undefined;
}

/** The platform's own evidence issuer. */
export interface Quoter {
  readonly platform: PlatformDescription;
  /**
   * Evidence with `reportData` (exactly 64 bytes) in it. Requests run one at a time, in order.
   *
   * Fails with `quote-unavailable` (worth another try later), `platform-unavailable` (not worth it),
   * `deadline-exceeded`, `cancelled` or `resource-exhausted`.
   */
  quote(reportData: Uint8Array, options?: QuoteOptions): Promise<Evidence>;
}

/** The error for a quote that somebody stopped waiting for. */
export function quoteAborted(signal: AbortSignal): QuorateError {
  return signal.reason instanceof DOMException && signal.reason.name === "TimeoutError"
    ? new QuorateError("deadline-exceeded", "the platform did not give a quote in time", {
        hint: "quotes take up to a minute on a busy host; try again",
      })
    : new QuorateError("cancelled", "nobody waits for the quote any more");
}
