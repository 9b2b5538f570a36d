/**
 * A client's channel over plain TLS to a server that proves itself later, through `Attest`: the first certificate it
 * shows is taken as it comes, remembered, and demanded of every later connection.
 */
import { createSecureContext } from "node:tls";
import { equalBytes } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { secure } from "./client-handshake.ts";
import { SecuredChannel } from "./secured-channel.ts";
import { ALPN_PLAIN, TLS_PROFILE } from "./tls-profile.ts";

/** Where to connect, and which certificate to demand. */
export interface ObservedChannelOptions {
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string;
  /** The server's certificate (DER), if an earlier channel proved it. @default the first one seen */
  readonly certificate?: Uint8Array | undefined;
}

/**
 * **Security:** until the caller has verified `Attest`'s answer against {@link ObservedChannel.certificate}, the
 * other side may be anybody; afterwards all of this channel's calls, earlier ones included, went to the proved one.
 */
export class ObservedChannel extends SecuredChannel {
  readonly #pin: { certificate: Uint8Array | undefined };

  constructor(options: ObservedChannelOptions) {
    const secureContext = createSecureContext(TLS_PROFILE);
    const pin = { certificate: options.certificate };
    super(options.address, async (tcp, signal) => {
      const { socket, result } = await secure(tcp, secureContext, [ALPN_PLAIN], signal, (tls) => {
        if (tls.alpnProtocol !== ALPN_PLAIN) {
          throw new QuorateError("protocol", "the server does not speak HTTP/2", {
            hint: "check that the address is the user port of a coordinator",
          });
        }
        return new Uint8Array(tls.getPeerCertificate(false).raw);
      });
      if (pin.certificate !== undefined && !equalBytes(pin.certificate, result)) {
        socket.destroy();
        throw new QuorateError("verification-failed", "the server shows another certificate", {
          hint: "the coordinator may have restarted: connect and verify it again",
        });
      }
      pin.certificate = result;
      return socket;
    });
    this.#pin = pin;
  }

  /** The server's certificate (DER); `undefined` before the first connection. */
  certificate(): Uint8Array | undefined {
    return this.#pin.certificate;
  }
}
