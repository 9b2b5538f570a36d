/** Readers that the reference values of every platform share. */
import { toHex } from "../bytes.ts";
import { ALLOW_LIST_MAX } from "../limits.ts";
import { type Reader, hexBytes } from "../json/index.ts";

/** Bounds of a list of acceptable values: an empty one would accept nothing. */
export const ALLOW_LIST = { min: 1, max: ALLOW_LIST_MAX };

/** Exactly `length` bytes of hex in either case, as lower-case text. */
export function hex(length: number): Reader<string> {
  const bytes = hexBytes({ min: length, max: length });
  return (value, path, faults) => {
    const read = bytes(value, path, faults);
    return read === undefined ? undefined : toHex(read);
  };
}
