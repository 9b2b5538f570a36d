/** The coordinator's mode as its protocol names it. */
import type { Authority } from "../authority/authority.ts";
import { Mode } from "../gen/quorate/userapi/v1/user_pb.ts";
import type { ModeLabel } from "../observability/metrics.ts";

/** Mode of the protocol. */
export function userMode(authority: Authority): Mode {
  return MODES[modeLabel(authority)];
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

const MODES: Readonly<Record<ModeLabel, Mode>> = {
  uninitialized: Mode.UNINITIALIZED,
  ready: Mode.READY,
  stale: Mode.STALE,
  "awaiting-recovery": Mode.AWAITING_RECOVERY,
  activating: Mode.ACTIVATING,
};
