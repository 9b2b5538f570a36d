/** The one table from error codes to gRPC statuses, and the coarse way back for servers that send no detail. */
import { status } from "@grpc/grpc-js";
import type { ErrorCode } from "../core/errors.ts";

const STATUS_OF = {
  usage: status.INVALID_ARGUMENT,
  "invalid-argument": status.INVALID_ARGUMENT,
  "manifest-invalid": status.INVALID_ARGUMENT,
  "too-large": status.INVALID_ARGUMENT,
  "not-found": status.NOT_FOUND,
  unsupported: status.UNIMPLEMENTED,
  "not-authorised": status.PERMISSION_DENIED,
  unauthenticated: status.UNAUTHENTICATED,
  "attestation-failed": status.UNAUTHENTICATED,
  "verification-failed": status.FAILED_PRECONDITION,
  "not-ready": status.FAILED_PRECONDITION,
  "recovery-needed": status.FAILED_PRECONDITION,
  "already-exists": status.ALREADY_EXISTS,
  "head-moved": status.ABORTED,
  conflict: status.ABORTED,
  "not-durable": status.UNAVAILABLE,
  unavailable: status.UNAVAILABLE,
  unreachable: status.UNAVAILABLE,
  "no-quorum": status.UNAVAILABLE,
  "share-invalid": status.INVALID_ARGUMENT,
  "share-duplicate": status.ALREADY_EXISTS,
  "store-unavailable": status.UNAVAILABLE,
  "store-corrupt": status.DATA_LOSS,
  "store-foreign": status.FAILED_PRECONDITION,
  "store-full": status.UNAVAILABLE,
  "store-permission": status.UNAVAILABLE,
  rollback: status.DATA_LOSS,
  fork: status.DATA_LOSS,
  "rate-limited": status.RESOURCE_EXHAUSTED,
  "resource-exhausted": status.RESOURCE_EXHAUSTED,
  "deadline-exceeded": status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  "evidence-malformed": status.INVALID_ARGUMENT,
  "collateral-unavailable": status.UNAVAILABLE,
  "collateral-invalid": status.UNAUTHENTICATED,
  "quote-unavailable": status.UNAVAILABLE,
  "platform-unavailable": status.UNAVAILABLE,
  "decryption-failed": status.INVALID_ARGUMENT,
  protocol: status.INVALID_ARGUMENT,
  internal: status.INTERNAL,
} as const satisfies Record<ErrorCode, status>;

/** The gRPC status under which an error code travels. */
export function statusOf(code: ErrorCode): status {
  return STATUS_OF[code];
}

const CODE_OF = {
  [status.OK]: "protocol",
  [status.CANCELLED]: "cancelled",
  [status.UNKNOWN]: "internal",
  [status.INVALID_ARGUMENT]: "invalid-argument",
  [status.DEADLINE_EXCEEDED]: "deadline-exceeded",
  [status.NOT_FOUND]: "not-found",
  [status.ALREADY_EXISTS]: "already-exists",
  [status.PERMISSION_DENIED]: "not-authorised",
  [status.RESOURCE_EXHAUSTED]: "resource-exhausted",
  [status.FAILED_PRECONDITION]: "not-ready",
  [status.ABORTED]: "conflict",
  [status.OUT_OF_RANGE]: "invalid-argument",
  [status.UNIMPLEMENTED]: "unsupported",
  [status.INTERNAL]: "internal",
  [status.UNAVAILABLE]: "unavailable",
  [status.DATA_LOSS]: "store-corrupt",
  [status.UNAUTHENTICATED]: "unauthenticated",
} as const satisfies Record<status, ErrorCode>;

/** The nearest error code to a status that came without our error detail (grpc-js itself, a proxy). */
export function codeOfStatus(code: number): ErrorCode {
  return (CODE_OF as Readonly<Record<number, ErrorCode>>)[code] ?? "internal";
}
