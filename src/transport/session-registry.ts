/** The open connections of a port, and the way from a call back to its connection. */
import { once } from "node:events";
import type { PeerCertificate, TLSSocket } from "node:tls";
import type { Millis } from "../core/brand.ts";
import type { Session } from "./session.ts";

/**
 * Knows every open connection.
 *
 * **Security:** a call finds its connection through an object that exists once per socket: grpc-js hands out a
 * socket's certificate object as the call's auth context, and each socket is given one of its own. Addresses and ports
 * would not do: they are reused, and several local addresses may see the same remote one.
 */
export class SessionRegistry<Peer> {
  readonly #open = new Map<Session<Peer>, TLSSocket>();
  readonly #byMark = new WeakMap<object, Session<Peer>>();
  #plain = 0;
  #nextId = 1;

  /** Number of open connections. */
  get size(): number {
    return this.#open.size;
  }

  /** Number of plain ones among them. */
  get plainSize(): number {
    return this.#plain;
  }

  /** The open connections, oldest first. */
  list(): readonly Session<Peer>[] {
    return [...this.#open.keys()];
  }

  /** Registers a socket until it closes. Must come before HTTP/2 takes the socket. */
  open(
    socket: TLSSocket,
    remote: string,
    proved: { readonly peer: Peer; readonly peerCertificate: Uint8Array } | undefined,
    onClose: (session: Session<Peer>) => void,
  ): Session<Peer> {
    const common = {
      id: this.#nextId++,
      remote,
      openedAt: Date.now() as Millis,
      close: () => socket.destroy(),
    };
    const session: Session<Peer> =
      proved === undefined
        ? { kind: "plain", ...common }
        : { kind: "attested", ...common, ...proved };
    const mark = { raw: Buffer.from(proved?.peerCertificate ?? []) } as PeerCertificate;
    // grpc-js asks for the certificate of authorized sockets only; ours decides itself who is.
    socket.authorized = true;
    socket.getPeerCertificate = (() => mark) as typeof socket.getPeerCertificate;
    this.#byMark.set(mark, session);
    this.#open.set(session, socket);
    if (session.kind === "plain") this.#plain++;
    socket.once("close", () => {
      this.#open.delete(session);
      if (session.kind === "plain") this.#plain--;
      onClose(session);
    });
    return session;
  }

  /** Ends every connection; resolves when all are closed. */
  async closeAll(): Promise<void> {
    await Promise.all(
      [...this.#open.values()].map(async (socket) => {
        if (!socket.closed) await once(socket.destroy(), "close");
      }),
    );
  }

  /** The connection that a call came in on; `undefined` once it is gone. */
  sessionOf(call: {
    getAuthContext(): { sslPeerCertificate?: object };
  }): Session<Peer> | undefined {
    const mark = call.getAuthContext().sslPeerCertificate;
    return mark === undefined ? undefined : this.#byMark.get(mark);
  }
}
