import { X509Certificate } from "node:crypto";
import { inspect } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { Epoch, Sha256 } from "../../../src/core/brand.ts";
import { toHex, utf8 } from "../../../src/core/bytes.ts";
import { unwrap } from "../../../src/core/result.ts";
import { type EllipticPublicKey, parseEllipticSpki } from "../../../src/crypto/elliptic-key.ts";
import { Secret } from "../../../src/crypto/secret.ts";
import { SeedEngine } from "../../../src/crypto/seed-engine.ts";
import { keyIdOf, spkiOf } from "../../../src/crypto/spki.ts";
import { parseCertificate } from "../../../src/crypto/x509-view.ts";
import { type AuthorityCertificates, verifyAuthorities } from "../../../src/pki/authorities.ts";
import { createRootCertificate } from "../../../src/pki/root-certificate.ts";
import { MeshCa } from "../../../src/pki/mesh-ca.ts";
import { OID } from "../../../src/pki/profile.ts";
import {
  createMesh,
  EVIDENCE_DIGEST,
  GENERATION,
  leafKey,
  type Mesh,
  NOW,
  TRUST_DOMAIN,
  WEB,
} from "./mesh-fixture.ts";

const DAY = 86_400;
const key = leafKey();
let mesh: Mesh;
let stranger: Mesh;

beforeAll(async () => {
  [mesh, stranger] = await Promise.all([createMesh(), createMesh()]);
});

function request(overrides: object = {}) {
  return {
    publicKey: key.elliptic,
    identity: WEB,
    evidenceDigest: EVIDENCE_DIGEST,
    now: NOW,
    lifetimeSeconds: DAY,
    ...overrides,
  };
}

function read(der: Uint8Array) {
  const result = parseCertificate(der);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

function node(der: Uint8Array): X509Certificate {
  return new X509Certificate(Buffer.from(der));
}

describe("the CA certificates", () => {
  it("follow the profile", () => {
    const { root, meshCa } = mesh.meshCa.certificates;
    const lineage = mesh.engine.lineage.slice(0, 8);
    expect(node(root).subject).toBe(`O=${TRUST_DOMAIN}\nCN=Quorate root CA ${lineage}`);
    const meshName = `O=${TRUST_DOMAIN}\nCN=Quorate mesh CA ${lineage} generation 3 epoch 2`;
    expect(node(meshCa.selfSigned).subject).toBe(meshName);
    expect(node(meshCa.intermediate).subject).toBe(meshName);
    for (const [der, pathLength, curve] of [
      [root, 1, "secp384r1"],
      [meshCa.selfSigned, 0, "prime256v1"],
      [meshCa.intermediate, 0, "prime256v1"],
    ] as const) {
      const view = read(der);
      expect(view).toMatchObject({ isAuthority: true, pathLength });
      expect(view.keyUsage).toEqual({ digitalSignature: false, keyCertSign: true, crlSign: false });
      expect(view.extensions.get(OID.basicConstraints)?.critical).toBe(true);
      expect(view.extensions.get(OID.keyUsage)?.critical).toBe(true);
      expect(node(der).publicKey.asymmetricKeyDetails?.namedCurve).toBe(curve);
      expect(node(der).subjectAltName).toBe(`URI:spiffe://${TRUST_DOMAIN}`);
      expect(view.notBefore).toBe(Date.parse("2026-03-04T04:06:07Z"));
      expect(view.notAfter).toBe(Date.parse("2036-03-04T05:06:07Z"));
      expect(view.serial.startsWith("-")).toBe(false);
    }
    expect(keyIdOf(node(root).publicKey)).toBe(keyIdOf(mesh.engine.rootKey));
    expect(keyIdOf(node(meshCa.selfSigned).publicKey)).toBe(mesh.meshCa.keyId);
  });

  it("are signed as node:crypto verifies them", () => {
    const { root, meshCa } = mesh.meshCa.certificates;
    expect(node(root).verify(node(root).publicKey)).toBe(true);
    expect(node(meshCa.intermediate).verify(node(root).publicKey)).toBe(true);
    expect(node(meshCa.intermediate).checkIssued(node(root))).toBe(true);
    expect(node(meshCa.selfSigned).verify(node(meshCa.selfSigned).publicKey)).toBe(true);
    expect(node(meshCa.selfSigned).verify(node(root).publicKey)).toBe(false);
  });

  it("carry a shortened organization but the whole id for a long trust domain", async () => {
    const trustDomain = `${"a".repeat(60)}.${"b".repeat(60)}`;
    const { engine } = mesh;
    const mine = { trustDomain, lineage: engine.lineage };
    const root = node(await createRootCertificate(mine, engine.rootKey, NOW));
    expect(root.subject).toContain(`O=${trustDomain.slice(0, 64)}\n`);
    expect(root.subjectAltName).toBe(`URI:spiffe://${trustDomain}`);
  });

  it("outlive 2049, when the form of times changes", async () => {
    const late = await createMesh(Date.parse("2045-06-01T00:00:00Z"));
    expect(read(late.root).notAfter).toBe(Date.parse("2055-06-01T00:00:00Z"));
    const leaf = late.meshCa.issueLeaf(request({ now: Date.parse("2052-01-01T00:00:00Z") }));
    expect(node(leaf.certificate).validTo).toBe("Jan  2 00:00:00 2052 GMT");
  });

  it("have a key that nobody can derive from the seed", async () => {
    const exported = mesh.engine.exportSeedAndSalt();
    const again = exported.use((bytes) => new SeedEngine(Secret.take(bytes.slice())));
    const numbers = { generation: GENERATION, epoch: 2 as Epoch };
    const second = await MeshCa.create(
      { trustDomain: TRUST_DOMAIN, lineage: again.lineage, ...numbers },
      { certificate: mesh.root, privateKey: again.rootKey },
      NOW,
    );
    expect(again.lineage).toBe(mesh.engine.lineage);
    expect(second.keyId).not.toBe(mesh.meshCa.keyId);
  });
});

describe("a leaf", () => {
  it("follows the profile", () => {
    for (const publicKey of [key.elliptic, leafKey("P-384").elliptic]) {
      const leaf = mesh.meshCa.issueLeaf(request({ publicKey }));
      const view = read(leaf.certificate);
      const parsed = node(leaf.certificate);
      expect(parsed.subject).toBe(undefined);
      expect(toHex(view.issuer.encoded)).toBe(
        toHex(read(mesh.meshCa.certificates.meshCa.intermediate).subject.encoded),
      );
      expect(parsed.subjectAltName).toBe(
        `URI:spiffe://${TRUST_DOMAIN}/ns/default/web, DNS:web, DNS:web.default.svc, ` +
          "IP Address:127.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1",
      );
      expect(parsed.ca).toBe(false);
      expect(parsed.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
      expect(view.keyUsage).toEqual({ digitalSignature: true, keyCertSign: false, crlSign: false });
      const critical = [...view.extensions.values()].filter((extension) => extension.critical);
      expect(critical.map(({ oid }) => oid)).toEqual([
        OID.basicConstraints,
        OID.keyUsage,
        OID.subjectAltName,
      ]);
      expect(toHex(view.extensions.get(OID.generation)!.value)).toBe("020103");
      expect(toHex(view.extensions.get(OID.evidenceDigest)!.value)).toBe(`0420${EVIDENCE_DIGEST}`);
      expect(view.spki).toEqual(publicKey.spki);
      expect(parsed.verify(node(mesh.meshCa.certificates.meshCa.selfSigned).publicKey)).toBe(true);
      expect(parsed.serialNumber).toBe(leaf.serial);
    }
  });

  it("starts five minutes back, in whole seconds, and ends with its lifetime", () => {
    const leaf = mesh.meshCa.issueLeaf(request({ lifetimeSeconds: 600 }));
    expect(leaf.notBefore).toBe(Date.parse("2026-03-04T05:01:07Z"));
    expect(leaf.notAfter).toBe(Date.parse("2026-03-04T05:16:07Z"));
    const view = read(leaf.certificate);
    expect([view.notBefore, view.notAfter]).toEqual([leaf.notBefore, leaf.notAfter]);
  });

  it("never starts before its CA or ends after it", () => {
    const start = Date.parse("2026-03-04T04:06:07Z");
    const early = mesh.meshCa.issueLeaf(request({ now: start }));
    expect(early.notBefore).toBe(start);
    const end = Date.parse("2036-03-04T05:06:07Z");
    const late = mesh.meshCa.issueLeaf(request({ now: end - 1 }));
    expect(late.notAfter).toBe(end);
    for (const now of [start - 1, end]) {
      const issue = () => mesh.meshCa.issueLeaf(request({ now }));
      expect(issue).toThrow(expect.objectContaining({ code: "unavailable" }));
    }
  });

  it("has a serial of 128 random bits, positive, that doesn't repeat", () => {
    const leaves = Array.from({ length: 200 }, () => mesh.meshCa.issueLeaf(request()));
    const serials = leaves.map(({ serial }) => serial);
    expect(new Set(serials).size).toBe(serials.length);
    expect(serials.every((serial) => /^[0-9A-F]{24,32}$/.test(serial))).toBe(true);
    const contents = leaves.map(({ certificate }) => read(certificate).serial);
    expect(contents.every((content) => Number.parseInt(content.slice(0, 2), 16) < 0x80)).toBe(true);
    // About half begin with a set bit and need DER's leading zero: both forms occurred.
    expect(new Set(contents.map((content) => content.length)).size).toBeGreaterThan(1);
  });

  it("is never issued for names that the manifest's parser would have refused", () => {
    for (const identity of [
      { ...WEB, ipAddresses: ["127.0.0.256"] },
      { ...WEB, dnsNames: ["wéb"] },
    ]) {
      expect(() => mesh.meshCa.issueLeaf(request({ identity }))).toThrow("invariant");
    }
  });
});

describe("a mesh CA in another coordinator", () => {
  function parts(overrides: object = {}) {
    return {
      privateKey: mesh.meshCa.exportPrivateKey(),
      certificates: mesh.meshCa.certificates,
      rootCaKey: keyIdOf(mesh.engine.rootKey),
      meshCaKey: mesh.meshCa.keyId,
      ...overrides,
    };
  }
  const numbers = { trustDomain: TRUST_DOMAIN, generation: GENERATION };

  it("issues under the same key with byte-identical certificates", async () => {
    const loaded = unwrap(await MeshCa.load(numbers, parts()));
    expect(loaded.keyId).toBe(mesh.meshCa.keyId);
    expect(loaded.certificates).toEqual(mesh.meshCa.certificates);
    const leaf = node(loaded.issueLeaf(request()).certificate);
    expect(leaf.verify(node(mesh.meshCa.certificates.meshCa.selfSigned).publicKey)).toBe(true);
    expect(leaf.issuer).toBe(node(mesh.meshCa.certificates.meshCa.intermediate).subject);
  });

  it("is refused with a key or certificates that are not the record's", async () => {
    const own = mesh.meshCa.certificates;
    const other = stranger.meshCa.certificates;
    const { selfSigned, intermediate } = own.meshCa;
    const damaged = intermediate.slice();
    damaged[damaged.length - 1]! ^= 1;
    const wrong: object[] = [
      { privateKey: stranger.meshCa.exportPrivateKey() },
      { privateKey: Secret.take(utf8("not a key")) },
      { meshCaKey: stranger.meshCa.keyId },
      { rootCaKey: keyIdOf(stranger.engine.rootKey) },
      { certificates: other },
      { certificates: { ...own, root: other.root } },
      { certificates: { ...own, meshCa: { selfSigned, intermediate: damaged } } },
      { certificates: { ...own, meshCa: { selfSigned: intermediate, intermediate: selfSigned } } },
      { certificates: { ...own, meshCa: { selfSigned, intermediate: selfSigned } } },
      { certificates: { ...own, meshCa: { selfSigned: utf8("x"), intermediate } } },
    ];
    for (const overrides of wrong) {
      const result = await MeshCa.load(numbers, parts(overrides));
      expect(!result.ok && result.error.code).toBe("verification-failed");
    }
  });

  it("shows nothing of its key when printed", () => {
    const pkcs8 = mesh.meshCa.exportPrivateKey().use((bytes) => Buffer.from(bytes));
    const printed = inspect(mesh.meshCa, { depth: 10, showHidden: true }) + JSON.stringify(mesh);
    expect(printed).not.toContain(pkcs8.toString("base64").slice(60, 80));
    expect(printed).not.toContain(pkcs8.toString("hex").slice(80, 100));
    expect(printed).not.toContain([...pkcs8.subarray(40, 50)].join(","));
  });
});

describe("verifyAuthorities", () => {
  it("says what is wrong: keys, profile, names or signatures", async () => {
    const keys = {
      rootCaKey: keyIdOf(mesh.engine.rootKey),
      meshCaKey: mesh.meshCa.keyId,
    };
    const { root, meshCa } = mesh.meshCa.certificates;
    // A leaf for the mesh CA's own key: right key, wrong profile.
    const leaf = stranger.meshCa.issueLeaf(
      request({ publicKey: publicKeyIn(mesh.meshCa.certificates.meshCa.selfSigned) }),
    );
    const renamed = await createRootCertificate(
      { trustDomain: "other.example", lineage: mesh.engine.lineage },
      mesh.engine.rootKey,
      NOW,
    );
    const flipped = root.slice();
    flipped[flipped.length - 1]! ^= 1;
    const cases: [AuthorityCertificates, string][] = [
      [{ root: utf8("?"), meshCa }, "can't be read"],
      [{ root: stranger.root, meshCa }, "other keys"],
      [{ root, meshCa: stranger.meshCa.certificates.meshCa }, "other keys"],
      [{ root, meshCa: { ...meshCa, intermediate: leaf.certificate } }, "profile"],
      [{ root: renamed, meshCa }, "issuers"],
      [{ root: flipped, meshCa }, "signature"],
    ];
    for (const [certificates, reason] of cases) {
      const result = await verifyAuthorities(certificates, keys);
      expect(result.ok ? "ok" : result.error.message).toContain(reason);
    }
    expect((await verifyAuthorities(mesh.meshCa.certificates, keys)).ok).toBe(true);
    const zero = { ...keys, meshCaKey: "00".repeat(32) as Sha256 };
    expect((await verifyAuthorities(mesh.meshCa.certificates, zero)).ok).toBe(false);
  });
});

function publicKeyIn(certificate: Uint8Array): EllipticPublicKey {
  return parseEllipticSpki(spkiOf(node(certificate).publicKey))!;
}
