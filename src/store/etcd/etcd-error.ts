/** What an error of etcd, of gRPC or of the client library means for the store. */
import {
  EtcdAuthenticationFailedError,
  EtcdPermissionDeniedError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
} from "etcd3";
import { QuorateError, type ErrorCode } from "../../core/errors.ts";

/**
 * The typed error if `error` is etcd's refusal, which is definite: the request had no effect and repeating it will not
 * help. `undefined` for everything else: the request may have had its effect, and another attempt may do better.
 */
export function refusalOf(error: unknown): QuorateError | undefined {
  if (error instanceof QuorateError) return error;
  if (!(error instanceof Error)) return undefined;
  const refusal = REFUSALS.find(({ matches }) => matches(error));
  return (
    refusal &&
    new QuorateError(refusal.code, `etcd refused: ${error.message}`, {
      hint: refusal.hint,
      cause: error,
    })
  );
}

const REFUSALS: readonly {
  readonly matches: (error: Error) => boolean;
  readonly code: ErrorCode;
  readonly hint: string;
}[] = [
  {
    matches: ({ message }) => message.includes("database space exceeded"),
    code: "store-full",
    hint: "compact and defragment etcd or raise its quota, then disarm the alarm: etcdctl alarm disarm",
  },
  {
    matches: ({ message }) => message.includes("request is too large"),
    code: "too-large",
    hint: "start etcd with its default --max-request-bytes or more",
  },
  {
    matches: ({ message }) => message.includes("corrupt cluster"),
    code: "store-corrupt",
    hint: "restore etcd from a snapshot: it has raised its CORRUPT alarm",
  },
  {
    matches: (error) =>
      error instanceof EtcdPermissionDeniedError ||
      error instanceof EtcdAuthenticationFailedError ||
      error instanceof GRPCUnauthenticatedError ||
      error.message.includes("user name is empty") ||
      error.message.includes("authentication is not enabled"),
    code: "store-permission",
    hint: "check --etcd-user, --etcd-password-file, and that the user's role may read and write the key prefix",
  },
  {
    matches: (error) =>
      error instanceof GRPCInvalidArgumentError || error instanceof GRPCFailedPreconditionError,
    code: "store-unavailable",
    hint: "check that this is etcd 3.4 or newer",
  },
  {
    matches: (error) =>
      error instanceof GRPCResourceExhastedError && !error.message.includes("too many requests"),
    code: "too-large",
    hint: "check whether something else wrote an oversized value under the key prefix",
  },
];
