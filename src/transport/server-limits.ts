/** Bounds of one port, with the defaults of `core/limits.ts`. Only tests and measurements choose others. */
import type { ServerOptions } from "@grpc/grpc-js";
import {
  CONNECTION_AGE_GRACE_MS,
  CONNECTION_AGE_MS,
  CONNECTION_CALLS_MAX,
  CONNECTIONS_MAX,
  GRPC_MESSAGE_BYTES_MAX,
  HANDSHAKE_BURST_MAX,
  HANDSHAKES_MAX,
  HANDSHAKES_PER_SECOND_MAX,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  PLAIN_CONNECTIONS_MAX,
  SESSION_HANDSHAKE_MS,
  STRANGERS_CALLS_MAX,
  STRANGERS_PER_ADDRESS_MAX,
  TLS_HANDSHAKE_MS,
} from "../core/limits.ts";
import { callLimit } from "./call-limit.ts";

export const SERVER_LIMITS = {
  handshakesMax: HANDSHAKES_MAX,
  handshakesPerSecondMax: HANDSHAKES_PER_SECOND_MAX,
  handshakeBurstMax: HANDSHAKE_BURST_MAX,
  strangersPerAddressMax: STRANGERS_PER_ADDRESS_MAX,
  sessionHandshakeMs: SESSION_HANDSHAKE_MS,
  tlsHandshakeMs: TLS_HANDSHAKE_MS,
  connectionsMax: CONNECTIONS_MAX,
  plainConnectionsMax: PLAIN_CONNECTIONS_MAX,
  connectionCallsMax: CONNECTION_CALLS_MAX,
  strangersCallsMax: STRANGERS_CALLS_MAX,
  connectionAgeMs: CONNECTION_AGE_MS,
  connectionAgeGraceMs: CONNECTION_AGE_GRACE_MS,
  messageBytesMax: GRPC_MESSAGE_BYTES_MAX,
};

/** Bounds of one port; see `core/limits.ts` for each one's reason. */
export type ServerLimits = Readonly<typeof SERVER_LIMITS>;

/**
 * The part of the bounds that grpc-js enforces.
 *
 * @param onRefused hears of each call beyond `strangersCallsMax`, by the path of its method.
 */
export function grpcServerOptions(
  limits: ServerLimits,
  takesPlain: boolean,
  onRefused: (path: string) => void,
): ServerOptions {
  return {
    "grpc.max_concurrent_streams": limits.connectionCallsMax,
    "grpc.max_receive_message_length": limits.messageBytesMax,
    "grpc.max_send_message_length": GRPC_MESSAGE_BYTES_MAX,
    "grpc.max_connection_age_ms": limits.connectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.connectionAgeGraceMs,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    // Statistics of every connection and call that nobody reads.
    "grpc.enable_channelz": 0,
    interceptors: takesPlain ? [callLimit(limits.strangersCallsMax, onRefused)] : [],
  };
}
