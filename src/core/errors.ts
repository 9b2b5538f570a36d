/**
 * The project's one error class and its closed list of codes.
 *
 * Exactly one table maps a code to a gRPC status (`transport/status.ts`) and one maps it to an exit code
 * (`cli/exit-codes.ts`); both are exhaustive, so that a new code does not compile until it has a place in each.
 */

/** Every way in which an operation can fail. A code says *what* is wrong; the message and hint say the rest. */
export const ERROR_CODES = [
  // The caller's words.
  "usage",
  "invalid-argument",
  "manifest-invalid",
  "too-large",
  "not-found",
  "unsupported",
  // Who may do it.
  "not-authorised",
  "unauthenticated",
  "attestation-failed",
  "verification-failed",
  // State of the coordinator.
  "not-ready",
  "recovery-needed",
  "already-exists",
  "head-moved",
  "conflict",
  "not-durable",
  "unavailable",
  "unreachable",
  "no-quorum",
  // Shares.
  "share-invalid",
  "share-duplicate",
  // What the store shows.
  "store-unavailable",
  "store-corrupt",
  "store-foreign",
  "store-full",
  "store-permission",
  "rollback",
  "fork",
  // Limits and time.
  "rate-limited",
  "resource-exhausted",
  "deadline-exceeded",
  "cancelled",
  // Evidence and collateral.
  "evidence-malformed",
  "collateral-unavailable",
  "collateral-invalid",
  "quote-unavailable",
  "platform-unavailable",
  // Sealed or encrypted material.
  "decryption-failed",
  // Ours.
  "protocol",
  "internal",
] as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** One fault in a structured input: where it is and what is wrong there. */
export interface Fault {
  /** JSON path of the faulty value, e.g. `$.policies["ab…"].names[0]`. */
  readonly path: string;
  readonly message: string;
}

/** Everything about an error except its code and message. */
export interface ErrorOptions {
  /** The next step for the person who reads the message, as one sentence without a final full stop. */
  readonly hint?: string | undefined;
  /** All faults of a structured input, in the order in which they were found. */
  readonly faults?: readonly Fault[] | undefined;
  /** Further facts for machines; values are short and never secret. */
  readonly details?: Readonly<Record<string, string>> | undefined;
  readonly cause?: unknown;
}

/**
 * An operating error: something outside the program is not as it should be.
 *
 * **Security:** message, hint, faults and details travel to clients and logs. Whoever raises one puts no secret
 * into it; `cause` stays inside the process.
 */
export class QuorateError extends Error {
  override readonly name = "QuorateError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly faults: readonly Fault[];
  readonly details: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.faults = options.faults ?? [];
    this.details = options.details ?? {};
  }
}

/** True if `text` is one of {@link ERROR_CODES}. */
export function isErrorCode(text: string): text is ErrorCode {
  return (ERROR_CODES as readonly string[]).includes(text);
}
