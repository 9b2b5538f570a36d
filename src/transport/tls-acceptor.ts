/** The server's TLS: from an accepted TCP connection to a finished handshake and what it proved. */
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { QuorateError } from "../core/errors.ts";
import { abortReason } from "./abort.ts";
import { refuse } from "./server-handshake.ts";
import { type TlsIdentity, tlsOptions } from "./tls-identity.ts";
import { tlsFailureReason } from "./tls-failure.ts";
import { ALPN_ATTESTED, ALPN_PLAIN, tlsFacts, type TlsFacts } from "./tls-profile.ts";

/** A finished TLS handshake. */
export interface AcceptedTls {
  readonly socket: TLSSocket;
  /** What it proved of the client; `undefined` for plain TLS. */
  readonly facts: TlsFacts | undefined;
}

/** Accepts TLS connections one by one. It listens nowhere: connections are handed to it. */
export class TlsAcceptor {
  readonly #server: Server;
  readonly #identity: TlsIdentity;
  /** Handshakes under way, by the connection's two ends. */
  readonly #pending = new Map<string, (result: TLSSocket | Error) => void>();

  constructor(options: {
    readonly identity: TlsIdentity;
    /** Take plain TLS too. */
    readonly plain: boolean;
    readonly timeoutMs: number;
  }) {
    this.#identity = options.identity;
    this.#server = createServer({
      ...tlsOptions(options.identity),
      requestCert: true,
      // Self-signed by design: attestation decides.
      rejectUnauthorized: false,
      // A client that offers neither protocol fails the handshake; one that offers none is refused below.
      ALPNProtocols: options.plain ? [ALPN_ATTESTED, ALPN_PLAIN] : [ALPN_ATTESTED],
      handshakeTimeout: options.timeoutMs,
    });
    this.#server.on("secureConnection", (socket) => {
      const finish = this.#pending.get(connectionKey(socket));
      // A client that has reset the connection by now has no address any more.
      if (finish === undefined) socket.destroy();
      else finish(socket);
    });
    this.#server.on("tlsClientError", (error, socket) => {
      this.#pending.get(connectionKey(socket))?.(error);
      // Node leaves the socket open after a timeout.
      socket.destroy();
    });
  }

  /**
   * Does the handshake. The caller destroys `tcp` if this fails or `signal` aborts.
   *
   * @throws QuorateError `protocol`, `unauthenticated`; the signal's reason.
   */
  async accept(tcp: Socket, signal: AbortSignal): Promise<AcceptedTls> {
    signal.throwIfAborted();
    const key = connectionKey(tcp);
    const accepted = new Promise<AcceptedTls>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(abortReason(signal)), { once: true });
      this.#pending.set(key, (result) => {
        if (result instanceof Error) {
          const message = `TLS failed: ${tlsFailureReason(result)}`;
          reject(new QuorateError("protocol", message, { cause: result }));
        } else {
          this.#inspect(result).then(resolve, reject);
        }
      });
      this.#server.emit("connection", tcp);
    });
    try {
      return await accepted;
    } finally {
      this.#pending.delete(key);
    }
  }

  /** Runs up to its first `await` in the event that ended the handshake, as exporting needs. */
  async #inspect(socket: TLSSocket): Promise<AcceptedTls> {
    // The close that follows every error is what counts.
    socket.on("error", () => undefined);
    if (socket.alpnProtocol === ALPN_PLAIN) return { socket, facts: undefined };
    try {
      return { socket, facts: tlsFacts(socket, this.#identity.spki) };
    } catch (error) {
      // Only a client that speaks our protocol can read the reason.
      if (socket.alpnProtocol === ALPN_ATTESTED && error instanceof QuorateError) {
        await refuse(socket, error);
      }
      throw error;
    }
  }
}

/** The two ends of a TCP connection: unique among open ones. */
function connectionKey(socket: Socket): string {
  const { remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 } = socket;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
