import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { certificatesPem } from "../../../src/pki/pem.ts";
import type { LeafIdentity } from "../../../src/pki/subject-alt-name.ts";
import { createMesh, EVIDENCE_DIGEST, leafKey, type Mesh, WEB } from "./mesh-fixture.ts";
import { verifySvid } from "./spiffe-verifier.ts";

const DATABASE: LeafIdentity = { spiffePath: "/ns/default/db", dnsNames: [], ipAddresses: [] };

interface Credentials {
  readonly key: string;
  /** Leaf and intermediate. */
  readonly chain: readonly Uint8Array[];
}

// TLS checks dates against the machine's clock.
const now = Date.now();
let mesh: Mesh;
let next: Mesh;
let folder: string;

beforeAll(async () => {
  [mesh, next] = await Promise.all([createMesh(now), createMesh(now)]);
  folder = mkdtempSync(join(tmpdir(), "quorate-chain-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function issue(
  from: Mesh,
  identity: LeafIdentity,
  curve: "P-256" | "P-384" = "P-256",
): Credentials {
  const { privateKey, elliptic } = leafKey(curve);
  const leaf = from.meshCa.issueLeaf({
    publicKey: elliptic,
    identity,
    evidenceDigest: EVIDENCE_DIGEST,
    now,
    lifetimeSeconds: 3600,
  });
  return {
    key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    chain: [leaf.certificate, from.meshCa.certificates.meshCa.intermediate],
  };
}

function file(name: string, ...certificates: readonly Uint8Array[]): string {
  const path = join(folder, name);
  writeFileSync(path, certificatesPem(...certificates));
  return path;
}

function opensslVerify(...options: string[]): string {
  try {
    return execFileSync("openssl", ["verify", "-x509_strict", ...options], {
      encoding: "utf8",
      stdio: "pipe",
    });
  } catch (error) {
    return String((error as { stderr: unknown }).stderr);
  }
}

describe("openssl verify, in its strict mode", () => {
  it.each(["P-256", "P-384"] as const)(
    "accepts a %s leaf under the root and under the mesh CA",
    (curve) => {
      const { chain } = issue(mesh, WEB, curve);
      const leaf = file("leaf.pem", chain[0]!);
      const { root, meshCa } = mesh.meshCa.certificates;
      const intermediate = file("intermediate.pem", meshCa.intermediate);
      const pinRoot = file("root.pem", root);
      const pinMesh = file("mesh.pem", meshCa.selfSigned);
      for (const purpose of ["sslserver", "sslclient"]) {
        const common = ["-purpose", purpose, "-no-CApath", "-no-CAstore"];
        for (const options of [
          ["-CAfile", pinRoot, "-untrusted", intermediate],
          ["-CAfile", pinMesh],
          ["-CAfile", pinMesh, "-untrusted", intermediate],
        ]) {
          expect(opensslVerify(...common, ...options, leaf)).toBe(`${leaf}: OK\n`);
        }
      }
      for (const [name, kind] of [
        ["web.default.svc", "-verify_hostname"],
        ["127.0.0.1", "-verify_ip"],
        ["2001:db8::1", "-verify_ip"],
      ] as const) {
        expect(opensslVerify("-CAfile", pinMesh, kind, name, leaf)).toContain("OK");
      }
      expect(opensslVerify("-CAfile", pinMesh, "-verify_hostname", "other", leaf)).toContain(
        "mismatch",
      );
    },
  );

  it("refuses the leaf of one mesh CA under another", () => {
    const { chain } = issue(next, WEB);
    const leaf = file("other-leaf.pem", chain[0]!);
    const pinMesh = file("mesh.pem", mesh.meshCa.certificates.meshCa.selfSigned);
    expect(opensslVerify("-CAfile", pinMesh, leaf)).toContain("unable to get local issuer");
  });

  it("refuses a leaf that acts as a CA", () => {
    const { chain } = issue(mesh, WEB);
    const below = issue(mesh, DATABASE);
    const leaf = file("below.pem", below.chain[0]!);
    const pin = file("leaf-as-ca.pem", chain[0]!);
    expect(opensslVerify("-CAfile", pin, leaf)).not.toContain("OK");
  });
});

describe("a SPIFFE verifier", () => {
  it("finds no fault with chain and bundle", async () => {
    const { root, meshCa } = mesh.meshCa.certificates;
    for (const identity of [WEB, DATABASE]) {
      const { chain } = issue(mesh, identity);
      for (const bundle of [[root], [meshCa.selfSigned], [root, meshCa.selfSigned]]) {
        expect(await verifySvid(chain, bundle, now)).toEqual({
          id: `spiffe://mesh.example${identity.spiffePath}`,
          faults: [],
        });
      }
    }
  });

  it("finds faults where there are some", async () => {
    const { chain } = issue(mesh, WEB);
    const { root, meshCa } = mesh.meshCa.certificates;
    const faultsOf = async (...input: Parameters<typeof verifySvid>) =>
      (await verifySvid(...input)).faults;
    expect(await faultsOf(chain, [next.root], now)).toEqual(["5: no path to the bundle"]);
    expect(await faultsOf([chain[0]!], [root], now)).toEqual(["5: no path to the bundle"]);
    expect(await faultsOf(chain, [root], now + 7_200_000)).toEqual(["5: no path to the bundle"]);
    expect(await faultsOf([meshCa.intermediate], [root], now)).toContain("4.1: leaf is CA");
  });
});

interface Handshake {
  readonly client: string;
  readonly server: string;
}

/** Both sides present a certificate and verify the other's; what each of them concludes. */
async function handshake(
  server: Credentials,
  client: Credentials,
  pinned: Uint8Array,
): Promise<Handshake> {
  const ca = certificatesPem(pinned);
  const listener = createServer({
    key: server.key,
    cert: certificatesPem(...server.chain),
    ca,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const accepted = once(listener, "secureConnection");
  const socket = connect({
    port: (listener.address() as AddressInfo).port,
    host: "127.0.0.1",
    servername: "web",
    key: client.key,
    cert: certificatesPem(...client.chain),
    ca,
    rejectUnauthorized: false,
  });
  try {
    await once(socket, "secureConnect");
    const [peer] = (await accepted) as [TLSSocket];
    return { client: verdict(socket), server: verdict(peer) };
  } finally {
    socket.destroy();
    listener.close();
  }
}

function verdict(socket: TLSSocket): string {
  return socket.authorized ? "authorized" : String(socket.authorizationError);
}

describe("a mutual TLS handshake", () => {
  it("succeeds for verifiers that pin the root, and for those that pin the mesh CA", async () => {
    const [web, database] = [issue(mesh, WEB), issue(mesh, DATABASE, "P-384")];
    const { root, meshCa } = mesh.meshCa.certificates;
    for (const pinned of [root, meshCa.selfSigned]) {
      expect(await handshake(web, database, pinned)).toEqual({
        client: "authorized",
        server: "authorized",
      });
    }
  });

  it("fails between meshes", async () => {
    const [web, other] = [issue(mesh, WEB), issue(next, DATABASE)];
    const result = await handshake(web, other, mesh.root);
    expect(result.client).toBe("authorized");
    expect(result.server).not.toBe("authorized");
  });
});
