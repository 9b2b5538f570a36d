/** meshapi: certificates and secrets for attested workloads. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Authority } from "../authority/authority.ts";
import { type Enforced, trustBundle } from "../authority/enforced.ts";
import { assert } from "../core/assert.ts";
import { QuorateError } from "../core/errors.ts";
import { ISSUANCE_STEPS_PER_TURN_MAX } from "../core/limits.ts";
import { unwrap } from "../core/result.ts";
import { randomBytes } from "../crypto/index.ts";
import { MeshService } from "../gen/quorate/meshapi/v1/mesh_pb.ts";
import type { AuditLog } from "../observability/audit.ts";
import type { Metrics } from "../observability/metrics.ts";
import { spiffeId, verifyCertificateRequest } from "../pki/index.ts";
import { type Service, service } from "../transport/grpc-service.ts";
import type { Peer } from "../transport/proof.ts";
import { requireAttested, type Session } from "../transport/session.ts";
import { Wakeups } from "../recovery/wakeups.ts";
import { Turns } from "./turns.ts";
import type { Workload } from "./workloads.ts";

export interface MeshApiPorts {
  readonly authority: Authority;
  readonly audit: AuditLog;
  readonly metrics: Metrics;
  readonly now: () => number;
}

/** Renewals spread over this part of a lifetime, around its half. */
const RENEWAL_JITTER = 0.1;

export function meshService(ports: MeshApiPorts): Service<Peer<Workload>> {
  const { authority, audit, metrics, now } = ports;
  const turns = new Turns(ISSUANCE_STEPS_PER_TURN_MAX);
  return service<typeof MeshService, Peer<Workload>>(MeshService, {
    async newMeshCert(request, { session, requestId }) {
      const workload = requireWorkload(session);
      const { certificateRequest } = request;
      await turns.take();
      const publicKey = unwrap(
        await verifyCertificateRequest(certificateRequest, workload.requestKey),
      );
      workload.requestKey = publicKey;
      // Everything below is computed from this one state, whatever becomes of it meanwhile.
      const state = await authority.confirm();
      // All who share a read go on at once.
      await turns.take();
      const { policyHash } = await workload.admit(state, now());
      const policy = state.manifest.policies.get(policyHash);
      assert(policy !== undefined, "an accepted policy is in the manifest");
      if (policy.role !== "workload") {
        throw new QuorateError("not-authorised", "coordinators do not get workload certificates", {
          hint: "give the workload a policy of its own with the role workload",
        });
      }
      const { leafLifetimeSeconds } = state.manifest.certificates;
      const issuedAt = now();
      const leaf = state.meshCa.issueLeaf({
        publicKey,
        identity: policy,
        evidenceDigest: workload.evidenceDigest,
        now: issuedAt,
        lifetimeSeconds: leafLifetimeSeconds,
      });
      metrics.certificatesIssued.inc();
      audit.record({
        event: "certificate-issued",
        recordHash: state.recordHash,
        policyHash,
        spiffeId: spiffeId(state.manifest.trustDomain, policy),
        serial: leaf.serial,
        secretId: policy.secretId ?? null,
        remote: session.remote,
        requestId,
      });
      return {
        certificateChain: [leaf.certificate, state.meshCa.certificates.meshCa.intermediate],
        trustBundle: [...trustBundle(state, issuedAt)],
        workloadSecret:
          policy.secretId === undefined ? new Uint8Array() : workloadSecret(state, policy.secretId),
        notAfter: timestampFromMs(leaf.notAfter),
        renewAt: timestampFromMs(renewalTime(issuedAt, leaf.notAfter)),
        record: state.history.head.head.bytes,
        recordHash: state.recordHash,
        ...(request.wantLineageProof ? { lineageProof: lineageProof(state) } : {}),
      };
    },

    async *watchTrust(_request, { session, signal }) {
      const workload = requireWorkload(session);
      let told: string | undefined;
      const changes = new Wakeups(signal);
      const forget = authority.onChange(() => changes.wake());
      try {
        while (!signal.aborted) {
          const { lifecycle } = authority;
          if (lifecycle.kind === "ready" && lifecycle.state.payload.recordHash !== told) {
            const state = lifecycle.state.payload;
            workload.identityUnder(state, now());
            told = state.recordHash;
            const { generation, epoch } = state.history.record;
            yield { recordHash: told, generation: BigInt(generation), epoch: BigInt(epoch) };
          }
          await changes.next();
        }
      } finally {
        forget();
      }
    },

    recover() {
      // **Security:** who may ask for a mesh's secrets is judged on the port of the peers, and nowhere else.
      throw new QuorateError("unsupported", "coordinators recover on the port of the peers", {
        hint: "give the peers' port (default 7778) of this coordinator as --peer",
      });
    },
  });
}

function requireWorkload(session: Session<Peer<Workload>>): Workload {
  const { peer } = requireAttested(session);
  // The port's verifier accepts fresh quotes only.
  assert(peer.proof === "fresh-quote", "a mesh session rests on a fresh quote");
  return peer.claims;
}

/** The message's own copy; the secret object is gone at once. */
function workloadSecret(state: Enforced, secretId: string): Uint8Array {
  const secret = state.engine.workloadSecret(secretId);
  try {
    return secret.use((bytes) => bytes.slice());
  } finally {
    secret.dispose();
  }
}

function lineageProof(state: Enforced) {
  const { genesis, documents } = state.history;
  const { manifest, approvals } = genesis.record;
  return {
    genesisRecord: genesis.bytes,
    genesisManifest: documents.get(manifest) ?? new Uint8Array(),
    genesisApprovals:
      (approvals === null ? undefined : documents.get(approvals)) ?? new Uint8Array(),
  };
}

/** Half of the lifetime, give or take a tenth, so that workloads that started together do not renew together. */
function renewalTime(issuedAt: number, notAfter: number): number {
  const random = new DataView(randomBytes(4).buffer).getUint32(0) / 2 ** 32;
  return Math.round(issuedAt + (notAfter - issuedAt) * (0.5 + (random - 0.5) * 2 * RENEWAL_JITTER));
}
