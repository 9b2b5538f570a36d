/** A coordinator's mode as people read it. */
import { Mode } from "../gen/quorate/userapi/v1/user_pb.ts";

/** For example `awaiting-recovery`. */
export function modeText(mode: Mode): string {
  return (Mode[mode] ?? "UNSPECIFIED").toLowerCase().replaceAll("_", "-");
}
