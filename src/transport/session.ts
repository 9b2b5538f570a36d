/** What a connection is once it is open: an attested session with a proved peer, or plain TLS. */
import type { SessionPurpose, SessionRole } from "../attestation/report-data.ts";
import type { Millis } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import type { Result } from "../core/result.ts";

/** Proves this side's TEE inside one TLS session. */
export interface SessionProver {
  /**
   * Makes the proof for one session.
   *
   * @param binding 64 bytes that exist in this session only (`sessionBinding`).
   * @param signal aborts when the session is given up.
   * @returns an encoded `quorate.session.v1.Proof`.
   */
  prove(binding: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

/** Decides whether the other side's proof is good enough for this port. */
export interface SessionVerifier<Peer> {
  /**
   * Verifies a proof, cheapest step first.
   *
   * @param proof bytes of a stranger, bounded by `PROOF_FRAME_BYTES_MAX`.
   * @returns the proved peer, or why it is refused; the error's message and hint reach the peer.
   */
  verify(
    proof: Uint8Array,
    binding: Uint8Array,
    session: SessionFacts,
    signal: AbortSignal,
  ): Promise<Result<Peer, QuorateError>>;
}

/** What TLS itself established about the other side. */
export interface SessionFacts {
  readonly purpose: SessionPurpose;
  /** TLS side of the prover. */
  readonly role: SessionRole;
  /** The prover's TLS certificate (DER); it proved possession of its key. */
  readonly peerCertificate: Uint8Array;
  /** SubjectPublicKeyInfo (DER) of {@link peerCertificate}; the TLS profile admits P-256 only. */
  readonly peerSpki: Uint8Array;
  /** `address:port` of the other side, for logs. */
  readonly remote: string;
}

interface OpenConnection {
  /** Unique in this process, never reused. */
  readonly id: number;
  /** `address:port` of the other side, for logs; not an identity. */
  readonly remote: string;
  readonly openedAt: Millis;
  /** Ends the connection and all its calls at once. Idempotent. */
  close(): void;
}

/** A connection whose other side proved what it is. */
export interface AttestedSession<Peer> extends OpenConnection {
  readonly kind: "attested";
  readonly peer: Peer;
  /** The peer's TLS certificate (DER). */
  readonly peerCertificate: Uint8Array;
}

/** A plain TLS connection: whoever it is proved nothing. */
export interface PlainSession extends OpenConnection {
  readonly kind: "plain";
}

/** An open connection as handlers see it. */
export type Session<Peer> = AttestedSession<Peer> | PlainSession;

/**
 * The proved peer of a session.
 *
 * @throws QuorateError `unauthenticated` on a plain connection.
 */
export function requireAttested<Peer>(session: Session<Peer>): AttestedSession<Peer> {
  if (session.kind === "attested") return session;
  throw new QuorateError("unauthenticated", "this call needs an attested session", {
    hint: "connect with a client that attests itself, such as quorate sidecar",
  });
}
