/** Evidence whose leaf is signed with ECDSA by an intermediate on P-384: another vendor's form. */
import { sign } from "node:crypto";
import { derBitString, derOid, derSequence } from "../../../src/crypto/der-writer.ts";
import { parseDer } from "../../../src/crypto/der.ts";
import { encodeCertificateTable } from "../../../src/attestation/snp/certificate-table.ts";
import { type KeyPair, type MadeEvidence, type VendorKeys, makeEvidence } from "./snp-vendor.ts";

/** Right but for the leaf's signature algorithm and the key type that it needs. */
export async function makeEcdsaLeaf(keys: VendorKeys, issuer: KeyPair): Promise<MadeEvidence> {
  const made = await makeEvidence(keys, { ask: { publicKey: issuer.publicKey } });
  const algorithm = derSequence(derOid("1.2.840.10045.4.3.3"));
  const fields = parseDer(made.leaf, (der) =>
    der.inside((certificate) => {
      const elements = certificate.inside((tbs) => tbs.list((item) => item.any().encoded, 16));
      certificate.any();
      certificate.any();
      return elements;
    }),
  );
  if (!fields.ok) throw new Error(fields.error.message);
  const [version, serial, , ...rest] = fields.value;
  const tbs = derSequence(version!, serial!, algorithm, ...rest);
  const signature = sign("sha384", tbs, issuer.privateKey);
  const leaf = derSequence(tbs, algorithm, derBitString(signature));
  const certificates = encodeCertificateTable([
    { kind: "ark", data: made.ark },
    { kind: "ask", data: made.ask },
    { kind: "vcek", data: leaf },
  ]);
  return { ...made, leaf, evidence: { ...made.evidence, certificates } };
}
