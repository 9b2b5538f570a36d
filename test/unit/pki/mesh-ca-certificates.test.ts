import { generateKeyPairSync, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Epoch, Generation } from "../../../src/core/brand.ts";
import { toHex } from "../../../src/core/bytes.ts";
import { parseEllipticSpki } from "../../../src/crypto/elliptic-key.ts";
import { SeedEngine } from "../../../src/crypto/seed-engine.ts";
import { parseCertificate } from "../../../src/crypto/x509-view.ts";
import { spkiOf } from "../../../src/crypto/spki.ts";
import { createMeshCaCertificates } from "../../../src/pki/mesh-ca-certificates.ts";
import { keyIdentifier } from "../../../src/pki/profile.ts";
import { createRootCertificate } from "../../../src/pki/root-certificate.ts";
import { signingKeyOf, x509 } from "../../../src/pki/x509-library.ts";
import { failureOf } from "../../fixtures/mesh.ts";

const engine = SeedEngine.generate();
const { privateKey: meshKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const fields = fc.record({
  trustDomain: fc.stringMatching(/^[a-z0-9]([a-z0-9-_.]{0,80}[a-z0-9])?$/),
  generation: fc.integer({ min: 1, max: 2 ** 45 }).map((value) => value as Generation),
  epoch: fc.integer({ min: 1, max: 2 ** 45 }).map((value) => value as Epoch),
  now: fc.integer({ min: Date.UTC(2020), max: Date.UTC(2055) }),
});

const identifierOf = (key: KeyObject): string =>
  toHex(keyIdentifier(parseEllipticSpki(spkiOf(key))!.point));

/** What the signature of a certificate covers. */
function signedPart(der: Uint8Array): string {
  const read = parseCertificate(der);
  if (!read.ok) throw new Error(read.error.message);
  return toHex(read.value.tbs);
}

describe("A mesh CA's certificates", () => {
  it("are byte for byte what the general library writes for the same inputs", async () => {
    await fc.assert(
      fc.asyncProperty(fields, async ({ now, ...numbers }) => {
        const mesh = { ...numbers, lineage: engine.lineage };
        const root = await createRootCertificate(mesh, engine.rootKey, now);
        const both = await createMeshCaCertificates(
          mesh,
          { certificate: root, privateKey: engine.rootKey },
          meshKey,
          now,
        );
        const rootName = new x509.X509Certificate(root).subjectName.toJSON();
        for (const [der, issuer, issuerKey, hash] of [
          [both.selfSigned, undefined, meshKey, "SHA-256"],
          [both.intermediate, rootName, engine.rootKey, "SHA-384"],
        ] as const) {
          const ours = new x509.X509Certificate(der);
          const subject = [
            { O: [mesh.trustDomain.slice(0, 64)] },
            {
              CN: [
                `Quorate mesh CA ${mesh.lineage.slice(0, 8)} generation ${mesh.generation} epoch ${mesh.epoch}`,
              ],
            },
          ];
          const theirs = await x509.X509CertificateGenerator.create({
            serialNumber: ours.serialNumber,
            subject,
            issuer: issuer ?? subject,
            notBefore: new Date(now - 3_600_000),
            notAfter: new x509.X509Certificate(root).notAfter,
            publicKey: new x509.PublicKey(spkiOf(publicKey)),
            signingKey: await signingKeyOf(issuerKey),
            signingAlgorithm: { name: "ECDSA", hash },
            extensions: [
              new x509.BasicConstraintsExtension(true, 0, true),
              new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
              new x509.SubjectAlternativeNameExtension([
                { type: "url", value: `spiffe://${mesh.trustDomain}` },
              ]),
              new x509.SubjectKeyIdentifierExtension(identifierOf(publicKey)),
              new x509.AuthorityKeyIdentifierExtension(identifierOf(issuerKey)),
            ],
          });
          expect(signedPart(der)).toBe(signedPart(new Uint8Array(theirs.rawData)));
          const signer = new x509.PublicKey(spkiOf(issuerKey));
          expect(await ours.verify({ publicKey: signer, signatureOnly: true })).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("are refused over a root certificate that can't be read", async () => {
    const mesh = {
      trustDomain: "mesh.example",
      lineage: engine.lineage,
      generation: 1 as Generation,
      epoch: 1 as Epoch,
    };
    const root = { certificate: new Uint8Array([0x30, 0x00]), privateKey: engine.rootKey };
    const error = await failureOf(createMeshCaCertificates(mesh, root, meshKey, Date.now()));
    expect(error.code).toBe("verification-failed");
  });
});
