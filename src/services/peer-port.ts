/** The port for other coordinators: peerapi, and `meshapi.Recover`. */
import { appraisalPolicy, type AppraisalPolicy } from "../attestation/index.ts";
import type { Authority } from "../authority/authority.ts";
import type { Address } from "../config/address.ts";
import {
  type PeerEvidence,
  peerEvidenceVerifier,
  type PeerEvidencePorts,
} from "../recovery/peer-evidence.ts";
import { type Peer, proofVerifier } from "../transport/proof.ts";
import type { Session, SessionProver } from "../transport/session.ts";
import { SessionServer, type SessionServerOptions } from "../transport/session-server.ts";
import { type PeerApiPorts, peerService } from "./peer-api.ts";
import { type RecoverApiPorts, recoverService } from "./recover-api.ts";

export interface PeerPortOptions
  extends
    PeerApiPorts,
    RecoverApiPorts,
    PeerEvidencePorts,
    Pick<SessionServerOptions<Peer<PeerEvidence>>, "identity" | "observe" | "meterOf"> {
  /** **Security:** true lets simulated evidence count. */
  readonly allowDevelopment: boolean;
  readonly address: Address;
  readonly prover: SessionProver;
}

/**
 * Starts it. It admits strangers' handshakes by its own budget, so that those on the other ports can't keep coordinators
 * from each other.
 *
 * @throws QuorateError `unavailable` if the port can't be had
 */
export async function startPeerPort(
  options: PeerPortOptions,
): Promise<SessionServer<Peer<PeerEvidence>>> {
  const { authority, address, identity, prover } = options;
  const policy = (): AppraisalPolicy | undefined => newestPolicy(options);
  const evidence = peerEvidenceVerifier({ ...options, policy });
  const server = await SessionServer.start<Peer<PeerEvidence>>({
    host: address.host,
    port: address.port,
    identity,
    attestation: {
      purpose: "peer-session",
      prover,
      verifier: proofVerifier({ accept: ["fresh-quote", "instance"], evidence }),
    },
    plain: false,
    services: [peerService(options), recoverService(options)],
    observe: (event) => {
      options.observe?.(event);
      if (event.kind !== "opened") return;
      // The manifest may have changed since its evidence was judged. HTTP/2 takes the socket first.
      setImmediate(() => void closeIfExcluded(event.session, policy()));
    },
    ...(options.meterOf === undefined ? {} : { meterOf: options.meterOf }),
  });
  let judgedBy = newestManifest(authority);
  authority.onChange(() => {
    const manifest = newestManifest(authority);
    if (manifest === judgedBy) return;
    judgedBy = manifest;
    const current = policy();
    for (const session of server.sessions()) void closeIfExcluded(session, current);
  });
  return server;
}

function newestManifest(authority: Authority) {
  return authority.history?.manifest;
}

/** By the newest verified manifest, whether or not its secrets are here; `undefined` before genesis. */
function newestPolicy({ authority, allowDevelopment }: PeerPortOptions) {
  const manifest = newestManifest(authority);
  return manifest === undefined ? undefined : appraisalPolicy(manifest, { allowDevelopment });
}

/**
 * **Security:** a coordinator that an update excludes has no session left, and learns nothing more from it.
 *
 * @param policy of the newest manifest, if there is one.
 */
async function closeIfExcluded(
  session: Session<Peer<PeerEvidence>>,
  policy: AppraisalPolicy | undefined,
): Promise<void> {
  if (policy === undefined) return;
  if (session.kind !== "attested" || session.peer.proof === "none") return;
  try {
    await session.peer.claims.requireCoordinator(policy, "the caller", "the newest known manifest");
  } catch {
    // Why it is refused, it hears when it connects again.
    session.close();
  }
}
