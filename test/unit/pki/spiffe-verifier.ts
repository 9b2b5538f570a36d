/**
 * The rules of the SPIFFE X509-SVID standard (sections 2 to 5) as a second, independent reader sees them: over the
 * general X.509 library, not over the project's own DER. Returns every rule that is broken.
 */
import { X509Certificate } from "node:crypto";
import { x509 } from "../../../src/pki/x509-library.ts";

export interface SpiffeVerdict {
  readonly id: string | undefined;
  readonly faults: readonly string[];
}

const ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)*)$/;

/** @param chain leaf first, DER. @param bundle the trust domain's CA certificates, DER. */
export async function verifySvid(
  chain: readonly Uint8Array[],
  bundle: readonly Uint8Array[],
  now: number,
): Promise<SpiffeVerdict> {
  const faults: string[] = [];
  const [leaf, ...intermediates] = chain.map((der) => new x509.X509Certificate(der));
  const roots = bundle.map((der) => new x509.X509Certificate(der));
  if (leaf === undefined) return { id: undefined, faults: ["no leaf"] };

  const id = uriOf(leaf, faults);
  const [, trustDomain, path] = ID.exec(id ?? "") ?? [];
  if (trustDomain === undefined) faults.push(`2: '${String(id)}' is not a SPIFFE id`);
  if (path === "") faults.push("4.1: a leaf's id has a path");
  if (leaf.getExtension(x509.BasicConstraintsExtension)?.ca === true)
    faults.push("4.1: leaf is CA");
  const usages = leaf.getExtension(x509.KeyUsagesExtension);
  if (usages?.critical !== true) faults.push("4.3: key usage must be critical");
  if (usages?.usages !== x509.KeyUsageFlags.digitalSignature) {
    faults.push("4.3: a leaf's key usage is digitalSignature, without keyCertSign and cRLSign");
  }
  const extended = leaf.getExtension(x509.ExtendedKeyUsageExtension)?.usages.map(String) ?? [];
  for (const usage of [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]) {
    if (!extended.includes(usage)) faults.push(`4.4: ${usage} is missing`);
  }
  if (leaf.subject === "" && leaf.getExtension("2.5.29.17")?.critical !== true) {
    faults.push("RFC 5280 4.2.1.6: an empty subject needs a critical SubjectAltName");
  }

  for (const authority of [...intermediates, ...roots]) {
    const constraints = authority.getExtension(x509.BasicConstraintsExtension);
    if (constraints?.ca !== true || !constraints.critical) faults.push("4.1: a signer is a CA");
    const flags = authority.getExtension(x509.KeyUsagesExtension);
    if (((flags?.usages ?? 0) & x509.KeyUsageFlags.keyCertSign) === 0 || flags?.critical !== true) {
      faults.push("4.3: a signer has keyCertSign, critical");
    }
    const uri = uriOf(authority, faults);
    if (uri !== `spiffe://${String(trustDomain)}`) faults.push("3.2: a signer's id has no path");
  }
  if (!(await reachesBundle(leaf, intermediates, roots, now)))
    faults.push("5: no path to the bundle");
  return { id, faults };
}

function uriOf(certificate: x509.X509Certificate, faults: string[]): string | undefined {
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  const uris = names.filter(({ type }) => type === "url").map(({ value }) => value);
  if (uris.length !== 1) faults.push(`2: ${String(uris.length)} URI names, not one`);
  return uris[0];
}

async function reachesBundle(
  leaf: x509.X509Certificate,
  intermediates: readonly x509.X509Certificate[],
  roots: readonly x509.X509Certificate[],
  now: number,
): Promise<boolean> {
  const authorities = [...roots, ...intermediates];
  let current = leaf;
  for (let depth = 0; depth <= authorities.length; depth++) {
    if (now < current.notBefore.getTime() || now > current.notAfter.getTime()) return false;
    if (roots.some((root) => root.equal(current))) return true;
    let issuer: x509.X509Certificate | undefined;
    for (const candidate of authorities) {
      const below = depth - 1;
      const limit = candidate.getExtension(x509.BasicConstraintsExtension)?.pathLength ?? Infinity;
      if (candidate.subject !== current.issuer || limit < below) continue;
      // node:crypto checks the signature, so that no code of the issuing library verifies its own work.
      const key = new X509Certificate(Buffer.from(candidate.rawData)).publicKey;
      if (new X509Certificate(Buffer.from(current.rawData)).verify(key)) issuer ??= candidate;
    }
    if (issuer === undefined) return false;
    current = issuer;
  }
  return Promise.resolve(false);
}
