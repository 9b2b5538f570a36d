/** What a coordinator says of itself and of its peers, for programs. */
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type GetStatusResponse,
  Mode,
  type PeerStatus,
  type PlatformStatus,
} from "../../gen/quorate/userapi/v1/user_pb.ts";
import { Platform } from "../../gen/quorate/common/v1/evidence_pb.ts";
import { modeText } from "../mode-text.ts";

/** The status as JSON values; what is not there is `null`. */
export function statusJson(status: GetStatusResponse): unknown {
  const { instance, head, recovery, lastRecovery, store, platform, startedAt } = status;
  return {
    mode: modeText(status.mode),
    name: instance?.name,
    instance: instance?.id,
    version: status.version,
    startedAt: time(startedAt),
    platform: platformName(platform),
    development: platform?.development,
    head:
      head === undefined
        ? null
        : {
            lineage: head.lineage,
            record: head.recordHash,
            generation: Number(head.generation),
            epoch: Number(head.epoch),
            manifest: head.manifestHash,
            recoveryCount: Number(head.recoveryCount),
          },
    store: { description: store?.description, condition: store?.condition },
    recovery:
      recovery === undefined
        ? null
        : {
            lastVerifiedGeneration: Number(recovery.lastVerifiedGeneration),
            received: recovery.sharesReceived,
            threshold: recovery.sharesThreshold,
          },
    lastRecovery:
      lastRecovery === undefined
        ? null
        : {
            from: orNull(lastRecovery.from),
            record: lastRecovery.recordHash,
            at: time(lastRecovery.at) ?? null,
            millis: lastRecovery.millis,
          },
    peers: status.peers.map(peerJson),
    suspended: status.suspended,
    hint: status.hint,
  };
}

function peerJson(peer: PeerStatus): unknown {
  return {
    address: peer.address,
    name: orNull(peer.name),
    instance: orNull(peer.instanceId),
    mode: peer.mode === Mode.UNSPECIFIED ? null : modeText(peer.mode),
    record: orNull(peer.heldRecord),
    generation: Number(peer.generation),
    epoch: Number(peer.epoch),
    version: orNull(peer.version),
    platform: peer.platform === undefined ? null : platformName(peer.platform),
    development: peer.platform?.development ?? null,
    problem: peer.problem,
  };
}

function platformName(platform: PlatformStatus | undefined): string | undefined {
  return Platform[platform?.platform ?? 0]?.toLowerCase();
}

function time(at: Timestamp | undefined): string | undefined {
  return at === undefined ? undefined : new Date(timestampMs(at)).toISOString();
}

function orNull(text: string): string | null {
  return text === "" ? null : text;
}
