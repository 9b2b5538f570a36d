/** The one table from error code to exit code. */
import type { ErrorCode } from "../core/errors.ts";

/** Exit codes of every command; `docs/cli.md` lists them for scripts. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  unreachable: 3,
  /** Attestation or verification failed. */
  untrusted: 4,
  notAuthorised: 5,
  conflict: 6,
  /** Not ready, or recovery needed. */
  notReady: 7,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Exit code of each error code. */
export const EXIT_OF_ERROR: Readonly<Record<ErrorCode, ExitCode>> = {
  usage: EXIT.usage,
  "invalid-argument": EXIT.error,
  "manifest-invalid": EXIT.error,
  "too-large": EXIT.error,
  "not-found": EXIT.error,
  unsupported: EXIT.error,
  "not-authorised": EXIT.notAuthorised,
  unauthenticated: EXIT.notAuthorised,
  "attestation-failed": EXIT.untrusted,
  "verification-failed": EXIT.untrusted,
  "not-ready": EXIT.notReady,
  "recovery-needed": EXIT.notReady,
  "already-exists": EXIT.conflict,
  "head-moved": EXIT.conflict,
  conflict: EXIT.conflict,
  "not-durable": EXIT.notReady,
  unavailable: EXIT.unreachable,
  unreachable: EXIT.unreachable,
  "no-quorum": EXIT.notReady,
  "share-invalid": EXIT.error,
  "share-duplicate": EXIT.conflict,
  "store-unavailable": EXIT.unreachable,
  "store-corrupt": EXIT.untrusted,
  "store-foreign": EXIT.error,
  "store-full": EXIT.error,
  "store-permission": EXIT.error,
  rollback: EXIT.untrusted,
  fork: EXIT.untrusted,
  "rate-limited": EXIT.unreachable,
  "resource-exhausted": EXIT.unreachable,
  "deadline-exceeded": EXIT.unreachable,
  cancelled: EXIT.error,
  "evidence-malformed": EXIT.untrusted,
  "collateral-unavailable": EXIT.untrusted,
  "collateral-invalid": EXIT.untrusted,
  "quote-unavailable": EXIT.error,
  "platform-unavailable": EXIT.error,
  "decryption-failed": EXIT.error,
  protocol: EXIT.error,
  internal: EXIT.error,
};
