/**
 * The one function behind every report data of the project, and behind every statement that an instance key signs.
 *
 * Each statement is `SHA-512(lp("quorate/attest/v1") ‖ lp(purpose) ‖ lp(part) ‖ …)`: 64 bytes, exactly what an
 * SNP report and a TDX quote carry.
 *
 * **Security:** the purpose comes from a closed list and every part is length-prefixed, so no statement of one
 * kind can be read as one of another.
 */
import { createHash } from "node:crypto";
import type { InstanceId } from "../core/brand.ts";
import { lengthPrefixedList } from "../core/bytes.ts";
import { sha256Bytes } from "../crypto/hash.ts";

/** Length of every report data, in bytes. */
export const REPORT_DATA_BYTES = 64;

/** Which port's sessions a binding belongs to; a proof made for one is void on the others. */
export type SessionPurpose = "user-session" | "mesh-session" | "peer-session";

/** The TLS side of the one who proves itself: the two proofs of a session differ even between coordinators. */
export type SessionRole = "client" | "server";

/** What a session binding binds a proof to. */
export interface SessionBindingParts {
  readonly purpose: SessionPurpose;
  /** TLS side of the prover. */
  readonly role: SessionRole;
  /** 32 bytes of TLS exporter keying material with the role as context: fresh randomness of both sides. */
  readonly exporter: Uint8Array;
  /** DER; TLS 1.3's exporter covers the server's certificate, but is repeated here for one uniform rule. */
  readonly serverCertificate: Uint8Array;
  /** DER; the exporter does **not** cover the client's certificate. */
  readonly clientCertificate: Uint8Array;
}

/** The 64 bytes that a prover quotes (fresh quote) or signs (instance key) to prove itself inside one TLS session. */
export function sessionBinding(parts: SessionBindingParts): Uint8Array {
  return statement(
    parts.purpose,
    parts.role,
    parts.exporter,
    sha256Bytes(parts.serverCertificate),
    sha256Bytes(parts.clientCertificate),
  );
}

/** One run of a coordinator process: everything that its instance quote vouches for. */
export interface InstanceKeys {
  readonly id: InstanceId;
  /** Stable name, for example `coordinator-0`. */
  readonly name: string;
  /** SubjectPublicKeyInfo (DER) of the P-256 key that signs sessions and serves TLS. */
  readonly signingKey: Uint8Array;
  /** X25519 public key, 32 bytes. */
  readonly hpkeKey: Uint8Array;
}

/** Report data of an instance quote: it binds the id (as its hex text), the name and both keys to the TEE. */
export function instanceReportData(instance: InstanceKeys): Uint8Array {
  return statement("instance", instance.id, instance.name, instance.signingKey, instance.hpkeKey);
}

/** What `Attest` answers for. */
export interface UserAttestParts {
  /** The caller's 32 random bytes. */
  readonly nonce: Uint8Array;
  /** DER of the certificate that serves the caller's TLS connection. */
  readonly serverCertificate: Uint8Array;
  /** The head's record document; empty before genesis. */
  readonly headRecord: Uint8Array;
  /** The mode's name in the protocol, for example `MODE_READY`. */
  readonly mode: string;
}

/** The 64 bytes that the instance key signs for `Attest`. */
export function userAttestStatement(parts: UserAttestParts): Uint8Array {
  return statement(
    "user-attest",
    parts.nonce,
    sha256Bytes(parts.serverCertificate),
    parts.headRecord,
    parts.mode,
  );
}

type Purpose = SessionPurpose | "instance" | "user-attest";

function statement(purpose: Purpose, ...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash("sha512").update(
    lengthPrefixedList("quorate/attest/v1", purpose, ...parts),
  );
  return new Uint8Array(hash.digest());
}
