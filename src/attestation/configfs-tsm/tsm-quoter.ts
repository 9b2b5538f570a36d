/**
 * Evidence from the Linux kernel through configfs-tsm, by plain file I/O.
 *
 * One request: make an entry, write 64 bytes to `inblob`, read `outblob` and `auxblob`, and see by `generation`
 * that exactly one write lies between. The kernel takes what was written only when the file is closed and reports
 * no error there, so only the generation, and our bytes in the quote, prove that the quote is ours.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { assert } from "../../core/assert.ts";
import { QuorateError } from "../../core/errors.ts";
import { CERTIFICATE_TABLE_BYTES_MAX, QUOTE_BYTES_MAX } from "../../core/limits.ts";
import type { Platform } from "../../core/manifest/reference-values.ts";
import type { Evidence } from "../evidence.ts";
import { OneAtATime } from "../one-at-a-time.ts";
import {
  type PlatformDescription,
  type QuoteOptions,
  type Quoter,
  quoteAborted,
} from "../quoter.ts";
import { REPORT_DATA_BYTES } from "../report-data.ts";
import type { ReportFiles } from "./report-files.ts";

/** The kernel's providers that are understood. */
const PLATFORM_OF_PROVIDER: Readonly<Record<string, Platform>> = {
  sev_guest: "snp",
  tdx_guest: "tdx",
};

/** Waits between attempts; tests shorten them. */
export interface RetryPauses {
  /** After EBUSY, EINTR, EAGAIN and a write by somebody else: short troubles. @default 50 */
  readonly shortMs: number;
  /** After ETIMEDOUT and EIO: the host or its firmware is in trouble. Doubles each time. @default 500 */
  readonly longMs: number;
}

const PAUSES: RetryPauses = { shortMs: 50, longMs: 500 };

/** Attempts for one request; more than an honest host ever needs. */
const ATTEMPTS_MAX = 8;

/**
 * The platform behind a report folder: makes an entry, reads its provider, removes it.
 *
 * `undefined` if there is no such folder (no TEE, or an old kernel) or its provider is unknown. Fails with
 * `platform-unavailable` if the folder is there but cannot be used.
 */
export async function detectTsmPlatform(
  files: ReportFiles,
): Promise<PlatformDescription | undefined> {
  let entry: string;
  try {
    entry = await files.makeEntry();
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw unusable(cause);
  }
  try {
    const provider = textOf(await files.read(entry, "provider"));
    const id = PLATFORM_OF_PROVIDER[provider];
    return id === undefined ? undefined : { id, development: false, provider };
  } catch (cause) {
    throw unusable(cause);
  } finally {
    await removeQuietly(files, entry);
  }
}

/** A quoter over one report folder. */
export class TsmQuoter implements Quoter {
  readonly platform: PlatformDescription;
  readonly #files: ReportFiles;
  readonly #pauses: RetryPauses;
  readonly #requests = new OneAtATime();

  /** @param platform what {@link detectTsmPlatform} found. */
  constructor(platform: PlatformDescription, files: ReportFiles, pauses: RetryPauses = PAUSES) {
    this.platform = platform;
    this.#files = files;
    this.#pauses = pauses;
  }

  quote(reportData: Uint8Array, options: QuoteOptions = {}): Promise<Evidence> {
    assert(reportData.length === REPORT_DATA_BYTES, "report data has 64 bytes");
    const content = reportData.slice();
    return this.#requests.run(options, (signal) => this.#quoteWithRetries(content, signal));
  }

  async #quoteWithRetries(reportData: Uint8Array, signal: AbortSignal): Promise<Evidence> {
    let longPauseMs = this.#pauses.longMs;
    let last: Trouble = { kind: "short", error: undefined };
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (signal.aborted) throw quoteAborted(signal);
      const outcome = await this.#attempt(reportData);
      if (outcome.kind === "quoted") return outcome.evidence;
      if (outcome.kind === "permanent") throw outcome.error;
      last = outcome;
      await pause(outcome.kind === "short" ? this.#pauses.shortMs : longPauseMs, signal);
      if (outcome.kind === "long") longPauseMs *= 2;
    }
    throw new QuorateError("quote-unavailable", "the platform gives no quote", {
      hint: "the host is overloaded, or another process uses our report entries; try again later",
      details: { lastError: codeOf(last.error) ?? "somebody else's write" },
      cause: last.error,
    });
  }

  async #attempt(reportData: Uint8Array): Promise<Outcome> {
    let entry: string | undefined;
    try {
      entry = await this.#files.makeEntry();
      const provider = textOf(await this.#files.read(entry, "provider"));
      if (provider !== this.platform.provider) {
        return { kind: "permanent", error: changedPlatform(this.platform.provider, provider) };
      }
      const before = await this.#generation(entry);
      await this.#files.write(entry, "inblob", reportData);
      const quote = await this.#files.read(entry, "outblob");
      const certificates = await this.#certificates(entry);
      const after = await this.#generation(entry);
      // A write of ours that got lost and one of somebody else together also count one; the bytes tell.
      if (after !== before + 1 || !Buffer.from(quote).includes(Buffer.from(reportData))) {
        return { kind: "short", error: undefined };
      }
      if (quote.length > QUOTE_BYTES_MAX || certificates.length > CERTIFICATE_TABLE_BYTES_MAX) {
        return { kind: "permanent", error: tooLarge(quote.length, certificates.length) };
      }
      return {
        kind: "quoted",
        evidence: { platform: this.platform.id, quote, certificates },
      };
    } catch (error) {
      return troubleOf(error);
    } finally {
      if (entry !== undefined) await removeQuietly(this.#files, entry);
    }
  }

  async #generation(entry: string): Promise<number> {
    const text = textOf(await this.#files.read(entry, "generation"));
    if (!/^\d{1,15}$/.test(text)) throw new TypeError(`generation is no number: ${text}`);
    return Number(text);
  }

  /** The host's certificate table; TDX has no such file, and many hosts provide none. */
  async #certificates(entry: string): Promise<Uint8Array> {
    try {
      return await this.#files.read(entry, "auxblob");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return new Uint8Array(0);
      throw error;
    }
  }
}

type Trouble = { readonly kind: "short" | "long"; readonly error: unknown };

type Outcome =
  | { readonly kind: "quoted"; readonly evidence: Evidence }
  | Trouble
  | { readonly kind: "permanent"; readonly error: QuorateError };

/** What an error of the kernel means (Linux `drivers/virt/coco`, and the providers' own codes). */
function troubleOf(error: unknown): Outcome {
  switch (codeOf(error)) {
    case "EBUSY":
    case "EINTR":
    case "EAGAIN":
    // The entry is gone or was never written: somebody else removed it or wrote to it.
    case "ENOENT":
    case "EINVAL":
      return { kind: "short", error };
    case "ETIMEDOUT":
    case "EIO":
      return { kind: "long", error };
    case "ENOTTY": {
      const message = "the platform's key is gone: this guest can never get a report again";
      const hint = "restart the virtual machine";
      const gone = new QuorateError("platform-unavailable", message, { hint, cause: error });
      return { kind: "permanent", error: gone };
    }
    default:
      return { kind: "permanent", error: unusable(error) };
  }
}

function unusable(cause: unknown): QuorateError {
  const code = codeOf(cause) ?? "no error code";
  return new QuorateError("platform-unavailable", `configfs-tsm cannot be used (${code})`, {
    hint: "run as root, with configfs mounted at /sys/kernel/config",
    cause,
  });
}

function changedPlatform(expected: string, found: string): QuorateError {
  const message = `the platform was ${expected} and now calls itself ${found.slice(0, 64)}`;
  return new QuorateError("platform-unavailable", message);
}

function tooLarge(quote: number, certificates: number): QuorateError {
  const message = `the platform gave ${quote} bytes of quote and ${certificates} of certificates`;
  return new QuorateError("platform-unavailable", message);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trim();
}

async function removeQuietly(files: ReportFiles, entry: string): Promise<void> {
  try {
    await files.removeEntry(entry);
  } catch {
    // Somebody else removed it, or the kernel holds it; an empty entry left behind harms nobody.
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    // The timer rejects on abort and for nothing else.
    throw quoteAborted(signal);
  }
}
