/**
 * Channel credentials of grpc-js whose connections are secured by our own code.
 *
 * `_createSecureConnector`, `_isSecure` and `_equals` are what grpc-js 1.14 asks of a subclass, without promising them
 * for ever: the version is pinned exactly and `test/unit/transport/grpc-contract.test.ts` fails when they change.
 */
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** Turns a TCP connection into a secured one. Called for every connection, first and later ones alike. */
export type SecureConnection = (tcp: Socket, signal: AbortSignal) => Promise<TLSSocket>;

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;
type Connected = Awaited<ReturnType<SecureConnector["connect"]>>;

/** Credentials that secure each connection with one function. */
export class SessionCredentials extends ChannelCredentials {
  readonly #secure: SecureConnection;

  constructor(secure: SecureConnection) {
    super();
    this.#secure = secure;
  }

  override _isSecure(): boolean {
    return true;
  }

  /** Two channels never share a connection: each was attested or pinned for one of them. */
  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    _target: unknown,
    _options: unknown,
    callCredentials?: CallCredentials,
  ): SecureConnector {
    const ended = new AbortController();
    const secure = this.#secure;
    return {
      async connect(tcp: Socket): Promise<Connected> {
        return { socket: await secure(tcp, ended.signal), secure: true };
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials ?? CallCredentials.createEmpty(),
      destroy: () => ended.abort(),
    };
  }
}
