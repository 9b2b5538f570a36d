/**
 * The endpoints of one etcd, each with a client of its own. Calls stay with one endpoint until it fails, then move to
 * the next: the client library would pick one at random for every call and repeat transactions by itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Etcd3, type IOptions } from "etcd3";
import { assert } from "../../core/assert.ts";
import { QuorateError } from "../../core/errors.ts";
import { ETCD_ATTEMPT_MS, ETCD_RETRY_PAUSE_MS } from "../../core/limits.ts";
import type { Call } from "../bounded.ts";
import { refusalOf } from "./etcd-error.ts";

/** How to reach an etcd. */
export interface EtcdAddress {
  /** `host:port` of each endpoint, at least one; an IPv6 address in brackets. */
  readonly endpoints: readonly string[];
  /** Makes the connections TLS; plain otherwise. */
  readonly tls?: EtcdTls | undefined;
  /** Password authentication, if etcd has it enabled. */
  readonly login?: { readonly user: string; readonly password: string } | undefined;
}

/** PEM texts. etcd's certificate must name the host name or IP address of each endpoint. */
export interface EtcdTls {
  /** Authorities that etcd's certificate may come from. */
  readonly certificateAuthorities: string;
  /** The client certificate chain and its key, if etcd asks for one. */
  readonly client?: { readonly certificate: string; readonly privateKey: string } | undefined;
}

/** Bounds one request to one endpoint; absolute, in milliseconds since the Unix epoch. */
export interface RequestOptions {
  readonly deadline: number;
}

export class Endpoints {
  readonly #clients: readonly Etcd3[];
  #current: number;
  #closed = false;

  constructor(address: EtcdAddress) {
    assert(address.endpoints.length > 0, "an etcd has at least one endpoint");
    this.#clients = address.endpoints.map(
      (endpoint) => new Etcd3(clientOptions(endpoint, address)),
    );
    // Several coordinators should not all burden the endpoint that is listed first.
    this.#current = Math.floor(Math.random() * this.#clients.length);
  }

  /** The client that calls go to now. */
  current(): Etcd3 {
    const client = this.#clients[this.#current];
    assert(client !== undefined, "the current endpoint exists");
    return client;
  }

  /** Sends the next calls elsewhere, unless that has happened already. */
  leave(client: Etcd3): void {
    if (client === this.current()) this.#current = (this.#current + 1) % this.#clients.length;
  }

  /**
   * Asks endpoint after endpoint until one answers or refuses, or nobody waits any more. For requests that may be
   * repeated, or whose repetition the caller has made harmless.
   *
   * @param beforeRepeating called after every failed attempt; a result other than `undefined` ends the attempts.
   */
  async ask<T>(
    call: EtcdCall,
    request: (client: Etcd3, options: RequestOptions) => Promise<T>,
    beforeRepeating: () => Promise<T | undefined> = () => Promise.resolve(undefined),
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      call.assertWaiting();
      if (this.#closed) throw new QuorateError("store-unavailable", "the store is closed");
      const client = this.current();
      try {
        return await request(client, { deadline: Date.now() + attemptMs(call) });
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal !== undefined) throw refusal;
        call.lastFailure = error;
        this.leave(client);
      }
      if (attempt % this.#clients.length === 0) await delay(ETCD_RETRY_PAUSE_MS);
      const result = await beforeRepeating();
      if (result !== undefined) return result;
    }
  }

  /** Closes all connections; requests in flight fail. */
  close(): void {
    this.#closed = true;
    for (const client of this.#clients) client.close();
  }
}

/** A bounded operation that remembers why its last attempt failed, for the error that its caller gets in the end. */
export interface EtcdCall extends Call {
  lastFailure?: unknown;
}

/** Milliseconds that one attempt may take. */
function attemptMs(call: Call): number {
  return Math.min(ETCD_ATTEMPT_MS, call.remainingMs());
}

function clientOptions(endpoint: string, { tls, login }: EtcdAddress): IOptions {
  const callOptions = (): RequestOptions => ({ deadline: Date.now() + ETCD_ATTEMPT_MS });
  return {
    hosts: `${tls === undefined ? "http" : "https"}://${endpoint}`,
    ...(tls && {
      credentials: {
        rootCertificate: Buffer.from(tls.certificateAuthorities),
        ...(tls.client && {
          privateKey: Buffer.from(tls.client.privateKey),
          certChain: Buffer.from(tls.client.certificate),
        }),
      },
    }),
    ...(login && { auth: { username: login.user, password: login.password, callOptions } }),
    grpcOptions: {
      // etcd answers pings that come faster with GOAWAY.
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 5_000,
      // A restarted endpoint is found again soon; the default waits up to two minutes.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1_000,
      // grpc-js would repeat requests by itself that the server may have seen.
      "grpc.enable_retries": 0,
    },
    faultHandling: { global: oneAttempt, host: () => oneAttempt },
  };
}

type FaultPolicy = NonNullable<NonNullable<IOptions["faultHandling"]>["global"]>;

/** No retries and no circuit breaker: what a failure means is decided in {@link Endpoints.ask}. */
const oneAttempt = {
  onSuccess: () => ({ dispose: () => undefined }),
  onFailure: () => ({ dispose: () => undefined }),
  execute: (operation: (context: { readonly signal: AbortSignal }) => unknown) =>
    Promise.resolve({ signal: NEVER_ABORTED }).then(operation),
} as unknown as FaultPolicy;

const NEVER_ABORTED = new AbortController().signal;
