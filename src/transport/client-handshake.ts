/** The client's half of the attested handshake, from a TCP connection to a socket that is ready for HTTP/2. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Socket } from "node:net";
import { connect, type ConnectionOptions, type SecureContext, type TLSSocket } from "node:tls";
import { sessionBinding, type SessionRole } from "../attestation/report-data.ts";
import { QuorateError } from "../core/errors.ts";
import { VERDICT_FRAME_BYTES_MAX } from "../core/limits.ts";
import { ProofSchema, VerdictSchema, type Verdict } from "../gen/quorate/session/v1/session_pb.ts";
import { abortReason } from "./abort.ts";
import { errorOfDetail } from "./error-detail.ts";
import { readFrame, writeFrame } from "./frame.ts";
import type { Attestation } from "./server-handshake.ts";
import type { TlsIdentity } from "./tls-identity.ts";
import { tlsFailureReason } from "./tls-failure.ts";
import { ALPN_ATTESTED, tlsFacts, TLS_PROFILE } from "./tls-profile.ts";
import { unknownPort, wrongPort } from "./wrong-port.ts";

/** A session as its client sees it. */
export interface ClientSession<Peer> {
  readonly socket: TLSSocket;
  readonly peer: Peer;
}

/**
 * Proves this side, reads the server's verdict, verifies the server.
 *
 * @throws QuorateError the server's reason for refusing this side, or ours for refusing the server.
 */
export async function attestToServer<Peer>(
  tcp: Socket,
  identity: TlsIdentity,
  secureContext: SecureContext,
  attestation: Attestation<Peer>,
  signal: AbortSignal,
): Promise<ClientSession<Peer>> {
  const remote = `${tcp.remoteAddress ?? "unknown"}:${tcp.remotePort ?? 0}`;
  const { socket, result: facts } = await secure(
    tcp,
    secureContext,
    [ALPN_ATTESTED],
    signal,
    (tls) => tlsFacts(tls, identity.spki),
  );
  try {
    const { purpose, prover, verifier } = attestation;
    const binding = (role: SessionRole): Uint8Array =>
      sessionBinding({
        purpose,
        role,
        exporter: facts.exporters[role],
        serverCertificate: facts.peerCertificate,
        clientCertificate: identity.certificate,
      });
    const proof = await prover.prove(binding("client"), signal);
    signal.throwIfAborted();
    const verdict = await exchange(socket, proof);
    if (verdict.error !== undefined) {
      const refusal = errorOfDetail(verdict.error);
      throw wrongPort(refusal, purpose) ?? refusal;
    }
    if (verdict.proof === undefined) {
      throw new QuorateError("protocol", "the server's verdict has neither a proof nor an error");
    }
    const { peerCertificate, peerSpki } = facts;
    const session = { purpose, role: "server" as const, remote, peerCertificate, peerSpki };
    const serverProof = toBinary(ProofSchema, create(ProofSchema, verdict.proof));
    const judged = await verifier.verify(serverProof, binding("server"), session, signal);
    if (!judged.ok) throw judged.error;
    signal.throwIfAborted();
    return { socket, peer: judged.value };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * TLS over a TCP connection with any certificate accepted: attestation or a pin decides.
 *
 * The caller destroys `tcp` if this fails; `signal` ends the socket also later, until the caller lets go of it.
 *
 * @param inspect runs in the very event that ends the handshake; what it throws refuses the connection.
 */
export function secure<T>(
  tcp: Socket,
  secureContext: SecureContext,
  alpn: readonly string[],
  signal: AbortSignal,
  inspect: (socket: TLSSocket) => T,
): Promise<{ socket: TLSSocket; result: T }> {
  return new Promise((resolve, reject) => {
    const options: ConnectionOptions = {
      ...{ minVersion: TLS_PROFILE.minVersion, maxVersion: TLS_PROFILE.maxVersion },
      socket: tcp,
      secureContext,
      ALPNProtocols: [...alpn],
      rejectUnauthorized: false,
      // Without a name there is no SNI and no name check; both mean nothing for self-signed instances.
      servername: "",
    };
    const socket = connect(options);
    const abort = (): void => {
      socket.destroy();
      reject(abortReason(signal));
    };
    const failed = (cause?: Error): void => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
      reject(tlsFailure(cause));
    };
    const closed = (): void => failed();
    // Stays for good: an error after this handshake is reported by whoever reads next.
    socket.on("error", failed);
    socket.once("close", closed);
    socket.once("secureConnect", () => {
      socket.off("close", closed);
      resolve(new Promise((inspected) => inspected({ socket, result: inspect(socket) })));
    });
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}

/** Sends the proof and reads the verdict; a server that refuses early answers before it has read the proof. */
async function exchange(socket: TLSSocket, proof: Uint8Array): Promise<Verdict> {
  const [written, answer] = await Promise.allSettled([
    writeFrame(socket, proof),
    readFrame(socket, VERDICT_FRAME_BYTES_MAX),
  ]);
  if (answer.status === "rejected") throw answer.reason;
  const verdict = decodeVerdict(answer.value);
  if (written.status === "rejected" && verdict.error === undefined) throw written.reason;
  return verdict;
}

function decodeVerdict(bytes: Uint8Array): Verdict {
  try {
    return fromBinary(VerdictSchema, bytes);
  } catch (cause) {
    throw new QuorateError("protocol", "the server's verdict is not a Verdict message", { cause });
  }
}

function tlsFailure(cause: Error | undefined): QuorateError {
  const noProtocol =
    cause !== undefined &&
    "code" in cause &&
    String(cause.code).includes("NO_APPLICATION_PROTOCOL");
  if (noProtocol) return unknownPort(cause);
  return new QuorateError("unreachable", `no TLS connection: ${tlsFailureReason(cause)}`, {
    hint: "check the address; the server may be restarting, overloaded, or not a coordinator",
    cause,
  });
}
