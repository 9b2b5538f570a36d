/**
 * The one TLS configuration of the project: TLS 1.3, P-256 certificates, two fast groups, no resumption, no early
 * data. And what a finished handshake tells.
 */
import { constants } from "node:crypto";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import type { SessionRole } from "../attestation/report-data.ts";
import { equalBytes } from "../core/bytes.ts";
import { QuorateError } from "../core/errors.ts";
import { parseCertificate } from "../crypto/x509-view.ts";

/** ALPN of attested sessions: frames first, then HTTP/2. */
export const ALPN_ATTESTED = "quorate-attested/1";
/** ALPN of plain gRPC. */
export const ALPN_PLAIN = "h2";

/** RFC 8446 exporter label of session bindings. */
const EXPORTER_LABEL = "EXPORTER-quorate-attest-v1";
const EXPORTER_BYTES = 32;

/**
 * Options of every TLS context.
 *
 * **Security:** one signature scheme and two groups leave a stranger no expensive algorithm to choose (large RSA,
 * P-521, finite fields). Without tickets there is no resumption and no early data: each connection has its own
 * handshake for its proof to be bound to.
 */
export const TLS_PROFILE = {
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  sigalgs: "ecdsa_secp256r1_sha256",
  ecdhCurve: "X25519:P-256",
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies SecureContextOptions;

/** Marks the error of a connection to oneself. A cause never comes from the wire, so nobody else can set it. */
const OWN_KEY = Symbol("own key");

/** True if a connection failed because it led to this very process. */
export function isOwnKey(error: QuorateError): boolean {
  return error.cause === OWN_KEY;
}

/** What TLS proved to one side of a connection. */
export interface TlsFacts {
  readonly peerCertificate: Uint8Array;
  readonly peerSpki: Uint8Array;
  /** Exporter values for the proofs of either side. */
  readonly exporters: Readonly<Record<SessionRole, Uint8Array>>;
}

/**
 * Reads the facts of a finished handshake. Must run in the very event that reports its end: a socket that the other
 * side closes can no longer export.
 *
 * @param ownSpki this side's key, refused as the peer's.
 * @throws QuorateError `protocol`, `unauthenticated`
 */
export function tlsFacts(socket: TLSSocket, ownSpki: Uint8Array): TlsFacts {
  if (socket.getProtocol() !== "TLSv1.3") {
    throw new QuorateError("protocol", "an attested session needs TLS 1.3");
  }
  if (socket.alpnProtocol !== ALPN_ATTESTED) {
    throw new QuorateError("protocol", `the other side does not speak ${ALPN_ATTESTED}`, {
      hint: "check that the address is the right port of a coordinator",
    });
  }
  if (socket.isSessionReused()) {
    throw new QuorateError("protocol", "an attested session can't resume an earlier one");
  }
  // `getPeerX509Certificate` frees the certificate on clients; this does not.
  const peerCertificate = socket.getPeerCertificate(false).raw as Buffer | undefined;
  if (peerCertificate === undefined) {
    throw new QuorateError("unauthenticated", "the other side showed no TLS certificate", {
      hint: "attested sessions need mutual TLS; a self-signed certificate is enough",
    });
  }
  const view = parseCertificate(new Uint8Array(peerCertificate));
  if (!view.ok) {
    throw new QuorateError("protocol", `the other side's TLS certificate: ${view.error.message}`);
  }
  const { encoded, spki } = view.value;
  // A proof reflected to its maker must never count.
  if (equalBytes(spki, ownSpki)) {
    throw new QuorateError("unauthenticated", "the other side shows this process's own key", {
      hint: "a coordinator was told to connect to itself; check the addresses of its peers",
      cause: OWN_KEY,
    });
  }
  const exporter = (role: SessionRole): Uint8Array =>
    new Uint8Array(socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.from(role)));
  return {
    peerCertificate: encoded,
    peerSpki: spki,
    exporters: { client: exporter("client"), server: exporter("server") },
  };
}
