/**
 * The endpoints of one etcd, each with a client of its own. Calls stay with one endpoint until it fails, then move to
 * the next: the client library would pick one at random for every call and repeat transactions by itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { CallOptions } from "@grpc/grpc-js";
import { Etcd3, type IOptions } from "etcd3";
import { assert } from "../../core/assert.ts";
import { QuorateError } from "../../core/errors.ts";
import { ETCD_ATTEMPT_MS, ETCD_RETRY_PAUSE_MS } from "../../core/limits.ts";
import type { Call } from "../bounded.ts";
import { refusalOf } from "./etcd-error.ts";
import { Login, type LoginCredentials } from "./login.ts";

/** How to reach an etcd. */
export interface EtcdAddress {
  /** `host:port` of each endpoint, at least one; an IPv6 address in brackets. */
  readonly endpoints: readonly string[];
  /** Makes the connections TLS; plain otherwise. */
  readonly tls?: EtcdTls | undefined;
  /** Password authentication, if etcd has it enabled. */
  readonly login?: LoginCredentials | undefined;
}

/** How to know etcd, and be known to it, over TLS. Certificates and keys are PEM texts. */
interface EtcdTls {
  /** Authorities that etcd's certificate may come from. */
  readonly certificateAuthorities: string;
  /** The client certificate chain and its key, if etcd asks for one. */
  readonly client?: { readonly certificate: string; readonly privateKey: string } | undefined;
  /**
   * The DNS name that etcd's certificate must hold. Needed where an endpoint is an IP address, which TLS has no name
   * for. @default the endpoint's host name
   */
  readonly serverName?: string | undefined;
}

/** One member of the etcd, as far as it is known. */
export class Endpoint {
  readonly client: Etcd3;
  readonly #login: Login | undefined;

  constructor(hostAndPort: string, address: EtcdAddress) {
    this.client = new Etcd3(clientOptions(hostAndPort, address));
    this.#login = address.login && new Login(this.client, address.login);
  }

  /** Options for one call, which include the login. @param timeoutMs also bounds the login */
  async callOptions(timeoutMs: number): Promise<CallOptions> {
    return (await this.#login?.callOptions(Date.now() + timeoutMs)) ?? {};
  }
}

/** All endpoints, one of which calls go to. */
export class Endpoints {
  readonly #endpoints: readonly Endpoint[];
  #current: number;
  #closed = false;

  constructor(address: EtcdAddress) {
    assert(address.endpoints.length > 0, "an etcd has at least one endpoint");
    this.#endpoints = address.endpoints.map((endpoint) => new Endpoint(endpoint, address));
    // Several coordinators should not all burden the endpoint that is listed first.
    this.#current = Math.floor(Math.random() * this.#endpoints.length);
  }

  /** The endpoint that calls go to now. */
  current(): Endpoint {
    const endpoint = this.#endpoints[this.#current];
    assert(endpoint !== undefined, "the current endpoint exists");
    return endpoint;
  }

  /** Sends the next calls elsewhere, unless that has happened already. */
  leave(endpoint: Endpoint): void {
    if (endpoint === this.current()) this.#current = (this.#current + 1) % this.#endpoints.length;
  }

  /**
   * Asks endpoint after endpoint until one answers or refuses, or nobody waits any more. For requests that may be
   * repeated, or whose repetition the caller has made harmless.
   *
   * @param beforeRepeating called after every failed attempt; a result other than `undefined` ends the attempts.
   */
  async ask<T>(
    call: EtcdCall,
    request: (client: Etcd3, options: CallOptions) => Promise<T>,
    beforeRepeating: () => Promise<T | undefined> = () => Promise.resolve(undefined),
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      call.assertWaiting();
      if (this.#closed) throw new QuorateError("store-unavailable", "the store is closed");
      const endpoint = this.current();
      try {
        const timeoutMs = Math.min(ETCD_ATTEMPT_MS, call.remainingMs());
        const options = await endpoint.callOptions(timeoutMs);
        call.assertWaiting();
        return await request(endpoint.client, { ...options, deadline: Date.now() + timeoutMs });
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal !== undefined) throw refusal;
        call.lastFailure = error;
        this.leave(endpoint);
      }
      if (attempt % this.#endpoints.length === 0) await delay(ETCD_RETRY_PAUSE_MS);
      const result = await beforeRepeating();
      if (result !== undefined) return result;
    }
  }

  /** Closes all connections; requests in flight fail. */
  close(): void {
    this.#closed = true;
    for (const { client } of this.#endpoints) client.close();
  }
}

/** A bounded operation that remembers why its last attempt failed, for the error that its caller gets in the end. */
export interface EtcdCall extends Call {
  lastFailure?: unknown;
}

function clientOptions(hostAndPort: string, { tls }: EtcdAddress): IOptions {
  return {
    hosts: `${tls === undefined ? "http" : "https"}://${hostAndPort}`,
    ...(tls && {
      credentials: {
        rootCertificate: Buffer.from(tls.certificateAuthorities),
        ...(tls.client && {
          privateKey: Buffer.from(tls.client.privateKey),
          certChain: Buffer.from(tls.client.certificate),
        }),
      },
    }),
    grpcOptions: {
      // etcd answers pings that come faster with GOAWAY.
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 5_000,
      // A restarted endpoint is found again soon; the default waits up to two minutes.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1_000,
      // grpc-js would repeat requests by itself that the server may have seen.
      "grpc.enable_retries": 0,
      ...(tls?.serverName !== undefined && {
        "grpc.ssl_target_name_override": tls.serverName,
        "grpc.default_authority": tls.serverName,
      }),
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
