/** The main job from outside: a real coordinator process, real sessions, a file store. */
import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import {
  DevelopmentQuoter,
  developmentMeasurement,
  loadDevelopmentVendor,
  NO_COLLATERAL,
} from "../../src/attestation/index.ts";
import { Appraiser } from "../../src/attestation/index.ts";
import { Workbench } from "../../src/cli/demo/workbench.ts";
import { parseAddress } from "../../src/config/address.ts";
import { parsePolicyDocument } from "../../src/core/policy-document/policy-document.ts";
import { unwrap } from "../../src/core/result.ts";
import { parseOwnerKey, sha256 } from "../../src/crypto/index.ts";
import { MeshService } from "../../src/gen/quorate/meshapi/v1/mesh_pb.ts";
import { createCertificateRequest } from "../../src/pki/index.ts";
import { coordinatorVerifier } from "../../src/sidecar/coordinator-verifier.ts";
import { AttestedChannel } from "../../src/transport/attested-channel.ts";
import { serviceClient } from "../../src/transport/grpc-client.ts";
import { freshQuoteProver, proofVerifier } from "../../src/transport/proof.ts";
import { generateTlsIdentity, tlsOptions } from "../../src/transport/tls-identity.ts";
import type { BenchRow } from "./bench-row.ts";

const RENEWALS = 4_000;
const CONNECTIONS = 60;
const WAITING = 32;

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
      return [
        ...(await connections(bench, addresses.mesh)),
        ...(await renewals(bench, addresses.mesh)),
      ];
    } finally {
      await process.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function open(bench: Workbench, mesh: string) {
  const policy = await readFile(path.join(bench.folder, "web.policy.json"));
  const pins = unwrap(parsed(policy)).coordinator;
  if (pins === undefined) throw new Error("the policy has pins");
  const vendor = await loadDevelopmentVendor(path.join(bench.folder, "platform"));
  const quoter = new DevelopmentQuoter(vendor, {
    measurement: developmentMeasurement("web"),
    policyHash: sha256(policy),
  });
  const evidence = coordinatorVerifier({
    pins,
    appraiser: new Appraiser(),
    collateral: () => Promise.resolve(NO_COLLATERAL),
    allowDevelopment: true,
    now: Date.now,
  });
  const address = parseAddress(mesh, { host: "127.0.0.1", port: 0 });
  return async () => {
    const channel = new AttestedChannel({
      address: `${address.host}:${address.port}`,
      identity: await generateTlsIdentity(),
      purpose: "mesh-session",
      prover: freshQuoteProver({
        quote: (reportData, signal) => quoter.quote(reportData, { signal }),
      }),
      verifier: proofVerifier({ accept: ["instance"], evidence }),
    });
    return { channel, mesh: serviceClient(MeshService, channel) };
  };
}

function parsed(policy: Uint8Array) {
  const result = parsePolicyDocument(policy, parseOwnerKey);
  return result.ok
    ? result
    : { ok: false as const, error: new Error("the policy document is not valid") };
}

async function connections(bench: Workbench, mesh: string): Promise<BenchRow[]> {
  const connect = await open(bench, mesh);
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

async function renewals(bench: Workbench, mesh: string): Promise<BenchRow[]> {
  const client = await (await open(bench, mesh))();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const certificateRequest = await createCertificateRequest(privateKey);
  const renew = () => client.mesh.newMeshCert({ certificateRequest });
  await Promise.all(Array.from({ length: 500 }, renew));
  let left = RENEWALS;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: WAITING }, async () => {
      while (left-- > 0) await renew();
    }),
  );
  const perSecond = (RENEWALS / (performance.now() - start)) * 1000;
  client.channel.close();
  // What the server must compute for one: verify the request, sign the leaf.
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const message = Buffer.alloc(500);
  const signature = sign("sha256", message, keys.privateKey);
  const once = time(300, () => {
    verify("sha256", message, keys.publicKey, signature);
    sign("sha256", message, keys.privateKey);
  });
  return [
    {
      name: "renewals on a live session (client and server, 2 cores)",
      value: perSecond,
      unit: "/s",
      floor: { name: "one verify and one sign a core", value: 1000 / once },
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
