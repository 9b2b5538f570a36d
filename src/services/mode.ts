/** The coordinator's mode as its protocol names it. */
import type { Authority } from "../authority/authority.ts";
import type { Quoter } from "../attestation/index.ts";
import type { Platform as PlatformId } from "../core/manifest/reference-values.ts";
import { Platform } from "../gen/quorate/common/v1/evidence_pb.ts";
import { Mode } from "../gen/quorate/userapi/v1/user_pb.ts";
import type { ModeLabel } from "../observability/metrics.ts";

/** Mode of the protocol. */
export function userMode(authority: Authority): Mode {
  return modeOf(modeLabel(authority));
}

/** Mode of the protocol by its name in metrics and probes. */
export function modeOf(label: ModeLabel): Mode {
  return MODES[label];
}

/** The mode's name in the protocol, e.g. `MODE_READY`: what `Attest` signs. */
export function modeName(mode: Mode): string {
  return `MODE_${Mode[mode]}`;
}

/** Mode of metrics and probes. */
export function modeLabel(authority: Authority): ModeLabel {
  const { lifecycle } = authority;
  if (lifecycle.kind !== "uninitialized") return lifecycle.kind;
  return lifecycle.storeHasHead === true ? "awaiting-recovery" : "uninitialized";
}

/** The platform as the protocol describes it. */
export function platformStatus({ platform }: Quoter) {
  return platformMessage({ platform: platform.id, development: platform.development });
}

/** What a peer says of its platform, in the protocol's words. */
export function platformMessage(of: {
  readonly platform: PlatformId;
  readonly development: boolean;
}) {
  return { platform: PLATFORMS[of.platform], development: of.development };
}

const PLATFORMS = { snp: Platform.SNP, tdx: Platform.TDX } as const;

const MODES: Readonly<Record<ModeLabel, Mode>> = {
  uninitialized: Mode.UNINITIALIZED,
  ready: Mode.READY,
  stale: Mode.STALE,
  "awaiting-recovery": Mode.AWAITING_RECOVERY,
  activating: Mode.ACTIVATING,
};
