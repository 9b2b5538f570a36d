/** The transport: what attestation adds to a TLS handshake, the adapter to a call, and a session to memory. */
import { Client, credentials } from "@grpc/grpc-js";
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import path from "node:path";
import { connect as connectTls, createSecureContext } from "node:tls";
import { fileURLToPath } from "node:url";
import { UserService } from "../../src/gen/quorate/userapi/v1/user_pb.ts";
import { AttestedChannel } from "../../src/transport/attested-channel.ts";
import { attestToServer } from "../../src/transport/client-handshake.ts";
import { serviceClient } from "../../src/transport/grpc-client.ts";
import {
  generateTlsIdentity,
  type TlsIdentity,
  tlsOptions,
} from "../../src/transport/tls-identity.ts";
import type { BenchRow } from "./bench-row.ts";
import {
  freshProver,
  PATH,
  startAttested,
  startBareGrpc,
  startBareTls,
  verifier,
} from "./transport-rig.ts";

const HANDSHAKES = 300;
const CALLS = 4_000;
const CALLS_AT_ONCE = 32;
const CONNECTIONS = 400;
const ROUNDS = 5;

/** Rows of the transport; client and server share this process except where memory is measured. */
export async function bench(): Promise<BenchRow[]> {
  const identity = await generateTlsIdentity();
  const attested = await startAttested();
  const bareTls = await startBareTls(identity);
  const bareGrpc = await startBareGrpc(identity);
  try {
    return [
      await handshakes(identity, attested.port, bareTls.port),
      await calls(identity, attested.port, bareGrpc.port),
      await memory(),
    ];
  } finally {
    await attested.stop();
    bareTls.stop();
    await bareGrpc.stop();
  }
}

async function handshakes(identity: TlsIdentity, ours: number, bare: number): Promise<BenchRow> {
  const secureContext = createSecureContext(tlsOptions(identity));
  const attestation = { purpose: "mesh-session" as const, prover: freshProver, verifier };
  const attestedHandshake = async (): Promise<void> => {
    const tcp = connectTcp(ours, "127.0.0.1");
    await once(tcp, "connect");
    const { signal } = new AbortController();
    const { socket } = await attestToServer(tcp, identity, secureContext, attestation, signal);
    socket.destroy();
  };
  const bareHandshake = async (): Promise<void> => {
    const socket = connectTls({
      port: bare,
      host: "127.0.0.1",
      servername: "",
      secureContext,
      rejectUnauthorized: false,
    });
    await once(socket, "data");
    socket.destroy();
  };
  const [value, floor] = await bestOf(
    () => processorMicroseconds(HANDSHAKES, 1, attestedHandshake),
    () => processorMicroseconds(HANDSHAKES, 1, bareHandshake),
  );
  return {
    name: "attested handshake, both sides",
    value,
    unit: "µs",
    floor: { name: "mutual TLS", value: floor },
    note: "processor time; evidence itself not verified, HTTP/2 session included",
  };
}

async function calls(identity: TlsIdentity, ours: number, bare: number): Promise<BenchRow> {
  const channel = new AttestedChannel({
    address: `127.0.0.1:${ours}`,
    identity,
    purpose: "mesh-session",
    prover: freshProver,
    verifier,
  });
  const user = serviceClient(UserService, channel);
  const client = new Client(
    `127.0.0.1:${bare}`,
    credentials.createSsl(null, null, null, {
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    }),
    { "grpc.ssl_target_name_override": "localhost" },
  );
  const raw = (bytes: Buffer): Buffer => bytes;
  const bareCall = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(PATH, raw, raw, Buffer.alloc(0), (error, bytes) => {
        if (error === null) resolve(bytes);
        else reject(error);
      });
    });
  const adapterCall = (): Promise<unknown> => user.getStatus({});
  await Promise.all([adapterCall(), bareCall()]);
  const [value, floor] = await bestOf(
    () => processorMicroseconds(CALLS, CALLS_AT_ONCE, adapterCall),
    () => processorMicroseconds(CALLS, CALLS_AT_ONCE, bareCall),
  );
  channel.close();
  client.close();
  return {
    name: "unary call through the adapter, both sides",
    value,
    unit: "µs",
    floor: { name: "bare grpc-js", value: floor },
    note: `processor time, ${CALLS_AT_ONCE} at once`,
  };
}

async function memory(): Promise<BenchRow> {
  return {
    name: "memory of an idle attested connection, server side",
    value: await kibibytesEach("attested"),
    unit: "KiB",
    floor: { name: "bare grpc-js over TLS", value: await kibibytesEach("bare") },
    note: "resident memory; target 80",
  };
}

async function kibibytesEach(kind: string): Promise<number> {
  const script = `./transport-idle-server${path.extname(import.meta.filename)}`;
  // A young generation that grows with the work done would be counted as connections.
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), [kind, String(CONNECTIONS)], {
    execArgv: ["--max-semi-space-size=1"],
  });
  const [kibibytes] = (await once(child, "message")) as [number];
  await once(child, "exit");
  return kibibytes;
}

/** The lowest of several rounds of two measurements, taken in turns. */
async function bestOf(
  first: () => Promise<number>,
  second: () => Promise<number>,
): Promise<[number, number]> {
  let best: [number, number] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    best = [Math.min(best[0], await first()), Math.min(best[1], await second())];
  }
  return best;
}

/** Processor time of this process for each of `count` actions: steadier than the clock on a machine that others use. */
async function processorMicroseconds(
  count: number,
  atOnce: number,
  action: () => Promise<unknown>,
): Promise<number> {
  const before = process.cpuUsage();
  const lane = async (): Promise<void> => {
    for (let i = 0; i < count / atOnce; i++) await action();
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}
