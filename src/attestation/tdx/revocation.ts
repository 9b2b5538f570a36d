/** Intel's revocation lists: the root's and the PCK authority's. Both are always demanded. */
import { COLLATERAL_ITEMS_MAX } from "../../core/limits.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { KnownCertificate, KnownRevocationList } from "../certificate-cache.ts";
import { type Failure, failure } from "../failure.ts";
import type { Validity, VerificationContext } from "../verification.ts";
import { iso, nameOf } from "./intel-certificate.ts";

/** The list that counts. */
export interface Revocation {
  /** The newest list that its issuer signed, even if it is not current; `undefined` if there is none. */
  readonly list: KnownRevocationList | undefined;
  readonly failures: readonly Failure[];
  readonly validity: readonly Validity[];
}

/** Finds the newest list of `issuer` in the collateral. */
export async function findRevocationList(
  issuer: KnownCertificate,
  { collateral, now, cache }: VerificationContext,
): Promise<Revocation> {
  const where = nameOf(issuer);
  const rejected: Failure[] = [];
  let newest: KnownRevocationList | undefined;
  for (const der of collateral.revocationLists.slice(0, COLLATERAL_ITEMS_MAX)) {
    const parsed = cache.revocationList(der);
    if (!parsed.ok) {
      const found = parsed.error.message;
      rejected.push(failure("revocation-list-malformed", "DER of RFC 5280", found, where));
      continue;
    }
    const list = parsed.value;
    if (!equalBytes(list.issuer.encoded, issuer.subject.encoded)) continue;
    if (newest !== undefined && list.thisUpdate <= newest.thisUpdate) continue;
    const mayBeGenuine =
      list.signatureAlgorithm === "ecdsa-sha256" && issuer.keyUsage?.crlSign === true;
    if (mayBeGenuine && (await cache.isSignedBy(list, issuer))) {
      newest = list;
    } else {
      const expected = `by ${where}, whose key may sign lists`;
      rejected.push(failure("revocation-list-signature", expected, "not verifiable", where));
    }
  }
  if (newest === undefined) {
    const missing = failure("revocation-list-missing", `a list of ${where}`, "none", where);
    const failures = rejected.length > 0 ? rejected : [missing];
    return { list: undefined, failures, validity: [] };
  }
  const validity = { notBefore: newest.thisUpdate, notAfter: newest.nextUpdate };
  const failures: Failure[] = [];
  if (now < validity.notBefore || now > validity.notAfter) {
    const expected = `${iso(validity.notBefore)} to ${iso(validity.notAfter)}`;
    failures.push(failure("revocation-list-not-current", expected, iso(now), where));
  }
  return { list: newest, failures, validity: [validity] };
}

/** A failure for each of `certificates` that the list names. What is revoked stays so when the list is outdated. */
export function revokedFailures(
  { list }: Revocation,
  certificates: readonly (KnownCertificate | undefined)[],
): readonly Failure[] {
  return certificates
    .filter((certificate) => certificate !== undefined)
    .filter(({ serial }) => list?.revokedSerials.has(serial) === true)
    .map((certificate) =>
      failure("certificate-revoked", "not revoked", certificate.serial, nameOf(certificate)),
    );
}
