/** meshapi on the peers' port: the secrets of the record in force, for coordinators of its manifest. */
import type { Authority } from "../authority/authority.ts";
import { QuorateError } from "../core/errors.ts";
import { SEED_BYTES } from "../crypto/seed-engine.ts";
import { MeshService } from "../gen/quorate/meshapi/v1/mesh_pb.ts";
import type { AuditLog } from "../observability/audit.ts";
import type { PeerEvidence } from "../recovery/peer-evidence.ts";
import { type Service, service } from "../transport/grpc-service.ts";
import type { Peer } from "../transport/proof.ts";
import { requireAttested } from "../transport/session.ts";

export interface RecoverApiPorts {
  readonly authority: Authority;
  readonly audit: AuditLog;
}

/**
 * `Recover`, and nothing else of meshapi.
 *
 * **Security:** whoever gets this answer can act as the mesh. It goes only to a TEE that quoted for this very session and
 * satisfies the manifest in force as a coordinator, judged after a read of the head that began after the request, and
 * only for the head that the caller itself verified.
 */
export function recoverService({ authority, audit }: RecoverApiPorts): Service<Peer<PeerEvidence>> {
  return service<typeof MeshService, Peer<PeerEvidence>>(MeshService, {
    async recover(request, { session }) {
      const { peer, remote } = requireAttested(session);
      if (peer.proof !== "fresh-quote") {
        throw new QuorateError("unauthenticated", "secrets need a quote made for this session");
      }
      const state = await authority.confirm();
      const { manifest, recordHash } = state;
      if (!manifest.coordinators.includes(request.name)) {
        throw new QuorateError(
          "not-authorised",
          "the manifest in force does not name the caller as a coordinator",
          { hint: `it names ${manifest.coordinators.join(", ")}: check --name` },
        );
      }
      await peer.claims.requireCoordinator(state.policy, "the caller", "the manifest in force");
      if (request.headRecordHash !== recordHash) {
        throw new QuorateError("head-moved", "this coordinator sees another head in the store", {
          hint: "read the store again; if it goes on, the two do not share one store",
          details: { head: recordHash },
        });
      }
      audit.record({ event: "secrets-given", recordHash, peer: request.name, remote });
      const seedAndSalt = state.engine.exportSeedAndSalt();
      const meshCaKey = state.meshCa.exportPrivateKey();
      try {
        // The message's own copies: it is encoded after this function has returned.
        return {
          record: state.history.head.head.bytes,
          seed: seedAndSalt.use((bytes) => bytes.slice(0, SEED_BYTES)),
          salt: seedAndSalt.use((bytes) => bytes.slice(SEED_BYTES)),
          meshCaKey: meshCaKey.use((bytes) => bytes.slice()),
        };
      } finally {
        seedAndSalt.dispose();
        meshCaKey.dispose();
      }
    },
    newMeshCert: notHere,
    watchTrust: notHere,
  });
}

function notHere(): never {
  throw new QuorateError("unsupported", "the peers' port gives no certificates to workloads", {
    hint: "connect to the mesh port (default 7777)",
  });
}
