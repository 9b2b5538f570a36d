/**
 * The closed list of reasons for which evidence is refused. One rule of the specification, one code; the meanings
 * are the documentation's table (`docs/attestation.md`), which a test compares.
 */

import { TDX_FAILURE_MEANINGS } from "./tdx/failure-meanings.ts";

/** Every failure code with the rule that it says was broken. */
export const FAILURE_MEANINGS = {
  // Any platform.
  "evidence-too-large": "The evidence is larger than any real one",
  "report-data-mismatch": "The evidence is not bound to this session or key",
  "evidence-expired": "A certificate or list that the evidence rests on is not valid at this time",
  "policy-unknown": "The manifest has no policy of this hash",
  "no-reference-set": "No set of reference values that the policy accepts matches",
  "development-not-allowed": "Development evidence counts only with --insecure-dev-attestation",
  "root-not-of-set": "The evidence rests on another root than the one that the set demands",
  "measurement-mismatch": "Other code than the set's was launched",
  // Certificates and revocation lists, any vendor.
  "certificate-malformed": "A certificate cannot be read",
  "certificate-missing": "A certificate of the chain is missing",
  "certificate-name": "A certificate's subject or issuer is not the vendor's",
  "certificate-signature": "A certificate is not signed by its issuer",
  "certificate-algorithm": "A certificate is signed with another algorithm than the vendor's",
  "certificate-key": "A certificate's key is not of the vendor's type",
  "certificate-not-authority": "An issuer's certificate is not one of a certificate authority",
  "certificate-not-yet-valid": "A certificate is not valid yet",
  "certificate-expired": "A certificate has expired",
  "certificate-revoked": "A certificate was revoked by its issuer",
  "root-untrusted": "The chain ends in a root that is not trusted",
  "revocation-list-missing": "A revocation list that the rules demand is missing",
  "revocation-list-malformed": "A revocation list cannot be read",
  "revocation-list-signature": "A revocation list is not signed by the right authority",
  "revocation-list-not-current": "A revocation list is not valid at this time",
  // SEV-SNP: is the report genuine?
  "snp-report-length": "An attestation report has exactly 1184 bytes",
  "snp-report-version": "Report versions 2 to 5 are understood",
  "snp-reserved-not-zero": "A field that must be zero is not",
  "snp-signature-algorithm": "Reports are signed with ECDSA P-384 and SHA-384 (1)",
  "snp-signing-key": "Reports are signed by a VCEK (0) or a VLEK (1)",
  "snp-signature": "The report is not signed by its endorsement key",
  "snp-product-unknown": "The processor is none of Milan, Genoa and Turin",
  "snp-product-mismatch": "The chain belongs to another product line than the processor",
  "snp-certificate-extension": "A certificate has a critical extension that is not understood",
  "snp-extension": "One of AMD's extensions of the certificate is missing or malformed",
  "snp-certificate-tcb": "The reported TCB is not the certificate's",
  "snp-tcb-reported": "The reported TCB is above the current one",
  "snp-tcb-committed": "The committed TCB is above the current one",
  "snp-chip-id": "The report comes from another chip than the certificate",
  "snp-policy-reserved": "Bit 17 of the guest policy must be one",
  "snp-policy-unknown-bits": "The guest policy has bits that are not understood (26 and above)",
  // SEV-SNP: does it match a set?
  "snp-product-not-allowed": "The set names no minimum TCB for this product line",
  "snp-tcb-minimum": "The committed, launch or reported TCB is below the set's minimum",
  "snp-firmware-provisional": "The current firmware is not committed and can be rolled back",
  "snp-vmpl": "The report was asked for at another privilege level",
  "snp-policy-debug": "The host may debug the guest",
  "snp-policy-migration": "The guest may be migrated by a migration agent",
  "snp-policy-cxl": "The guest may use memory behind CXL",
  "snp-policy-smt": "The guest may run with simultaneous multithreading",
  "snp-policy-single-socket": "The guest does not insist on a single socket",
  "snp-policy-aes-256-xts": "The guest does not insist on AES-256-XTS",
  "snp-policy-rapl": "The guest does not insist on power reporting being off",
  "snp-policy-ciphertext-hiding": "The guest does not insist on ciphertext hiding",
  "snp-policy-page-swap": "The guest does not insist on page swap being off",
  "snp-policy-abi": "The guest accepts an older firmware interface than the set does",
  "snp-platform-info": "A fact of the host is not as the set demands",
  "snp-signing-key-not-allowed": "The set does not accept this kind of signing key",
  "snp-csp-not-allowed": "The set does not accept this cloud provider",
  "snp-chip-not-allowed": "The set does not accept this chip",
  "snp-guest-svn": "The guest's security version is below the set's minimum",
  "snp-family-id": "The guest's family id is not the set's",
  "snp-image-id": "The guest's image id is not the set's",
  "snp-id-key": "The id block was signed by another key",
  "snp-author-key": "The id key was signed by another author key",
  ...TDX_FAILURE_MEANINGS,
} as const;

/** One of the keys of {@link FAILURE_MEANINGS}. */
export type FailureCode = keyof typeof FAILURE_MEANINGS;

/** One failed check. */
export interface Failure {
  readonly code: FailureCode;
  /** One sentence for people, without expected and found. */
  readonly message: string;
  /** What would have passed, and what was there: short, and free of control characters of the evidence. */
  readonly expected: string;
  readonly found: string;
}

/**
 * A failed check.
 *
 * @param where what the check was about ("VCEK", "launch"), put in front of the message if it is not obvious.
 */
export function failure(
  code: FailureCode,
  expected: string | number,
  found: string | number,
  where?: string,
): Failure {
  const meaning = FAILURE_MEANINGS[code];
  const message = where === undefined ? meaning : `${where}: ${meaning}`;
  return { code, message, expected: printable(expected), found: printable(found) };
}

/** Characters of an expected or found value: a chip id in hex fits. */
const VALUE_LENGTH_MAX = 200;

/**
 * **Security:** names in certificates come from strangers and end in terminals and logs.
 */
function printable(value: string | number): string {
  const text = String(value).replace(/[^\x20-\x7e]/g, "?");
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}...` : text;
}
