/** Is anybody listening? Asked before a gRPC channel is made, whose own dialing can't be stopped. */
import { connect } from "node:net";
import { parseAddress } from "../config/address.ts";
import { QuorateError } from "../core/errors.ts";
import { abortReason } from "../transport/abort.ts";

/**
 * Connects over TCP and hangs up again. grpc-js dials without a way to stop it: an address that swallows packets, as
 * that of a pod that is gone, would keep sockets for minutes, and the process from ending.
 *
 * @param address `host:port`; an IPv6 host in brackets.
 * @throws QuorateError `unreachable`, or the signal's reason.
 */
export function requireListener(address: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const { host, port } = parseAddress(address, { host: "", port: 0 });
    const socket = connect({ host, port });
    const abort = (): void => {
      socket.destroy();
      reject(abortReason(signal));
    };
    const settle = (): void => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
    };
    socket.once("connect", () => {
      settle();
      resolve();
    });
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      settle();
      reject(
        new QuorateError("unreachable", `no connection to ${address}: ${cause.code ?? "failed"}`, {
          hint: "is the coordinator running, and its peers' port open to this one?",
          cause,
        }),
      );
    });
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
