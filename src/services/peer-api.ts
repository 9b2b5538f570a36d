/** peerapi: what coordinators tell each other. */
import type { Quoter } from "../attestation/index.ts";
import type { Authority } from "../authority/authority.ts";
import { type PreparingPeer, receivePrepare } from "../authority/receive-prepare.ts";
import { QuorateError } from "../core/errors.ts";
import type { HpkeRecipient } from "../crypto/index.ts";
import { PeerService } from "../gen/quorate/peerapi/v1/peer_pb.ts";
import type { PeerEvidence } from "../recovery/peer-evidence.ts";
import { Wakeups } from "../recovery/wakeups.ts";
import { type Service, service } from "../transport/grpc-service.ts";
import type { Peer } from "../transport/proof.ts";
import { requireAttested, type Session } from "../transport/session.ts";
import { platformStatus, userMode } from "./mode.ts";

export interface PeerApiPorts {
  readonly authority: Authority;
  readonly hpke: HpkeRecipient;
  readonly quoter: Quoter;
  readonly version: string;
}

export function peerService(ports: PeerApiPorts): Service<Peer<PeerEvidence>> {
  const { authority, hpke } = ports;
  return service<typeof PeerService, Peer<PeerEvidence>>(PeerService, {
    async prepare(request, { session }) {
      await receivePrepare(authority, hpke, request, preparingPeer(session));
      return {};
    },

    getStanding() {
      return Promise.resolve({ standing: standing(ports) });
    },

    async *watchStanding(_request, { signal }) {
      const changes = new Wakeups(signal);
      const forget = authority.onChange(() => changes.wake());
      let told = "";
      try {
        while (!signal.aborted) {
          const now = standing(ports);
          const text = describe(now);
          if (text !== told) {
            told = text;
            yield { standing: now };
          }
          await changes.next();
        }
      } finally {
        forget();
      }
    },
  });
}

function preparingPeer(session: Session<Peer<PeerEvidence>>): PreparingPeer {
  const { peer } = requireAttested(session);
  if (peer.proof !== "instance") {
    throw new QuorateError("unauthenticated", "a prepare needs a session of an instance");
  }
  return {
    instance: peer.instance,
    requireCoordinator: ({ policy }) =>
      peer.claims.requireCoordinator(policy, "the caller", "the manifest in force"),
  };
}

/** What this coordinator says of itself. From memory: whoever asks wants to know what is held here, whatever the store shows. */
export function standing({
  authority,
  quoter,
  version,
}: Pick<PeerApiPorts, "authority" | "quoter" | "version">) {
  const { history, state } = authority;
  return {
    mode: userMode(authority),
    lineage: history?.lineage ?? "",
    heldRecord: state?.place.hash ?? "",
    heldGeneration: BigInt(state?.place.generation ?? 0),
    heldEpoch: BigInt(state?.place.epoch ?? 0),
    preparedRecords: [...authority.prepares.records()],
    lackingDocument: authority.lacking ?? "",
    suspended: authority.suspended !== undefined,
    version,
    platform: platformStatus(quoter),
  };
}

/** Everything in it that can change. */
function describe(now: ReturnType<typeof standing>): string {
  const { mode, lineage, heldRecord, preparedRecords, lackingDocument, suspended } = now;
  return [mode, lineage, heldRecord, lackingDocument, suspended, ...preparedRecords].join();
}
