/** The server's half of the attested handshake: the client's proof first, then our verdict and proof. */
import { toBinary, create, fromBinary } from "@bufbuild/protobuf";
import type { TLSSocket } from "node:tls";
import {
  sessionBinding,
  type SessionPurpose,
  type SessionRole,
} from "../attestation/report-data.ts";
import type { QuorateError } from "../core/errors.ts";
import { PROOF_FRAME_BYTES_MAX, REFUSAL_LINGER_MS } from "../core/limits.ts";
import { ProofSchema, VerdictSchema } from "../gen/quorate/session/v1/session_pb.ts";
import { errorDetail } from "./error-detail.ts";
import { readFrame, writeFrame } from "./frame.ts";
import type { SessionProver, SessionVerifier } from "./session.ts";
import type { TlsFacts } from "./tls-profile.ts";

/** What one side needs to attest sessions. */
export interface Attestation<Peer> {
  readonly purpose: SessionPurpose;
  readonly prover: SessionProver;
  readonly verifier: SessionVerifier<Peer>;
}

/**
 * Verifies the client, then proves this side. Afterwards the socket holds no byte of ours and is HTTP/2's.
 *
 * **Security:** nothing is quoted or signed for a client that was not verified first.
 *
 * @throws QuorateError why the client is refused, or why this side can't prove itself; {@link refuse} tells it.
 */
export async function attestToClient<Peer>(
  socket: TLSSocket,
  facts: TlsFacts,
  ownCertificate: Uint8Array,
  attestation: Attestation<Peer>,
  remote: string,
  signal: AbortSignal,
): Promise<Peer> {
  const { purpose, prover, verifier } = attestation;
  const binding = (role: SessionRole): Uint8Array =>
    sessionBinding({
      purpose,
      role,
      exporter: facts.exporters[role],
      serverCertificate: ownCertificate,
      clientCertificate: facts.peerCertificate,
    });
  const proof = await readFrame(socket, PROOF_FRAME_BYTES_MAX);
  const { peerCertificate, peerSpki } = facts;
  const session = { purpose, role: "client" as const, remote, peerCertificate, peerSpki };
  const verdict = await verifier.verify(proof, binding("client"), session, signal);
  if (!verdict.ok) throw verdict.error;
  signal.throwIfAborted();
  const ownProof = fromBinary(ProofSchema, await prover.prove(binding("server"), signal));
  signal.throwIfAborted();
  await writeFrame(socket, toBinary(VerdictSchema, create(VerdictSchema, { proof: ownProof })));
  return verdict.value;
}

/**
 * Tells the client why it is refused and ends the connection. What the client still sends is thrown away for a
 * moment: closing a socket with unread data would reset it and could destroy our answer on its way.
 */
export async function refuse(socket: TLSSocket, error: QuorateError): Promise<void> {
  const verdict = create(VerdictSchema, { error: errorDetail(error) });
  try {
    await writeFrame(socket, toBinary(VerdictSchema, verdict));
  } catch {
    // The client has gone: nobody is left to tell.
    return;
  }
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, REFUSAL_LINGER_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.resume();
    socket.end();
  });
}
