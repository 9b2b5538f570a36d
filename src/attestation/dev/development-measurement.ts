/** Measurements for simulated guests, by name. */
import { createHash } from "node:crypto";
import { lengthPrefixedList } from "../../core/bytes.ts";

/** 48 bytes in hex that stand for the launch measurement of the simulated guest `name`: SHA-384 of the name. */
export function developmentMeasurement(name: string): string {
  return createHash("sha384")
    .update(lengthPrefixedList("quorate/development-measurement/v1", name))
    .digest("hex");
}
