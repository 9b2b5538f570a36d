/** A port: admission, TLS, the attested handshake where asked for, then gRPC. */
import { Server as GrpcServer, ServerCredentials, status } from "@grpc/grpc-js";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { assert } from "../core/assert.ts";
import { QuorateError } from "../core/errors.ts";
import { abortReason } from "./abort.ts";
import { Admission, type Place, type Rejection } from "./admission.ts";
import { presentable } from "./error-detail.ts";
import { grpcService, type Service } from "./grpc-service.ts";
import type { CallMeter, EndedCall, MeteredMethod } from "./server-call.ts";
import { attestToClient, refuse, type Attestation } from "./server-handshake.ts";
import { grpcServerOptions, SERVER_LIMITS, type ServerLimits } from "./server-limits.ts";
import { SessionRegistry } from "./session-registry.ts";
import type { Session } from "./session.ts";
import { TlsAcceptor } from "./tls-acceptor.ts";
import type { TlsIdentity } from "./tls-identity.ts";
import type { TlsFacts } from "./tls-profile.ts";
import { refusalOfPort } from "./wrong-port.ts";

/** What happens on a port, for log, metrics and audit. */
export type TransportEvent<Peer> =
  /** Not let in, before any cryptography. */
  | {
      readonly kind: "rejected";
      readonly remote: string;
      readonly reason: Rejection | "connections";
    }
  /** No session came about: TLS failed, the client left or was too slow, its proof was refused. */
  | { readonly kind: "refused"; readonly remote: string; readonly error: QuorateError }
  | { readonly kind: "opened"; readonly session: Session<Peer> }
  | { readonly kind: "closed"; readonly session: Session<Peer> }
  /** A handler threw something that is not a QuorateError; the caller saw the request id only. */
  | {
      readonly kind: "internal-error";
      readonly error: unknown;
      readonly method: string;
      readonly requestId: string;
    }
  /** A call's handler has ended; every call that started ends once. */
  | { readonly kind: "call-ended"; readonly call: EndedCall };

/** One port. */
export interface SessionServerOptions<Peer> {
  /** @default all addresses */
  readonly host?: string | undefined;
  /** 0: the system chooses. */
  readonly port: number;
  readonly identity: TlsIdentity;
  /** How both sides prove themselves. */
  readonly attestation: Attestation<Peer>;
  /** Take plain TLS (ALPN `h2`) too. */
  readonly plain: boolean;
  readonly services: readonly Service<Peer>[];
  /** Must not throw. */
  readonly observe?: (event: TransportEvent<Peer>) => void;
  /** What counts the calls of a method; asked once for each when the server is made. @default nothing does */
  readonly meterOf?: (method: MeteredMethod) => CallMeter;
  /** @default SERVER_LIMITS */
  readonly limits?: Partial<ServerLimits>;
}

/**
 * A running port.
 *
 * **Security:** strangers cost bounded memory and time: the number and rate of handshakes, their duration, every
 * frame, and each address's share are limited before any proof is looked at.
 */
export class SessionServer<Peer> {
  readonly #options: SessionServerOptions<Peer>;
  readonly #limits: ServerLimits;
  readonly #admission: Admission;
  readonly #registry = new SessionRegistry<Peer>();
  /** By the paths of methods. */
  readonly #meters = new Map<string, CallMeter>();
  readonly #tcp: Server;
  readonly #tls: TlsAcceptor;
  readonly #grpc: GrpcServer;
  readonly #injector: { injectConnection(socket: TLSSocket): void };
  readonly #handshakes = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  private constructor(options: SessionServerOptions<Peer>) {
    this.#options = options;
    this.#limits = { ...SERVER_LIMITS, ...options.limits };
    this.#admission = new Admission(this.#limits);
    this.#grpc = new GrpcServer(
      grpcServerOptions(this.#limits, options.plain, (path) => this.#refusedCall(path)),
    );
    for (const service of options.services) {
      const { definition, handlers } = grpcService(service, {
        sessionOf: (call) => this.#registry.sessionOf(call),
        onInternalError: (error, call) => this.#observe({ kind: "internal-error", error, ...call }),
        onEnded: (call) => this.#observe({ kind: "call-ended", call }),
        meterOf: (method) => this.#meterOf(method),
      });
      this.#grpc.addService(definition, handlers);
    }
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#tls = new TlsAcceptor({
      identity: options.identity,
      plain: options.plain,
      timeoutMs: this.#limits.tlsHandshakeMs,
    });
    // Paused: a connection that waits for its turn buffers nothing here.
    this.#tcp = createServer({ pauseOnConnect: true, noDelay: true }, (tcp) => this.#accept(tcp));
    this.#tcp.maxConnections = this.#limits.connectionsMax + this.#limits.handshakesMax;
  }

  /**
   * Starts listening.
   *
   * @throws QuorateError `unavailable` if the port can't be had.
   */
  static async start<Peer>(options: SessionServerOptions<Peer>): Promise<SessionServer<Peer>> {
    const server = new SessionServer(options);
    server.#tcp.listen({ port: options.port, host: options.host });
    try {
      await once(server.#tcp, "listening");
    } catch (cause) {
      server.#grpc.forceShutdown();
      const where = `${options.host ?? "*"}:${options.port}`;
      throw new QuorateError(
        "unavailable",
        `can't listen on ${where}: ${(cause as Error).message}`,
        {
          hint: "choose another address, or stop what uses this one",
          cause,
        },
      );
    }
    return server;
  }

  /** Where the port listens. */
  get address(): AddressInfo {
    const address = this.#tcp.address();
    assert(typeof address === "object" && address !== null, "a started server has a TCP address");
    return address;
  }

  /** The open connections, oldest first; close those whose peer no longer passes. */
  sessions(): readonly Session<Peer>[] {
    return this.#registry.list();
  }

  /**
   * Takes no new connection, gives up handshakes, lets running calls finish for `graceMs`, then ends everything.
   * Idempotent: later calls get the first one's promise.
   */
  stop(graceMs: number): Promise<void> {
    return (this.#stopped ??= this.#stop(graceMs));
  }

  async #stop(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#tcp.close(() => resolve());
    });
    this.#stopping.abort(new QuorateError("unavailable", "the server is stopping"));
    await Promise.allSettled(this.#handshakes);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#grpc.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#grpc.forceShutdown();
    await this.#registry.closeAll();
    await closed;
  }

  #accept(tcp: Socket): void {
    const remote = remoteOf(tcp);
    // TLS reports errors; before it, and after it, whoever uses the socket sees it close.
    tcp.on("error", ignore);
    const place = this.#admit(tcp.remoteAddress);
    if (typeof place === "string") {
      tcp.destroy();
      this.#observe({ kind: "rejected", remote, reason: place });
      return;
    }
    tcp.once("close", () => place.leave());
    const handshake = this.#handshake(tcp, remote, place).catch((error: unknown) => {
      tcp.destroy();
      const refusal = presentable(error, "handshake");
      this.#observe({ kind: "refused", remote, error: refusal });
    });
    this.#handshakes.add(handshake);
    void handshake.finally(() => this.#handshakes.delete(handshake));
  }

  #admit(address: string | undefined): Place | Rejection | "connections" {
    if (address === undefined || this.#stopping.signal.aborted) return "connections";
    if (this.#registry.size >= this.#limits.connectionsMax) return "connections";
    return this.#admission.enter(address);
  }

  /** From TCP to a session. Every failure throws, and the caller ends the connection. */
  async #handshake(tcp: Socket, remote: string, place: Place): Promise<void> {
    const ended = new AbortController();
    const abort = (reason: QuorateError): void => {
      ended.abort(reason);
      tcp.destroy();
    };
    const timer = setTimeout(
      () => abort(new QuorateError("deadline-exceeded", "the handshake took too long")),
      this.#limits.sessionHandshakeMs,
    );
    const stopping = (): void => abort(this.#stopping.signal.reason as QuorateError);
    this.#stopping.signal.addEventListener("abort", stopping);
    const closed = (): void =>
      ended.abort(new QuorateError("unreachable", "the client left during the handshake"));
    tcp.once("close", closed);
    try {
      await this.#admission.turn(ended.signal);
      const { socket, facts } = await this.#tls.accept(tcp, ended.signal);
      const proved =
        facts === undefined ? undefined : await this.#attest(socket, facts, remote, ended.signal);
      ended.signal.throwIfAborted();
      this.#open(socket, remote, place, proved);
    } finally {
      clearTimeout(timer);
      tcp.off("close", closed);
      this.#stopping.signal.removeEventListener("abort", stopping);
      place.settle();
    }
  }

  async #attest(
    socket: TLSSocket,
    facts: TlsFacts,
    remote: string,
    signal: AbortSignal,
  ): Promise<{ peer: Peer; peerCertificate: Uint8Array }> {
    const { identity, attestation } = this.#options;
    try {
      const peer = await attestToClient(
        socket,
        facts,
        identity.certificate,
        attestation,
        remote,
        signal,
      );
      return { peer, peerCertificate: facts.peerCertificate };
    } catch (error) {
      // What interrupted the handshake says more than how it failed.
      if (signal.aborted) throw abortReason(signal);
      await refuse(socket, refusalOfPort(presentable(error, "handshake"), attestation.purpose));
      throw error;
    }
  }

  /** Hands the socket to HTTP/2. Nothing may be awaited between the last check and here. */
  #open(
    socket: TLSSocket,
    remote: string,
    place: Place,
    proved: { peer: Peer; peerCertificate: Uint8Array } | undefined,
  ): void {
    const full =
      this.#registry.size >= this.#limits.connectionsMax ||
      (proved === undefined && this.#registry.plainSize >= this.#limits.plainConnectionsMax);
    if (full) throw new QuorateError("resource-exhausted", "too many connections");
    if (socket.destroyed) throw new QuorateError("unreachable", "the client left");
    const session = this.#registry.open(socket, remote, proved, (gone) =>
      this.#observe({ kind: "closed", session: gone }),
    );
    // Who has proved itself is no stranger any more; who has not keeps its address's place until it leaves.
    if (session.kind === "attested") place.leave();
    this.#observe({ kind: "opened", session });
    this.#injector.injectConnection(socket);
  }

  #meterOf(method: MeteredMethod): CallMeter {
    const meter = this.#options.meterOf?.(method) ?? NO_METER;
    this.#meters.set(`/${method.service}/${method.name}`, meter);
    return meter;
  }

  /** No handler hears of a call that there is no room for, but whoever counts calls does. */
  #refusedCall(path: string): void {
    const meter = this.#meters.get(path);
    meter?.started();
    meter?.handled(status.RESOURCE_EXHAUSTED, 0);
  }

  #observe(event: TransportEvent<Peer>): void {
    this.#options.observe?.(event);
  }
}

const NO_METER: CallMeter = { started: ignore, received: ignore, sent: ignore, handled: ignore };

function remoteOf(tcp: Socket): string {
  return `${tcp.remoteAddress ?? "unknown"}:${tcp.remotePort ?? 0}`;
}

function ignore(): void {
  // Of a socket's error, the close that follows is what counts.
}
