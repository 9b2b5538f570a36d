/** Makes the root CA's certificate: once for a lineage, then it is kept as a document. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { assert } from "../core/assert.ts";
import { toHex } from "../core/bytes.ts";
import { parseEllipticSpki } from "../crypto/elliptic-key.ts";
import { spkiOf } from "../crypto/spki.ts";
import { authorityName, type Lineage } from "./authority-name.ts";
import { CA_BACKDATE_MS, keyIdentifier, randomSerial, ROOT_LIFETIME_YEARS } from "./profile.ts";
import { signingKeyOf, x509 } from "./x509-library.ts";

const ROOT_PATH_LENGTH = 1;

/**
 * The root's self-signed certificate, DER: P-384, ten years from `now`, path length 1.
 *
 * @param rootKey private, from the seed engine. @param now milliseconds since the Unix epoch.
 */
export async function createRootCertificate(
  mesh: Lineage,
  rootKey: KeyObject,
  now: number,
): Promise<Uint8Array> {
  const { organization, commonName } = authorityName(mesh, "root CA");
  const name = [{ O: [organization] }, { CN: [commonName] }];
  const spki = spkiOf(createPublicKey(rootKey));
  const elliptic = parseEllipticSpki(spki);
  assert(elliptic?.curve === "P-384", "a root key is on P-384");
  const identifier = toHex(keyIdentifier(elliptic.point));
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + ROOT_LIFETIME_YEARS);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: toHex(randomSerial()),
    subject: name,
    issuer: name,
    notBefore: new Date(now - CA_BACKDATE_MS),
    notAfter: end,
    publicKey: new x509.PublicKey(spki),
    signingKey: await signingKeyOf(rootKey),
    signingAlgorithm: { name: "ECDSA", hash: "SHA-384" },
    extensions: [
      new x509.BasicConstraintsExtension(true, ROOT_PATH_LENGTH, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: `spiffe://${mesh.trustDomain}` },
      ]),
      new x509.SubjectKeyIdentifierExtension(identifier),
      new x509.AuthorityKeyIdentifierExtension(identifier),
    ],
  });
  return new Uint8Array(certificate.rawData);
}
