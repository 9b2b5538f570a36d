/** The main job from outside: a real coordinator process, real sessions, a file store. */
import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import { Workbench } from "../../src/cli/demo/workbench.ts";
import { createCertificateRequest } from "../../src/pki/index.ts";
import { generateTlsIdentity, tlsOptions } from "../../src/transport/tls-identity.ts";
import type { BenchRow } from "./bench-row.ts";
import { meshClient } from "./mesh-client.ts";

const CONNECTIONS = 60;

export async function bench(): Promise<BenchRow[]> {
  const folder = await mkdtemp(path.join(tmpdir(), "quorate-bench-"));
  // The coordinator is a process of its own (dist), as users run it.
  const bench = new Workbench(folder, new AbortController().signal, () => undefined);
  try {
    await bench.prepare(["web"], []);
    const { process, addresses } = await bench.startCoordinator({
      user: "127.0.0.1:0",
      mesh: "127.0.0.1:0",
    });
    try {
      await bench.approveAndSet("manifest.json", addresses, undefined);
      return await connections(bench, addresses.mesh);
    } finally {
      await process.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function connections(bench: Workbench, mesh: string): Promise<BenchRow[]> {
  const connect = await meshClient(bench.folder, mesh);
  const certificateRequest = await createCertificateRequest(
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  );
  const times: number[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const start = performance.now();
    const client = await connect();
    await client.mesh.newMeshCert({ certificateRequest });
    times.push(performance.now() - start);
    client.channel.close();
  }
  const floor = await cryptographicFloor();
  return [
    {
      name: "new attested connection and certificate (p50, both sides)",
      value: median(times),
      unit: "ms",
      floor: { name: "mutual TLS, quote, 2 P-384 + 2 P-256", value: floor },
    },
  ];
}

/** A bare mutual TLS handshake, and the signatures that attestation adds: two P-384 pairs of the evidence chain, two of P-256. */
export async function cryptographicFloor(): Promise<number> {
  const [server, client] = await Promise.all([generateTlsIdentity(), generateTlsIdentity()]);
  const listener = tls.createServer({
    ...tlsOptions(server),
    requestCert: true,
    rejectUnauthorized: false,
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  const times: number[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const start = performance.now();
    const socket = tls.connect({
      ...tlsOptions(client),
      host: "127.0.0.1",
      port,
      rejectUnauthorized: false,
    });
    await once(socket, "secureConnect");
    times.push(performance.now() - start);
    socket.destroy();
  }
  listener.close();
  const digest = createHash("sha512").update("report").digest();
  const pair = (curve: string, hash: string): number => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: curve });
    return time(50, () => void verify(hash, digest, publicKey, sign(hash, digest, privateKey)));
  };
  return median(times) + 2 * pair("P-384", "sha384") + 2 * pair("P-256", "sha256");
}

function time(rounds: number, run: () => void): number {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  }
  return median(times);
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}
