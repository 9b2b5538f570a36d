/** What happens on the ports, in the log and the audit log. */
import { status } from "@grpc/grpc-js";
import type { ErrorCode } from "../core/errors.ts";
import type { EndedCall } from "../transport/server-call.ts";
import type { TransportEvent } from "../transport/session-server.ts";
import type { AuditLog } from "./audit.ts";
import { grpcCode } from "./grpc-code.ts";
import type { Logger } from "./log.ts";

/** Reasons for refusing a peer that lie in its proof, as opposed to a lost or broken connection. */
const PROOF_REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "attestation-failed",
  "unauthenticated",
  "evidence-malformed",
  "collateral-invalid",
  "collateral-unavailable",
]);

/** Writes what an event of a port is worth: strangers and calls that went well show at level `debug` only. */
export function logPort(
  { log, audit }: { readonly log: Logger; readonly audit: AuditLog },
  event: TransportEvent<unknown>,
): void {
  switch (event.kind) {
    case "refused": {
      const { remote, error } = event;
      if (!PROOF_REFUSALS.has(error.code)) {
        log.debug({ remote, error }, "no session came about");
        return;
      }
      log.info({ remote, error }, "session refused");
      const { code, message } = error;
      audit.record({ event: "attestation-refused", remote, code, message });
      return;
    }
    case "internal-error": {
      const { error, method, requestId } = event;
      log.error({ error, method, requestId }, "internal error");
      return;
    }
    case "call-ended":
      logCall(log, event.call);
      return;
    case "rejected":
      log.debug({ remote: event.remote, reason: event.reason }, "connection rejected");
      return;
    case "opened":
    case "closed":
  }
}

function logCall(log: Logger, call: EndedCall): void {
  const level = levelOf(call.code);
  // On the path of every call: no line is put together that nobody reads.
  if (!log.isLevelEnabled(level)) return;
  const { method, requestId, remote, seconds, received, sent, error } = call;
  const code = grpcCode(call.code);
  const milliseconds = Math.round(seconds * 1e6) / 1e3;
  log[level](
    { requestId, method, remote, code, milliseconds, received, sent, error },
    "call ended",
  );
}

function levelOf(code: status): "debug" | "info" | "error" {
  switch (code) {
    case status.OK:
    // Streams end so, and callers that found another coordinator quicker.
    case status.CANCELLED:
      return "debug";
    case status.INTERNAL:
    case status.UNKNOWN:
      return "error";
    default:
      return "info";
  }
}
