/** Random bytes from the operating system, in memory that nothing else shares. */
import { randomFillSync } from "node:crypto";

/**
 * `length` random bytes fit for keys.
 *
 * **Security:** not a slice of Node's shared buffer pool, so that zeroing or leaking it concerns these bytes alone.
 */
export function randomBytes(length: number): Uint8Array {
  return randomFillSync(new Uint8Array(length));
}
