/** One attested session with a peer, from dialing to its end. */
import { connectivityState } from "@grpc/grpc-js";
import type { Evidence } from "../attestation/index.ts";
import type { InstanceKeys } from "../attestation/report-data.ts";
import { QuorateError } from "../core/errors.ts";
import {
  PEER_ANSWER_BYTES_MAX,
  PEER_CONNECT_MS,
  PEER_KEEPALIVE_MS,
  PEER_KEEPALIVE_TIMEOUT_MS,
  PEER_RETRY_MAX_MS,
  PEER_RETRY_MS,
  PEER_SELF_RETRY_MS,
  PEER_STANDINGS_PER_SECOND_MAX,
} from "../core/limits.ts";
import { PeerService } from "../gen/quorate/peerapi/v1/peer_pb.ts";
import type { Logger } from "../observability/log.ts";
import { abortReason } from "../transport/abort.ts";
import { AttestedChannel } from "../transport/attested-channel.ts";
import { serviceClient } from "../transport/grpc-client.ts";
import type { ServiceClient } from "../transport/grpc-adapter.ts";
import type { InstanceIdentity } from "../transport/instance-identity.ts";
import {
  type EvidenceVerifier,
  instanceProver,
  type Peer,
  proofVerifier,
} from "../transport/proof.ts";
import { requireListener } from "./dial.ts";
import type { PeerEvidence } from "./peer-evidence.ts";
import { parseStanding, type PeerStanding } from "./peer-standing.ts";

/** The other side of the session that is open now. */
export interface PeerSession {
  /** What its instance proof covers. The keys are copies. */
  readonly instance: InstanceKeys;
  /** Judge it before what the peer says counts, and before giving it anything. */
  readonly evidence: PeerEvidence;
  /**
   * Calls over this very session.
   *
   * **Security:** it never connects again: who answers is who showed {@link evidence}. Once the session is lost every
   * call fails; take the link's next session then, and judge that.
   */
  readonly client: ServiceClient<typeof PeerService>;
}

/** Times of a link, in milliseconds, with the defaults of `core/limits.ts`. Only tests choose others. */
export const PEER_LINK_TIMES = {
  connectMs: PEER_CONNECT_MS,
  retryMs: PEER_RETRY_MS,
  retryMaxMs: PEER_RETRY_MAX_MS,
  selfRetryMs: PEER_SELF_RETRY_MS,
  keepaliveMs: PEER_KEEPALIVE_MS,
  keepaliveTimeoutMs: PEER_KEEPALIVE_TIMEOUT_MS,
};

/** What a link works with. */
export interface PeerLinkPorts {
  /** This process's. */
  readonly instance: InstanceIdentity;
  /** The instance quote of {@link instance}. */
  readonly evidence: () => Promise<Evidence>;
  /** Takes the peer's evidence; usually without judging it (`unjudgedPeerEvidence`). */
  readonly verifier: EvidenceVerifier<PeerEvidence>;
  readonly log: Logger;
  /** @default PEER_LINK_TIMES */
  readonly times?: Partial<typeof PEER_LINK_TIMES>;
}

/**
 * Opens a session and reports every standing of the peer, until one side ends it.
 *
 * A peer that vanishes without a word is noticed by HTTP/2 pings after `keepaliveMs + keepaliveTimeoutMs` at most. A
 * server that says farewell (its age limit, its stop) ends the session at once, so that the next one can begin.
 *
 * @returns never: it rejects with why there is no session, or no longer; with the signal's reason if that fires.
 */
export async function followPeer(
  address: string,
  ports: PeerLinkPorts & typeof PEER_LINK_TIMES,
  signal: AbortSignal,
  report: (session: PeerSession, standing: PeerStanding) => void,
): Promise<never> {
  const ended = new AbortController();
  const end = (): void => ended.abort(abortReason(signal));
  signal.addEventListener("abort", end, { once: true });
  const timer = setTimeout(() => {
    ended.abort(new QuorateError("unreachable", "the peer did not answer in time"));
  }, ports.connectMs);
  let channel: AttestedChannel<Peer<PeerEvidence>> | undefined;
  try {
    await requireListener(address, ended.signal);
    channel = openChannel(address, ports);
    const client = serviceClient(PeerService, channel);
    const rate = new StandingRate();
    let session: PeerSession | undefined;
    for await (const { standing } of client.watchStanding({}, { signal: ended.signal })) {
      clearTimeout(timer);
      rate.count();
      session ??= sessionOf(channel, client, ended);
      report(session, parseStanding(standing));
    }
    throw new QuorateError("unavailable", "the peer ended the session");
  } catch (error) {
    throw ended.signal.aborted ? abortReason(ended.signal) : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    channel?.close();
  }
}

function openChannel(
  address: string,
  ports: PeerLinkPorts & typeof PEER_LINK_TIMES,
): AttestedChannel<Peer<PeerEvidence>> {
  const { instance, evidence, verifier, keepaliveMs, keepaliveTimeoutMs } = ports;
  return new AttestedChannel<Peer<PeerEvidence>>({
    address,
    identity: instance.tls,
    purpose: "peer-session",
    prover: instanceProver(instance, evidence),
    verifier: proofVerifier({ accept: ["instance"], evidence: verifier }),
    choices: {
      // Who answers a call must be who showed the evidence that was judged for it.
      singleConnection: true,
      answerBytesMax: PEER_ANSWER_BYTES_MAX,
      keepaliveMs,
      keepaliveTimeoutMs,
    },
  });
}

/** The session of a channel that has just connected; ends with its connection's use. */
function sessionOf(
  channel: AttestedChannel<Peer<PeerEvidence>>,
  client: PeerSession["client"],
  ended: AbortController,
): PeerSession {
  const peer = channel.peer();
  if (peer?.proof !== "instance")
    throw new QuorateError("protocol", "the peer answered before it proved itself");
  const connection = channel.grpc.getChannel();
  const lost = new QuorateError("unavailable", "the connection to the peer has ended");
  if (connection.getConnectivityState(false) !== connectivityState.READY) throw lost;
  // Also what a server's farewell (GOAWAY) does, while its running calls may go on.
  connection.watchConnectivityState(connectivityState.READY, Infinity, () => ended.abort(lost));
  const { id, name, signingKey, hpkeKey } = peer.instance;
  // The handshake's bytes are views into its buffer.
  const keys = { signingKey: new Uint8Array(signingKey), hpkeKey: new Uint8Array(hpkeKey) };
  return { instance: { id, name, ...keys }, evidence: peer.claims, client };
}

/** Ends the session of a peer that floods us. */
class StandingRate {
  #second = 0;
  #inSecond = 0;

  /** @throws QuorateError `rate-limited` */
  count(): void {
    const second = Math.floor(performance.now() / 1000);
    this.#inSecond = second === this.#second ? this.#inSecond + 1 : 1;
    this.#second = second;
    if (this.#inSecond <= PEER_STANDINGS_PER_SECOND_MAX) return;
    throw new QuorateError("rate-limited", "the peer reports changes of itself without end");
  }
}
