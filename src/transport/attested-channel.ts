/** A client's channel to a server that proves itself, and to which this side proves itself. */
import { createSecureContext } from "node:tls";
import type { SessionPurpose } from "../attestation/report-data.ts";
import type { SecureConnection } from "./channel-credentials.ts";
import { attestToServer } from "./client-handshake.ts";
import { type ChannelChoices, SecuredChannel } from "./secured-channel.ts";
import type { SessionProver, SessionVerifier } from "./session.ts";
import { type TlsIdentity, tlsOptions } from "./tls-identity.ts";

/** Where to connect, as whom, and whom to accept. */
export interface AttestedChannelOptions<Peer> {
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string;
  readonly identity: TlsIdentity;
  /** The port's purpose; both sides must mean the same. */
  readonly purpose: SessionPurpose;
  readonly prover: SessionProver;
  readonly verifier: SessionVerifier<Peer>;
  readonly choices?: ChannelChoices | undefined;
}

/** Every connection of the channel is attested anew, in both directions. */
export class AttestedChannel<Peer> extends SecuredChannel {
  readonly #peer: { current: Peer | undefined };

  constructor(options: AttestedChannelOptions<Peer>) {
    const secureContext = createSecureContext(tlsOptions(options.identity));
    const peer: { current: Peer | undefined } = { current: undefined };
    const connect: SecureConnection = async (tcp, signal) => {
      const session = await attestToServer(tcp, options.identity, secureContext, options, signal);
      peer.current = session.peer;
      return session.socket;
    };
    super(options.address, connect, options.choices);
    this.#peer = peer;
  }

  /** Whom the newest connection led to; `undefined` before the first. */
  peer(): Peer | undefined {
    return this.#peer.current;
  }
}
