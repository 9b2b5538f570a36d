/** What another coordinator says of itself, every field checked. It is a claim: its evidence says whether it counts. */
import { type Epoch, type Generation, isSha256, type Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { PEER_VERSION_CHARACTERS_MAX, PREPARES_MAX } from "../core/limits.ts";
import type { Platform } from "../core/manifest/reference-values.ts";
import { Platform as PlatformMessage } from "../gen/quorate/common/v1/evidence_pb.ts";
import type { Standing } from "../gen/quorate/peerapi/v1/peer_pb.ts";
import { Mode, type PlatformStatus } from "../gen/quorate/userapi/v1/user_pb.ts";
import type { ModeLabel } from "../observability/metrics.ts";

/** The platform of a coordinator by its own account. */
export interface PeerPlatform {
  readonly platform: Platform;
  /** True for simulated evidence. */
  readonly development: boolean;
}

/** One coordinator's account of itself. */
export interface PeerStanding {
  readonly mode: ModeLabel;
  /** Of the newest history that it knows, held or not; `undefined` before genesis. */
  readonly lineage: Sha256 | undefined;
  /** The record whose secrets it holds, current or stale; `undefined` without a state, never if it is ready. */
  readonly heldRecord: Sha256 | undefined;
  /** 0 without a held record. */
  readonly heldGeneration: Generation;
  /** 0 without a held record. */
  readonly heldEpoch: Epoch;
  /** Records whose keys it was given and that are not yet settled. At most `PREPARES_MAX`. */
  readonly preparedRecords: readonly Sha256[];
  /** A document of the newest history that the store does not give it; `undefined` if nothing lacks. */
  readonly lackingDocument: Sha256 | undefined;
  /** True while it issues and gives nothing because of its store. */
  readonly suspended: boolean;
  /** Of its build: printable ASCII, possibly empty. */
  readonly version: string;
  /** `undefined` if it names none that this version knows. */
  readonly platform: PeerPlatform | undefined;
}

/**
 * Parses a peer's account.
 *
 * @throws QuorateError `protocol`, naming the first field that is not in its one form.
 */
export function parseStanding(message: Standing | undefined): PeerStanding {
  if (message === undefined) throw malformed("it is missing");
  const mode = MODES[message.mode];
  if (mode === undefined) throw malformed("its mode is unknown");
  const lineage = optionalHash(message.lineage, "lineage");
  const heldRecord = optionalHash(message.heldRecord, "record");
  const leastCount = heldRecord === undefined ? 0n : 1n;
  const heldGeneration = counter(message.heldGeneration, leastCount, "generation") as Generation;
  const heldEpoch = counter(message.heldEpoch, leastCount, "epoch") as Epoch;
  if (heldRecord !== undefined && lineage === undefined)
    throw malformed("it holds a record of no lineage");
  if (heldRecord === undefined && mode === "ready") throw malformed("it is ready without a record");
  const { preparedRecords, version } = message;
  if (preparedRecords.length > PREPARES_MAX) throw malformed("it names too many prepared records");
  if (!preparedRecords.every(isSha256)) throw malformed("a prepared record is not a hash");
  if (version.length > PEER_VERSION_CHARACTERS_MAX || !/^[\x20-\x7e]*$/.test(version)) {
    throw malformed("its version is not a short text");
  }
  return {
    ...{ mode, lineage, heldRecord, heldGeneration, heldEpoch, preparedRecords, version },
    suspended: message.suspended,
    lackingDocument: optionalHash(message.lackingDocument, "lacking document"),
    platform: platformOf(message.platform),
  };
}

/** True if two accounts say the same. */
export function sameStanding(one: PeerStanding, other: PeerStanding): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

const MODES: Readonly<Record<Mode, ModeLabel | undefined>> = {
  [Mode.UNSPECIFIED]: undefined,
  [Mode.UNINITIALIZED]: "uninitialized",
  [Mode.READY]: "ready",
  [Mode.STALE]: "stale",
  [Mode.AWAITING_RECOVERY]: "awaiting-recovery",
  [Mode.ACTIVATING]: "activating",
};

const PLATFORMS: Readonly<Record<PlatformMessage, Platform | undefined>> = {
  [PlatformMessage.UNSPECIFIED]: undefined,
  [PlatformMessage.SNP]: "snp",
  [PlatformMessage.TDX]: "tdx",
};

/** A count that is there exactly if there is a held record. */
function counter(value: bigint, least: bigint, what: string): number {
  const most = least === 0n ? 0n : BigInt(Number.MAX_SAFE_INTEGER);
  if (value >= least && value <= most) return Number(value);
  throw malformed(`its ${what} is out of range`);
}

function optionalHash(text: string, what: string): Sha256 | undefined {
  if (text === "") return undefined;
  if (isSha256(text)) return text;
  throw malformed(`its ${what} is not a hash`);
}

function platformOf(message: PlatformStatus | undefined): PeerPlatform | undefined {
  const platform = message === undefined ? undefined : PLATFORMS[message.platform];
  if (message === undefined || platform === undefined) return undefined;
  return { platform, development: message.development };
}

function malformed(what: string): QuorateError {
  return new QuorateError("protocol", `the peer's account of itself is malformed: ${what}`, {
    hint: "use versions that work together on all coordinators",
  });
}
