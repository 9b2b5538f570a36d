/** Certificates without the network: what issuing and request checking cost beyond their one ECDSA operation. */
import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import type { Epoch, Generation } from "../../src/core/brand.ts";
import { utf8 } from "../../src/core/bytes.ts";
import { unwrap } from "../../src/core/result.ts";
import { parseEllipticSpki } from "../../src/crypto/elliptic-key.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import { SeedEngine } from "../../src/crypto/seed-engine.ts";
import { spkiOf } from "../../src/crypto/spki.ts";
import {
  createCertificateRequest,
  createRootCertificate,
  MeshCa,
  verifyCertificateRequest,
} from "../../src/pki/index.ts";
import type { BenchRow } from "./bench-row.ts";

const ROUNDS = 7;
const CALLS = 400;

/** Rows of the PKI: issuance, request verification and both together, each beside its bare cryptography. */
export async function bench(): Promise<BenchRow[]> {
  const now = Date.now();
  const engine = SeedEngine.generate();
  const mesh = {
    trustDomain: "mesh.example",
    lineage: engine.lineage,
    generation: 1 as Generation,
    epoch: 1 as Epoch,
  };
  const certificate = await createRootCertificate(mesh, engine.rootKey, now);
  const meshCa = await MeshCa.create(mesh, { certificate, privateKey: engine.rootKey }, now);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const elliptic = parseEllipticSpki(spkiOf(publicKey));
  if (elliptic === undefined) throw new Error("Node writes canonical keys");
  const request = await createCertificateRequest(privateKey);
  const identity = {
    spiffePath: "/ns/default/web",
    dnsNames: ["web", "web.default.svc"],
    ipAddresses: ["10.0.0.1"],
  };
  const evidenceDigest = sha256(utf8("evidence"));
  const issue = (key = elliptic) =>
    meshCa.issueLeaf({ publicKey: key, identity, evidenceDigest, now, lifetimeSeconds: 86_400 });

  const tbs = issue().certificate;
  const signature = sign("sha256", tbs, privateKey);
  const bareSign = (): Promise<unknown> => Promise.resolve(sign("sha256", tbs, privateKey));
  const bareVerify = (): Promise<unknown> =>
    Promise.resolve(verify("sha256", tbs, publicKey, signature));

  const jwk = publicKey.export({ format: "jwk" });
  const bareImport = (): Promise<unknown> =>
    Promise.resolve(createPublicKey({ format: "jwk", key: jwk }));

  const [issuance, signing, checking, verifying, both, bareBoth, importing] =
    await microsecondsPerCall([
      () => Promise.resolve(issue()),
      bareSign,
      () => verifyCertificateRequest(request),
      bareVerify,
      async () => issue(unwrap(await verifyCertificateRequest(request))),
      async () => {
        await bareVerify();
        await bareSign();
      },
      bareImport,
    ]);
  const note = `importing the request's key takes ${Math.round(importing ?? NaN)} µs of it`;
  return [
    row("leaf certificate issued", issuance, "bare ECDSA P-256 signature", signing),
    row("certificate request verified", checking, "bare ECDSA P-256 verification", verifying, note),
    row("request to certificate", both, "bare verification and signature", bareBoth, note),
  ];
}

function row(
  name: string,
  value = NaN,
  floorName: string,
  floor = NaN,
  note = "one at a time",
): BenchRow {
  const rounded = { name: floorName, value: Math.round(floor) };
  return { name, value: Math.round(value), unit: "µs", floor: rounded, note };
}

/** Medians over rounds in which the subjects take turns, so that a busy moment hits all of them. */
async function microsecondsPerCall(
  subjects: readonly (() => Promise<unknown>)[],
): Promise<number[]> {
  const samples = subjects.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, subject] of subjects.entries()) {
      const start = performance.now();
      for (let call = 0; call < CALLS; call++) await subject();
      samples[index]?.push(((performance.now() - start) * 1000) / CALLS);
    }
  }
  return samples.map((values) => values.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN);
}
