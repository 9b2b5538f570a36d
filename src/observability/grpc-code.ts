/** gRPC status codes as Go names them: what dashboards for gRPC expect in `grpc_code`. */

/** Name of each code, in the order of their numbers. */
export const GRPC_CODES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;
export type GrpcCode = (typeof GRPC_CODES)[number];

/** The name of a status code; of a number that is none, `Unknown`. */
export function grpcCode(code: number): GrpcCode {
  return GRPC_CODES[code] ?? "Unknown";
}
