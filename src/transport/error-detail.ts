/**
 * Errors on the wire: an `ErrorDetail` message in the trailing metadata `quorate-error-bin` beside the gRPC status,
 * and in the verdict of an attested session.
 *
 * **Security:** a QuorateError's words are meant for the other side; anything else that a handler throws is ours
 * alone and travels as "internal error" with a request id. Received text is a stranger's: it is bounded and freed
 * of control characters before it can reach a terminal or a log.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Metadata, type status } from "@grpc/grpc-js";
import { isErrorCode, QuorateError } from "../core/errors.ts";
import { ERROR_DETAIL_BYTES_MAX, ERROR_TEXT_CHARACTERS_MAX, FAULTS_MAX } from "../core/limits.ts";
import { ErrorDetailSchema, type ErrorDetail } from "../gen/quorate/common/v1/error_pb.ts";
import { codeOfStatus, statusOf } from "./status.ts";

/** Trailing metadata key of the error detail. */
export const ERROR_METADATA_KEY = "quorate-error-bin";

/** What grpc-js takes as the failure of a call. */
export interface CallFailure {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/**
 * What the other side may know of anything thrown: a QuorateError as it is, an abort as `cancelled` or
 * `deadline-exceeded`, and everything else as `internal` with the request id alone.
 */
export function presentable(thrown: unknown, requestId: string): QuorateError {
  if (thrown instanceof QuorateError && thrown.code !== "internal") return thrown;
  if (thrown instanceof Error && thrown.name === "AbortError") {
    return new QuorateError("cancelled", "the call was cancelled");
  }
  if (thrown instanceof Error && thrown.name === "TimeoutError") {
    return new QuorateError("deadline-exceeded", "the call took too long");
  }
  return new QuorateError("internal", `internal error (request ${requestId})`, {
    hint: "look for this request id in the coordinator's log",
    details: { requestId },
    cause: thrown,
  });
}

/** The gRPC status, message and trailing metadata of an error. */
export function callFailure(error: QuorateError): CallFailure {
  const metadata = new Metadata();
  metadata.set(ERROR_METADATA_KEY, Buffer.from(toBinary(ErrorDetailSchema, errorDetail(error))));
  return { code: statusOf(error.code), details: asciiMessage(error.message), metadata };
}

/** The error that a failed call stands for: its detail if it brought one, else the nearest code to its status. */
export function errorOfFailure(failure: CallFailure): QuorateError {
  const value = failure.metadata.get(ERROR_METADATA_KEY)[0];
  const detail = value instanceof Uint8Array ? decodeErrorDetail(value) : undefined;
  if (detail !== undefined) return errorOfDetail(detail);
  return new QuorateError(codeOfStatus(failure.code), clean(failure.details));
}

/** The message form of an error, at most ERROR_DETAIL_BYTES_MAX encoded: its texts cut to their bounds and its faults to what fits. */
export function errorDetail(error: QuorateError): ErrorDetail {
  const detail = create(ErrorDetailSchema, {
    code: error.code,
    message: cut(error.message),
    hint: cut(error.hint ?? ""),
  });
  let room = ERROR_DETAIL_BYTES_MAX - toBinary(ErrorDetailSchema, detail).length - COUNTER_BYTES;
  for (const [key, value] of Object.entries(error.details)) {
    room -= byteLength(key) + byteLength(value) + ENTRY_OVERHEAD_BYTES;
    if (room < 0) break;
    detail.details[key] = value;
  }
  for (const fault of error.faults) {
    const path = cut(fault.path);
    const message = cut(fault.message);
    room -= byteLength(path) + byteLength(message) + ENTRY_OVERHEAD_BYTES;
    if (room < 0) break;
    detail.faults.push({ $typeName: "quorate.common.v1.Fault", path, message });
  }
  detail.omittedFaults = error.faults.length - detail.faults.length;
  return detail;
}

/** The error that a detail stands for; a code that this version does not know becomes `protocol`. */
export function errorOfDetail(detail: ErrorDetail): QuorateError {
  const faults = detail.faults
    .slice(0, FAULTS_MAX)
    .map(({ path, message }) => ({ path: clean(path), message: clean(message) }));
  if (detail.omittedFaults > 0) {
    faults.push({ path: "$", message: `and ${detail.omittedFaults} more faults` });
  }
  const details = Object.fromEntries(
    Object.entries(detail.details)
      .slice(0, FAULTS_MAX)
      .map(([key, value]) => [clean(key), clean(value)]),
  );
  const code = isErrorCode(detail.code) ? detail.code : "protocol";
  const hint = detail.hint === "" ? undefined : clean(detail.hint);
  return new QuorateError(code, clean(detail.message), { hint, faults, details });
}

function decodeErrorDetail(bytes: Uint8Array): ErrorDetail | undefined {
  try {
    return fromBinary(ErrorDetailSchema, bytes);
  } catch {
    // Not our message: the caller falls back to the gRPC status.
    return undefined;
  }
}

/** Tags and lengths of a map entry or fault, generously. */
const ENTRY_OVERHEAD_BYTES = 12;
/** Tag and value of the counter of omitted faults. */
const COUNTER_BYTES = 8;

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

function cut(text: string): string {
  const short =
    text.length <= ERROR_TEXT_CHARACTERS_MAX
      ? text
      : `${text.slice(0, ERROR_TEXT_CHARACTERS_MAX - 1)}…`;
  // A lone surrogate has no UTF-8 form.
  return short.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** `grpc-message` is percent-encoded, up to nine times its length: plain text only; the detail has the rest. */
function asciiMessage(message: string): string {
  return cut(message).replace(/[^\x20-\x7e]/g, "?");
}

function clean(text: string): string {
  // Line feeds stay: a hint may have lines. All other control characters could steer a terminal.
  return cut(text).replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, "\ufffd");
}
