/** The certificates and revocation lists that may belong to a report: hints of the host, and collateral. */
import { COLLATERAL_ITEMS_MAX } from "../../core/limits.ts";
import { type KnownCertificate, type KnownRevocationList } from "../certificate-cache.ts";
import { type Failure, failure } from "../failure.ts";
import type { VerificationContext, Warning } from "../verification.ts";
import { type CertificateTableKind, parseCertificateTable } from "./certificate-table.ts";

/** One certificate, and where it came from. */
export interface CandidateCertificate {
  readonly certificate: KnownCertificate;
  /** What the host's table calls it; `undefined` for collateral. */
  readonly slot: CertificateTableKind | undefined;
}

/** Everything readable, and what was not. */
export interface Candidates {
  readonly certificates: readonly CandidateCertificate[];
  readonly revocationLists: readonly KnownRevocationList[];
  /** `certificate-malformed` and `revocation-list-malformed`: they count only if something is missing. */
  readonly malformed: readonly Failure[];
  readonly warnings: readonly Warning[];
}

/** Reads the host's certificate table and the collateral's certificates and lists, at most `COLLATERAL_ITEMS_MAX`. */
export function readCandidates(table: Uint8Array, context: VerificationContext): Candidates {
  const { entries, oddities } = parseCertificateTable(table);
  const { collateral, cache } = context;
  const certificates: CandidateCertificate[] = [];
  const revocationLists: KnownRevocationList[] = [];
  const malformed: Failure[] = [];
  const warnings = oddities.map((oddity) => ({ message: `certificate table: ${oddity}` }));
  const items = [
    ...entries.map(({ kind, data }) => ({ der: data, slot: kind, isList: kind === "crl" })),
    ...collateral.certificates.map((der) => ({ der, slot: undefined, isList: false })),
    ...collateral.revocationLists.map((der) => ({ der, slot: undefined, isList: true })),
  ];
  if (items.length > COLLATERAL_ITEMS_MAX) {
    const ignored = items.length - COLLATERAL_ITEMS_MAX;
    warnings.push({ message: `${ignored} certificates or revocation lists too many, ignored` });
  }
  for (const { der, slot, isList } of items.slice(0, COLLATERAL_ITEMS_MAX)) {
    const place = slot ?? "collateral";
    if (isList) {
      const list = cache.revocationList(der);
      if (list.ok) revocationLists.push(list.value);
      else malformed.push(unreadable("revocation-list-malformed", list.error.message, place));
    } else {
      const certificate = cache.certificate(der);
      if (certificate.ok) certificates.push({ certificate: certificate.value, slot });
      else malformed.push(unreadable("certificate-malformed", certificate.error.message, place));
    }
  }
  return { certificates, revocationLists, malformed, warnings };
}

function unreadable(
  code: "certificate-malformed" | "revocation-list-malformed",
  reason: string,
  place: string,
): Failure {
  return failure(code, "DER of RFC 5280", reason, place);
}
