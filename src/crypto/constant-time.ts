/** Comparison that does not tell by its duration where two values differ. */
import { timingSafeEqual } from "node:crypto";

/**
 * True if both hold the same bytes. The time depends on the lengths alone, which are not secret.
 *
 * **Security:** use it for everything that an attacker may guess byte by byte: tags, commitments to secrets, tokens.
 */
export function equalConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
