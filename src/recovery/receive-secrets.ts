/** The receiver's side of `meshapi.Recover`: a peer's secrets, checked against the history that this coordinator verified. */
import { type Appraiser, appraisalPolicy, type Quoter } from "../attestation/index.ts";
import type { Authority } from "../authority/authority.ts";
import { type Enforced, enforceWithKey } from "../authority/enforced.ts";
import type { CollateralSource } from "../authority/self-appraisal.ts";
import { assert } from "../core/assert.ts";
import { concat } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { PEER_RECOVERY_MS } from "../core/limits.ts";
import { unwrap } from "../core/result.ts";
import { Secret, SeedEngine, sha256 } from "../crypto/index.ts";
import { SEED_AND_SALT_BYTES } from "../crypto/seed-engine.ts";
import { MeshService, type RecoverResponse } from "../gen/quorate/meshapi/v1/mesh_pb.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import type { AuditLog } from "../observability/audit.ts";
import type { Logger } from "../observability/log.ts";
import { AttestedChannel } from "../transport/attested-channel.ts";
import { serviceClient } from "../transport/grpc-client.ts";
import { freshQuoteProver, type Peer, proofVerifier } from "../transport/proof.ts";
import type { TlsIdentity } from "../transport/tls-identity.ts";
import { type PeerEvidence, unjudgedPeerEvidence } from "./peer-evidence.ts";

export interface ReceivePorts {
  /** This coordinator's stable name. */
  readonly name: string;
  readonly identity: TlsIdentity;
  readonly authority: Authority;
  readonly quoter: Quoter;
  readonly appraiser: Appraiser;
  readonly collateral: CollateralSource;
  readonly allowDevelopment: boolean;
  readonly log: Logger;
  readonly audit: AuditLog;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/**
 * Asks one peer for the secrets of the head of `history`, in a session of its own: whoever asks for secrets quotes afresh.
 *
 * **Security:** the giver must be a coordinator under the manifest that is recovered, and what it gives must be what the
 * signed record names: seed, root and mesh CA key. So a peer can neither plant keys of its own nor an older record.
 *
 * @returns the state that enforces the record
 * @throws QuorateError of the session, the giver's refusal, `attestation-failed`, `verification-failed`
 */
export async function receiveSecrets(
  ports: ReceivePorts,
  from: {
    /** `host:port` of its peers' port. */
    readonly address: string;
    readonly history: VerifiedHistory;
    readonly signal: AbortSignal;
  },
): Promise<Enforced> {
  const { address, history, signal } = from;
  const channel = new AttestedChannel<Peer<PeerEvidence>>({
    address,
    identity: ports.identity,
    purpose: "peer-session",
    prover: freshQuoteProver({
      quote: (reportData, bounds) => ports.quoter.quote(reportData, { signal: bounds }),
    }),
    verifier: proofVerifier({ accept: ["instance"], evidence: unjudgedPeerEvidence(ports) }),
    // Who answers must be who showed the evidence that is judged.
    choices: { singleConnection: true },
  });
  try {
    const response = await serviceClient(MeshService, channel).recover(
      { name: ports.name, headRecordHash: history.recordHash },
      { signal, timeoutMs: PEER_RECOVERY_MS },
    );
    const secrets = takeSecrets(response);
    try {
      const peer = channel.peer();
      assert(peer?.proof === "instance", "the port's verifier accepts instance proofs only");
      const policy = appraisalPolicy(history.manifest, ports);
      await peer.claims.requireCoordinator(policy, "the peer", "the manifest being recovered");
      if (sha256(response.record) !== history.recordHash)
        throw new QuorateError(
          "verification-failed",
          "the peer gave the secrets of another record",
        );
      return await enforced(ports, history, secrets);
    } finally {
      secrets.meshCaKey.dispose();
      secrets.seedAndSalt.dispose();
    }
  } finally {
    channel.close();
  }
}

interface Secrets {
  readonly seedAndSalt: Secret;
  readonly meshCaKey: Secret;
}

/** Moves the secrets out of the message, which is zeroed. */
function takeSecrets({ seed, salt, meshCaKey }: RecoverResponse): Secrets {
  const seedAndSalt = Secret.take(concat(seed, salt));
  seed.fill(0);
  salt.fill(0);
  const secrets = { seedAndSalt, meshCaKey: Secret.take(meshCaKey) };
  if (seedAndSalt.length === SEED_AND_SALT_BYTES) return secrets;
  seedAndSalt.dispose();
  secrets.meshCaKey.dispose();
  throw new QuorateError("verification-failed", "the peer gave a seed of another length");
}

async function enforced(
  ports: ReceivePorts,
  history: VerifiedHistory,
  { seedAndSalt, meshCaKey }: Secrets,
): Promise<Enforced> {
  // A stale coordinator still has the lineage's seed: no reason to keep two copies of it.
  const own = ports.authority.state?.payload.engine;
  if (own?.lineage === history.lineage)
    return unwrap(await enforceWithKey(history, own, meshCaKey, ports));
  const engine = new SeedEngine(seedAndSalt.use((bytes) => Secret.take(bytes.slice())));
  const made = await enforceWithKey(history, engine, meshCaKey, ports);
  if (!made.ok) engine.dispose();
  return unwrap(made);
}
