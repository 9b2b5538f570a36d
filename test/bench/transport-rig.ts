/** Servers and clients for the transport's figures: ours, and bare ones of the same cryptography. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { instanceReportData } from "../../src/attestation/report-data.ts";
import { equalBytes } from "../../src/core/bytes.ts";
import { QuorateError } from "../../src/core/errors.ts";
import { err, ok } from "../../src/core/result.ts";
import { UserService } from "../../src/gen/quorate/userapi/v1/user_pb.ts";
import { certificatesPem } from "../../src/pki/pem.ts";
import { service } from "../../src/transport/grpc-service.ts";
import { generateInstance } from "../../src/transport/instance-identity.ts";
import {
  freshQuoteProver,
  instanceProver,
  type EvidenceVerifier,
  type Peer,
  proofVerifier,
} from "../../src/transport/proof.ts";
import { SessionServer } from "../../src/transport/session-server.ts";
import { type TlsIdentity, tlsOptions } from "../../src/transport/tls-identity.ts";

/** Evidence of the size of an SNP report whose only check is its report data: its verification is measured elsewhere. */
const evidenceOf = (reportData: Uint8Array) => ({
  platform: "snp" as const,
  quote: new Uint8Array([...reportData, ...new Uint8Array(1184 - 64)]),
  certificates: new Uint8Array(4096),
});
const evidence: EvidenceVerifier<null> = {
  verify: ({ quote }, reportData) =>
    Promise.resolve(
      equalBytes(quote.subarray(0, 64), reportData)
        ? ok(null)
        : err(new QuorateError("attestation-failed", "wrong report data")),
    ),
};

export const PATH = "/quorate.userapi.v1.UserService/GetStatus";
export const freshProver = freshQuoteProver({ quote: (data) => Promise.resolve(evidenceOf(data)) });
export const verifier = proofVerifier({ accept: ["fresh-quote", "instance"], evidence });

/** Our server, its limits out of the way. */
export async function startAttested() {
  const instance = await generateInstance("coordinator-0");
  const unsupported = () => Promise.reject(new QuorateError("unsupported", "not measured"));
  const server = await SessionServer.start<Peer<null>>({
    host: "127.0.0.1",
    port: 0,
    identity: instance.tls,
    attestation: {
      purpose: "mesh-session",
      prover: instanceProver(instance, () =>
        Promise.resolve(evidenceOf(instanceReportData(instance.keys))),
      ),
      verifier,
    },
    plain: false,
    services: [
      service<typeof UserService, Peer<null>>(UserService, {
        setManifest: unsupported,
        getManifests: unsupported,
        attest: unsupported,
        recover: unsupported,
        getStatus: () => Promise.resolve({ version: "echo" }),
      }),
    ],
    limits: { handshakesPerSecondMax: 1e6, handshakeBurstMax: 1e6, strangersPerAddressMax: 1e6 },
  });
  return { port: server.address.port, stop: () => server.stop(0) };
}

/** Mutual TLS with the same certificates and nothing on top. */
export async function startBareTls(identity: TlsIdentity) {
  const server = createTlsServer({
    ...tlsOptions(identity),
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.on("secureConnection", (socket) => {
    socket.on("error", () => undefined);
    // The client's handshake is over when the server says so, like ours.
    socket.write("x");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, stop: () => void server.close() };
}

/** grpc-js over TLS that echoes bytes: no messages, no sessions. */
export async function startBareGrpc(identity: TlsIdentity) {
  const server = new Server({ "grpc.enable_channelz": 0 });
  const raw = (bytes: Buffer): Buffer => bytes;
  server.addService(
    {
      echo: {
        path: PATH,
        requestStream: false,
        responseStream: false,
        requestSerialize: raw,
        requestDeserialize: raw,
        responseSerialize: raw,
        responseDeserialize: raw,
      },
    },
    { echo: (_call: unknown, answer: (error: null, bytes: Buffer) => void) => answer(null, ECHO) },
  );
  const pem = Buffer.from(certificatesPem(identity.certificate));
  const key = Buffer.from(identity.privateKey.export({ format: "pem", type: "pkcs8" }));
  const credentials = ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: pem }]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return {
    port,
    stop: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

/** The answer of the echo: as long as ours. */
const ECHO = Buffer.from("\u001a\u0004echo");
