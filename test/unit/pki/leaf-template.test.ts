import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Generation, Sha256 } from "../../../src/core/brand.ts";
import { fromHex, toHex } from "../../../src/core/bytes.ts";
import { parseCertificate } from "../../../src/crypto/x509-view.ts";
import { derInteger, derOctetString } from "../../../src/crypto/der-writer.ts";
import { LeafTemplate } from "../../../src/pki/leaf-template.ts";
import { keyIdentifier, OID, serialText } from "../../../src/pki/profile.ts";
import type { LeafIdentity } from "../../../src/pki/subject-alt-name.ts";
import { signingKeyOf, x509 } from "../../../src/pki/x509-library.ts";
import { createMesh, leafKey, type Mesh, TRUST_DOMAIN } from "./mesh-fixture.ts";

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/);
const dnsName = fc
  .tuple(fc.boolean(), fc.array(label, { minLength: 1, maxLength: 4 }))
  .map(([wildcard, labels]) => (wildcard ? "*." : "") + labels.join("."));
const identity: fc.Arbitrary<LeafIdentity> = fc.record({
  spiffePath: fc
    .array(fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/), { minLength: 1, maxLength: 5 })
    .map((segments) => `/${segments.join("/")}`),
  dnsNames: fc.array(dnsName, { maxLength: 6 }),
  ipAddresses: fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 4 }),
});
const leafFields = fc.record({
  identity,
  serial: fc.uint8Array({ minLength: 16, maxLength: 16 }).filter((bytes) => bytes.some(Boolean)),
  notBefore: fc.integer({ min: Date.UTC(1990), max: Date.UTC(2060) }),
  lifetimeMs: fc.integer({ min: 300_000, max: 7 * 86_400_000 }),
  generation: fc.integer({ min: 1, max: 2 ** 45 }).map((number) => number as Generation),
  digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => toHex(bytes) as Sha256),
  curve: fc.constantFrom("P-256" as const, "P-384" as const),
});

const keys = { "P-256": leafKey("P-256").elliptic, "P-384": leafKey("P-384").elliptic };
let mesh: Mesh;

/** The library misreads IPv6 addresses with an IPv4 tail; the URL parser writes them in groups. */
function withoutIpv4Tail(address: string): string {
  if (!address.includes(":")) return address;
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

beforeAll(async () => {
  mesh = await createMesh();
});

describe("the leaf template", () => {
  it("writes byte for byte what the general library writes for the same inputs", async () => {
    const signer = leafKey();
    const signingKey = await signingKeyOf(signer.privateKey);
    const { intermediate } = mesh.meshCa.certificates.meshCa;
    const issuer = new x509.X509Certificate(intermediate).subjectName.toJSON();
    const view = parseCertificate(intermediate);
    if (!view.ok) throw new Error(view.error.message);
    const authorityKeyIdentifier = keyIdentifier(view.value.spki.subarray(-65));

    await fc.assert(
      fc.asyncProperty(leafFields, async (fields) => {
        const publicKey = keys[fields.curve];
        const notAfter = fields.notBefore + fields.lifetimeMs;
        const template = new LeafTemplate({
          trustDomain: TRUST_DOMAIN,
          generation: fields.generation,
          name: view.value.subject.encoded,
          keyIdentifier: authorityKeyIdentifier,
        });
        const ours = template.toBeSigned({
          serial: fields.serial,
          notBefore: fields.notBefore,
          notAfter,
          publicKey,
          identity: fields.identity,
          evidenceDigest: fields.digest,
        });
        const theirs = await x509.X509CertificateGenerator.create({
          serialNumber: toHex(fields.serial),
          subject: "",
          issuer,
          notBefore: new Date(Math.floor(fields.notBefore / 1000) * 1000),
          notAfter: new Date(Math.floor(notAfter / 1000) * 1000),
          publicKey: new x509.PublicKey(publicKey.spki),
          signingKey,
          signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
          extensions: [
            new x509.BasicConstraintsExtension(false, undefined, true),
            new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
            new x509.ExtendedKeyUsageExtension([
              x509.ExtendedKeyUsage.serverAuth,
              x509.ExtendedKeyUsage.clientAuth,
            ]),
            new x509.SubjectAlternativeNameExtension(
              [
                {
                  type: "url" as const,
                  value: `spiffe://${TRUST_DOMAIN}${fields.identity.spiffePath}`,
                },
                ...fields.identity.dnsNames.map((value) => ({ type: "dns" as const, value })),
                ...fields.identity.ipAddresses.map((value) => ({
                  type: "ip" as const,
                  value: withoutIpv4Tail(value),
                })),
              ],
              true,
            ),
            new x509.SubjectKeyIdentifierExtension(toHex(keyIdentifier(publicKey.point))),
            new x509.AuthorityKeyIdentifierExtension(toHex(authorityKeyIdentifier)),
            new x509.Extension(OID.generation, false, derInteger(fields.generation)),
            new x509.Extension(OID.evidenceDigest, false, derOctetString(fromHex(fields.digest)!)),
          ],
        });
        const read = parseCertificate(new Uint8Array(theirs.rawData));
        if (!read.ok) throw new Error(read.error.message);
        expect(toHex(ours)).toBe(toHex(read.value.tbs));
      }),
      { numRuns: 150 },
    );
  });

  it("writes serials that are positive, and named as node:crypto names them", async () => {
    for (const first of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
      const serial = Uint8Array.of(first, 0x0a, ...new Uint8Array(14).fill(9));
      const signer = leafKey();
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: toHex(serial),
        publicKey: new x509.PublicKey(signer.elliptic.spki),
        signingKey: await signingKeyOf(signer.privateKey),
        signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      });
      const named = new X509Certificate(Buffer.from(certificate.rawData)).serialNumber;
      expect(named.startsWith("-")).toBe(false);
      expect(serialText(serial)).toBe(named);
    }
  });
});
