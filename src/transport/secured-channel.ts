/** A gRPC channel over connections that are secured by one function, with failures that say why. */
import { Client, type ChannelOptions } from "@grpc/grpc-js";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type ErrorCode, QuorateError } from "../core/errors.ts";
import {
  GRPC_MESSAGE_BYTES_MAX,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  RECONNECT_BACKOFF_MAX_MS,
  RECONNECT_BACKOFF_MS,
  SESSION_HANDSHAKE_MS,
} from "../core/limits.ts";
import { SessionCredentials, type SecureConnection } from "./channel-credentials.ts";
import type { Channel } from "./grpc-client.ts";

/** What differs between channels. */
export interface ChannelChoices {
  /** Silence after which the server is asked for a sign of life, in milliseconds. @default KEEPALIVE_MS */
  readonly keepaliveMs?: number | undefined;
  /** Its time to answer, in milliseconds. @default KEEPALIVE_TIMEOUT_MS */
  readonly keepaliveTimeoutMs?: number | undefined;
  /** The largest answer that is taken, in bytes. @default GRPC_MESSAGE_BYTES_MAX */
  readonly answerBytesMax?: number | undefined;
  /** The channel ends with its first connection instead of making another one. @default false */
  readonly singleConnection?: boolean | undefined;
}

/**
 * A channel to one address. It connects when a first call needs it, and again when a connection is lost, securing
 * each connection anew.
 *
 * A connection that is *refused* — by either side's verdict, not by circumstances — ends the channel: repeating would
 * change nothing. Calls then fail with that verdict.
 */
export class SecuredChannel implements Channel {
  readonly grpc: Client;
  readonly #secure: SecureConnection;
  readonly #sockets = new Set<TLSSocket>();
  readonly #singleConnection: boolean;
  #connected = false;
  #failure: QuorateError | undefined;
  #closed = false;

  /** @param address `host:port`; an IPv6 host in brackets. */
  constructor(address: string, secure: SecureConnection, choices: ChannelChoices = {}) {
    this.#secure = secure;
    this.#singleConnection = choices.singleConnection ?? false;
    const credentials = new SessionCredentials((tcp, signal) => this.#connect(tcp, signal));
    this.grpc = new Client(address, credentials, {
      ...CHANNEL_OPTIONS,
      "grpc.max_receive_message_length": choices.answerBytesMax ?? GRPC_MESSAGE_BYTES_MAX,
      "grpc.keepalive_time_ms": choices.keepaliveMs ?? KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": choices.keepaliveTimeoutMs ?? KEEPALIVE_TIMEOUT_MS,
    });
  }

  connectFailure(): QuorateError | undefined {
    return this.#failure;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.grpc.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #connect(tcp: Socket, signal: AbortSignal): Promise<TLSSocket> {
    if (this.#singleConnection && this.#connected) {
      this.#failure = new QuorateError("unreachable", "the connection was lost");
      this.close();
    }
    if (this.#closed) {
      // grpc-js can't be told to stop dialing.
      tcp.destroy();
      throw this.#failure ?? new QuorateError("cancelled", "the channel was closed");
    }
    const attempt = new AbortController();
    const abort = (): void => {
      attempt.abort(new QuorateError("cancelled", "the channel was closed"));
    };
    signal.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(() => {
      attempt.abort(
        new QuorateError("unreachable", "the server did not finish the handshake in time", {
          hint: "it may be overloaded; trying again is fine",
        }),
      );
    }, SESSION_HANDSHAKE_MS);
    try {
      const socket = await this.#secure(tcp, attempt.signal);
      if (this.#closed) {
        socket.destroy();
        throw new QuorateError("cancelled", "the channel was closed");
      }
      this.#connected = true;
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      this.#failure = undefined;
      return socket;
    } catch (error) {
      tcp.destroy();
      this.#failed(error);
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  #failed(error: unknown): void {
    if (!(error instanceof QuorateError)) return;
    this.#failure = error;
    // Once grpc-js has told the waiting calls that connecting failed.
    if (isRefusal(error.code)) setImmediate(() => this.close());
  }
}

/** Verdicts, as opposed to circumstances that may pass by themselves. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "attestation-failed",
  "verification-failed",
  "unauthenticated",
  "not-authorised",
  "evidence-malformed",
  "collateral-invalid",
  "invalid-argument",
  "too-large",
  "unsupported",
  "protocol",
]);

function isRefusal(code: ErrorCode): boolean {
  return REFUSALS.has(code);
}

const CHANNEL_OPTIONS: ChannelOptions = {
  // Connections belong to one channel.
  "grpc.use_local_subchannel_pool": 1,
  // No retry policy comes from outside: grpc-js repeats only calls that the server has refused unseen.
  "grpc.service_config_disable_resolution": 1,
  // Attested sessions end at the coordinator, never at a proxy that an environment variable names.
  "grpc.enable_http_proxy": 0,
  "grpc.enable_channelz": 0,
  "grpc.max_send_message_length": GRPC_MESSAGE_BYTES_MAX,
  "grpc.initial_reconnect_backoff_ms": RECONNECT_BACKOFF_MS,
  "grpc.min_reconnect_backoff_ms": RECONNECT_BACKOFF_MS,
  "grpc.max_reconnect_backoff_ms": RECONNECT_BACKOFF_MAX_MS,
};
