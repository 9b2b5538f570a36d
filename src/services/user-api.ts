/** userapi: what people and their tools ask of a coordinator. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { appraisalPolicy, type Quoter } from "../attestation/index.ts";
import { userAttestStatement } from "../attestation/report-data.ts";
import type { Authority } from "../authority/authority.ts";
import type { SelfAppraisal } from "../authority/self-appraisal.ts";
import { setManifest } from "../authority/set-manifest.ts";
import type { UserRecovery } from "../authority/user-recovery.ts";
import { isSha256, type Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import type { Approval } from "../core/history/index.ts";
import { OWNERS_MAX, POLICIES_MAX } from "../core/limits.ts";
import { Mode, UserService } from "../gen/quorate/userapi/v1/user_pb.ts";
import { evidenceToMessage } from "../transport/evidence-message.ts";
import { type Service, service } from "../transport/grpc-service.ts";
import { type InstanceIdentity, signStatement } from "../transport/instance-identity.ts";
import { historyPage } from "./history-page.ts";
import { coordinatorRefusal } from "../recovery/peer-evidence.ts";
import type { PeerLink, PeerSession } from "../recovery/peer-link.ts";
import type { PeerRecovery } from "../recovery/peer-recovery.ts";
import type { Peers } from "../recovery/peers.ts";
import { modeName, modeOf, platformMessage, platformStatus, userMode } from "./mode.ts";

export interface UserApiPorts {
  readonly authority: Authority;
  readonly self: SelfAppraisal;
  readonly recovery: UserRecovery;
  readonly instance: InstanceIdentity;
  readonly quoter: Quoter;
  readonly allowDevelopment: boolean;
  readonly version: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly peers: Pick<Peers, "list">;
  readonly peerRecovery: Pick<PeerRecovery, "last">;
}

const NONCE_BYTES = 32;

export function userService<Anyone>(ports: UserApiPorts): Service<Anyone> {
  const { authority, self, recovery, instance } = ports;
  return service<typeof UserService, Anyone>(UserService, {
    async setManifest(request, { requestId }) {
      if (request.approvals.length > OWNERS_MAX || request.policyDocuments.length > POLICIES_MAX) {
        throw new QuorateError(
          "too-large",
          "the request has more approvals or policy documents than a manifest can",
        );
      }
      const binding = request.genesisBinding;
      const state = await setManifest(
        authority,
        self,
        {
          manifest: request.manifest,
          policyDocuments: request.policyDocuments,
          approvals: request.approvals.map(({ keyId, signature }) => approval(keyId, signature)),
          previousRecord: request.previousRecord,
          genesisBinding:
            binding === undefined
              ? undefined
              : {
                  instanceId: binding.instanceId,
                  approval: approval(binding.keyId, binding.signature),
                },
          requestId,
        },
        ports.allowDevelopment,
      );
      const { root, meshCa } = state.meshCa.certificates;
      const { shares } = state.history.record;
      return {
        record: state.history.head.head.bytes,
        recordHash: state.recordHash,
        shares: shares === null ? new Uint8Array() : state.history.documentOf(shares),
        caCertificates: { root, mesh: meshCa.selfSigned, meshIntermediate: meshCa.intermediate },
      };
    },

    async getManifests(request) {
      await authority.refresh();
      const { history } = authority;
      if (history === undefined) throw authority.notReady();
      return historyPage(history, request);
    },

    async attest(request) {
      if (request.nonce.length !== NONCE_BYTES) {
        throw new QuorateError(
          "invalid-argument",
          `the nonce must have ${NONCE_BYTES} bytes, and has ${request.nonce.length}`,
        );
      }
      await authority.refresh();
      // **Security:** a signature says which record is the head, now: nobody knows while the store shows something else.
      if (authority.problem !== undefined) throw authority.problem;
      const headRecord = authority.history?.head.head.bytes ?? new Uint8Array();
      const mode = userMode(authority);
      const statement = userAttestStatement({
        nonce: request.nonce,
        serverCertificate: instance.tls.certificate,
        headRecord,
        mode: modeName(mode),
      });
      return {
        evidence: evidenceToMessage(await self.evidence()),
        instance: instance.keys,
        headRecord,
        mode,
        signature: signStatement(instance, statement),
      };
    },

    async recover(request, { requestId }) {
      const { received, threshold, record } = await recovery.submit({ ...request, requestId });
      return {
        received,
        threshold,
        recovered: record !== undefined,
        record: record ?? new Uint8Array(),
      };
    },

    async getStatus() {
      // The status is most wanted when the store is out of reach; it says why.
      await authority.refresh().catch(() => undefined);
      const peers = await Promise.all(ports.peers.list().map((link) => peerStatus(link, ports)));
      return { ...status(ports), peers };
    },
  });
}

function status(ports: UserApiPorts) {
  const { authority, instance, quoter, recovery } = ports;
  const mode = userMode(authority);
  const { history, suspended } = authority;
  const progress = recovery.progress;
  const notReady = mode === Mode.READY ? undefined : authority.notReady();
  return {
    mode,
    instance: instance.keys,
    version: ports.version,
    startedAt: timestampFromMs(ports.startedAt),
    platform: platformStatus(quoter),
    ...(history === undefined
      ? {}
      : {
          head: {
            lineage: history.lineage,
            recordHash: history.recordHash,
            generation: BigInt(history.record.generation),
            epoch: BigInt(history.record.epoch),
            manifestHash: history.record.manifest,
            createdAt: timestampFromMs(Date.parse(history.record.createdAt)),
            recoveryCount: BigInt(history.record.recoveryCount),
          },
        }),
    store: {
      description: authority.ports.store.description,
      condition: suspended?.message ?? conditionText(authority),
    },
    ...(progress === undefined
      ? {}
      : {
          recovery: {
            lastVerifiedGeneration: BigInt(authority.lastVerifiedGeneration),
            sharesReceived: progress.received,
            sharesThreshold: progress.threshold,
          },
        }),
    ...lastRecovery(ports),
    suspended: suspended?.message ?? notReady?.message ?? "",
    hint: (suspended ?? notReady)?.hint ?? "",
  };
}

/** A store that is fine now, and was not before: nobody should have to read the log to hear of it. */
function conditionText({ reasserted }: Authority): string {
  if (reasserted === undefined) return "fine";
  const at = new Date(reasserted.at).toISOString();
  return `fine; the newest record was put back at ${at} (${reasserted.shown})`;
}

async function peerStatus(link: PeerLink, ports: UserApiPorts) {
  const { address, standing } = link;
  const session = link.peer();
  const instance = session?.instance;
  const problem =
    session === undefined ? link.problem?.message : await whyNotCounted(session, ports);
  return {
    address,
    name: instance?.name ?? "",
    instanceId: instance?.id ?? "",
    problem: problem ?? "",
    ...(standing === undefined
      ? {}
      : {
          mode: modeOf(standing.mode),
          heldRecord: standing.heldRecord ?? "",
          generation: BigInt(standing.heldGeneration),
          epoch: BigInt(standing.heldEpoch),
          version: standing.version,
          ...(standing.platform === undefined
            ? {}
            : { platform: platformMessage(standing.platform) }),
        }),
  };
}

/** Why what a connected peer says does not count under the newest verified manifest; `undefined` if it does. */
async function whyNotCounted(
  { instance, evidence }: PeerSession,
  { authority, allowDevelopment }: UserApiPorts,
): Promise<string | undefined> {
  const manifest = authority.history?.manifest;
  if (manifest === undefined) return undefined;
  if (!manifest.coordinators.includes(instance.name)) return "the manifest does not name it";
  try {
    return coordinatorRefusal(
      await evidence.judge(appraisalPolicy(manifest, { allowDevelopment })),
    );
  } catch (cause) {
    return cause instanceof QuorateError ? cause.message : "its evidence could not be judged";
  }
}

/** The newest of: from a peer, by share owners. Which one it was, the record in force says. */
function lastRecovery({ authority, peerRecovery }: UserApiPorts) {
  const { author } = authority.ports;
  const { last } = peerRecovery;
  const record = authority.state?.payload.history.record;
  const isOwn = record?.kind === "recovery" && record.author.instance === author.instance;
  const recoveredAt = isOwn ? Date.parse(record.createdAt) : undefined;
  if (recoveredAt !== undefined && recoveredAt >= (last?.at ?? 0)) {
    const recordHash = authority.state?.place.hash ?? "";
    const at = timestampFromMs(recoveredAt);
    return { lastRecovery: { from: "", recordHash, at, millis: 0 } };
  }
  if (last === undefined) return {};
  const { from, recordHash, at, millis } = last;
  return { lastRecovery: { from, recordHash, at: timestampFromMs(at), millis } };
}

function approval(keyId: string, signature: Uint8Array): Approval {
  if (!isSha256(keyId)) {
    throw new QuorateError(
      "invalid-argument",
      "an approval's key id is not a SHA-256 digest in 64 lower-case hex digits",
    );
  }
  return { key: keyId satisfies Sha256, signature: signature.slice() };
}
