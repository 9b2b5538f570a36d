/** Revocation of SNP intermediates: lists that the root (ARK) signs. Leaves carry serial 0 and are on no list. */
import { equalBytes } from "../../core/bytes.ts";
import type { CertificateCache, KnownRevocationList } from "../certificate-cache.ts";
import { type Failure, failure } from "../failure.ts";
import type { Validity } from "../verification.ts";
import type { Candidates } from "./candidates.ts";
import type { SnpChain } from "./chain.ts";

/** What the lists say. */
export interface SnpRevocation {
  /** `certificate-revoked`: counts whether or not a set demands a list. */
  readonly revoked: readonly Failure[];
  /** Why no current list was checked; empty if one was. */
  readonly unchecked: readonly Failure[];
  /** Of the list that was checked. */
  readonly validity: Validity | undefined;
}

/** Checks the chain against the newest list that the root has signed. */
export async function checkRevocation(
  chain: SnpChain,
  candidates: Candidates,
  now: number,
  cache: CertificateCache,
): Promise<SnpRevocation> {
  const { root, intermediate } = chain;
  // Without a whole chain there is a failure already that no list mends.
  if (root === undefined || intermediate === undefined) {
    return { revoked: [], unchecked: [], validity: undefined };
  }
  const unchecked = candidates.malformed.filter(({ code }) => code === "revocation-list-malformed");
  let newest: KnownRevocationList | undefined;
  for (const list of candidates.revocationLists) {
    if (!equalBytes(list.issuer.encoded, root.subject.encoded)) continue;
    if (newest !== undefined && list.thisUpdate <= newest.thisUpdate) continue;
    const isRootKeyUsable = root.keyUsage?.crlSign ?? true;
    if (
      isRootKeyUsable &&
      list.signatureAlgorithm === "rsa-pss-sha384" &&
      (await cache.isSignedBy(list, root))
    ) {
      newest = list;
    } else {
      const expected = `by ${root.subject.commonName ?? "the root"}`;
      unchecked.push(failure("revocation-list-signature", expected, "not verifiable"));
    }
  }
  if (newest === undefined) {
    if (unchecked.length === 0) {
      const expected = `of ${root.subject.commonName ?? "the root"}`;
      unchecked.push(failure("revocation-list-missing", expected, "nowhere"));
    }
    return { revoked: [], unchecked, validity: undefined };
  }
  // What a list has revoked stays revoked when the list is no longer current.
  const revoked = [intermediate, root]
    .filter(({ serial }) => newest.revokedSerials.has(serial))
    .map(({ subject, serial }) =>
      failure("certificate-revoked", "not revoked", `serial ${serial}`, subject.commonName),
    );
  const validity = { notBefore: newest.thisUpdate, notAfter: newest.nextUpdate };
  if (now >= validity.notBefore && now <= validity.notAfter) {
    return { revoked, unchecked: [], validity };
  }
  const expected = `${isoTime(validity.notBefore)} to ${isoTime(validity.notAfter)}`;
  const stale = failure("revocation-list-not-current", expected, isoTime(now));
  return { revoked, unchecked: [stale], validity: undefined };
}

function isoTime(millis: number): string {
  return new Date(millis).toISOString();
}
