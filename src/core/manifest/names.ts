/** The syntax of every kind of name in a manifest. */
import { SPIFFE_PATH_MAX } from "../limits.ts";

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A DNS label (RFC 1123) in lower case: a coordinator's name. */
export function isDnsLabel(text: string): boolean {
  return LABEL.test(text);
}

/**
 * A DNS name for certificates: lower-case labels, at most 253 characters, `*` only as the whole first of at least
 * two labels. Certificates compare names without regard to case, so one spelling is enough.
 *
 * **Security:** a name that ends in a number is refused, because verifiers could take it for an IP address.
 */
export function isDnsName(text: string): boolean {
  const labels = (text.startsWith("*.") ? text.slice(2) : text).split(".");
  return text.length <= 253 && labels.every(isDnsLabel) && !/^[0-9]+$/.test(labels.at(-1) ?? "");
}

/** A SPIFFE trust domain: 1 to 255 lower-case letters, digits, `.`, `-` and `_` (SPIFFE-ID section 2.1). */
export function isTrustDomain(text: string): boolean {
  return /^[a-z0-9._-]{1,255}$/.test(text);
}

/**
 * The path of a SPIFFE id: `/` and a segment, once or more often (SPIFFE-ID section 2.2).
 *
 * **Security:** no empty, `.` or `..` segments, so that no verifier can normalise one identity into another.
 */
export function isSpiffePath(text: string): boolean {
  if (text.length > SPIFFE_PATH_MAX || !text.startsWith("/")) return false;
  return text
    .slice(1)
    .split("/")
    .every((segment) => /^[A-Za-z0-9._-]+$/.test(segment) && segment !== "." && segment !== "..");
}

/** The id of a workload secret: up to 63 lower-case letters, digits, `.`, `_` and `-`. */
export function isSecretId(text: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,62}$/.test(text);
}

/** An owner's name: up to 64 letters, digits and `.`, `_`, `@`, `+`, `-`, so that `alice@example.com` is one. */
export function isOwnerName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/.test(text);
}
