/**
 * Certificates, their keys, and which signatures over them were found good: by hash, so that a chain that many
 * pieces of evidence share is parsed and verified once.
 *
 * **Security:** only facts that no time changes are kept: what the bytes say, and that a key signed them. Dates,
 * names, usages and revocation are checked again at every use. Bad signatures are not remembered, so that a
 * stranger's garbage cannot push out what is in use faster than its own verifications take.
 */
import type { KeyObject } from "node:crypto";
import type { Sha256 } from "../core/brand.ts";
import { VERIFICATION_CACHE_ENTRIES_MAX } from "../core/limits.ts";
import { ok, type Result } from "../core/result.ts";
import type { DerError } from "../crypto/der.ts";
import { sha256 } from "../crypto/hash.ts";
import { type RevocationListView, parseRevocationList } from "../crypto/revocation-list.ts";
import { verifySignature } from "../crypto/signature.ts";
import { type CertificateView, parseCertificate, publicKeyOf } from "../crypto/x509-view.ts";
import { BoundedMap } from "./bounded-map.ts";
import { TdxCache } from "./tdx/tdx-cache.ts";

/** A readable certificate. Owns its memory. */
export interface KnownCertificate extends CertificateView {
  /** SHA-256 of the DER. */
  readonly fingerprint: Sha256;
  /** SHA-256 of the SPKI. */
  readonly spkiHash: Sha256;
  /** `undefined` if OpenSSL refuses the key. */
  readonly publicKey: KeyObject | undefined;
}

/** A readable revocation list. Owns its memory. */
export interface KnownRevocationList extends RevocationListView {
  /** SHA-256 of the DER. */
  readonly fingerprint: Sha256;
}

/** See the file's comment. Bounded; one per process suffices. */
export class CertificateCache {
  /** What TDX verifications share beside certificates. */
  readonly tdx = new TdxCache();
  readonly #certificates = new BoundedMap<Sha256, KnownCertificate>(VERIFICATION_CACHE_ENTRIES_MAX);
  readonly #lists = new BoundedMap<Sha256, KnownRevocationList>(REVOCATION_LISTS_MAX);
  readonly #signed = new BoundedMap<string, true>(VERIFICATION_CACHE_ENTRIES_MAX);

  /** Reads a certificate, or finds it again. */
  certificate(der: Uint8Array): Result<KnownCertificate, DerError> {
    const fingerprint = sha256(der);
    const known = this.#certificates.get(fingerprint);
    if (known !== undefined) return ok(known);
    // The views that parsing makes must not keep a whole certificate table alive, nor change with it.
    const parsed = parseCertificate(der.slice());
    if (!parsed.ok) return parsed;
    const view = parsed.value;
    const spkiHash = sha256(view.spki);
    const certificate = { ...view, fingerprint, spkiHash, publicKey: publicKeyOf(view) };
    this.#certificates.set(fingerprint, certificate);
    return ok(certificate);
  }

  /** Reads a revocation list, or finds it again. */
  revocationList(der: Uint8Array): Result<KnownRevocationList, DerError> {
    const fingerprint = sha256(der);
    const known = this.#lists.get(fingerprint);
    if (known !== undefined) return ok(known);
    const parsed = parseRevocationList(der.slice());
    if (!parsed.ok) return parsed;
    const list = { ...parsed.value, fingerprint };
    this.#lists.set(fingerprint, list);
    return ok(list);
  }

  /** True if `issuer`'s key signed the certificate or list. Verifies in the thread pool. */
  async isSignedBy(
    signed: KnownCertificate | KnownRevocationList,
    issuer: KnownCertificate,
  ): Promise<boolean> {
    const step = `${signed.fingerprint} by ${issuer.spkiHash}`;
    if (this.#signed.get(step) !== undefined) return true;
    if (issuer.publicKey === undefined) return false;
    const { signatureAlgorithm, tbs, signature } = signed;
    const good = await verifySignature(signatureAlgorithm, issuer.publicKey, tbs, signature);
    if (good) this.#signed.set(step, true);
    return good;
  }
}

/** Lists in the cache: one per vendor authority and update; each may have a megabyte. */
const REVOCATION_LISTS_MAX = 16;
