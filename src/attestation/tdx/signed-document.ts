/**
 * TCB info and QE identity: found in the heap of collateral, proved by Intel's TCB signing certificate.
 *
 * Of several documents for one purpose the one with the fewest faults counts, of equal ones the newest: an old
 * document beside a good new one does no harm.
 */
import { COLLATERAL_ITEMS_MAX } from "../../core/limits.ts";
import type { Result } from "../../core/result.ts";
import { sha256 } from "../../crypto/hash.ts";
import { verifySignature } from "../../crypto/signature.ts";
import type { KnownCertificate } from "../certificate-cache.ts";
import { type Failure, type FailureCode, failure } from "../failure.ts";
import type { Validity, VerificationContext } from "../verification.ts";
import { certificateFailures, INTEL_CERTIFICATE, iso, nameOf } from "./intel-certificate.ts";
import type { SignedJson } from "./signed-json.ts";

/** The document that counts. */
export interface FoundDocument<T> {
  /** `undefined` if none could be read. Proved only if `failures` is empty. */
  readonly value: T | undefined;
  /** The certificate of the key that signed it. */
  readonly signer: KnownCertificate | undefined;
  readonly failures: readonly Failure[];
  readonly validity: readonly Validity[];
}

/** One kind of document. */
export interface DocumentKind<T extends Dated> {
  /** For people. */
  readonly name: string;
  readonly codes: Readonly<
    Record<"missing" | "malformed" | "signature" | "notCurrent", FailureCode>
  >;
  readonly parse: (document: Uint8Array) => Result<SignedJson<T>, string>;
  /** Why a document is about something else; empty if it is the right one. */
  readonly mismatches: (value: T) => readonly Failure[];
}

/** What every document has, in milliseconds since the Unix epoch. */
export interface Dated {
  readonly issueDate: number;
  readonly nextUpdate: number;
}

/**
 * Finds and proves a document.
 *
 * @param root the certificate that the PCK chain ends in.
 *
 * **Security:** the signer's certificate must come from that very root, so that collateral of one root (a simulated
 * one, say) never vouches for platforms of another.
 */
export async function findDocument<T extends Dated>(
  documents: readonly Uint8Array[],
  kind: DocumentKind<T>,
  root: KnownCertificate,
  context: VerificationContext,
): Promise<FoundDocument<T>> {
  const signers = tcbSigners(context);
  let best: FoundDocument<T> | undefined;
  for (const bytes of documents.slice(0, COLLATERAL_ITEMS_MAX)) {
    const found = await judge(bytes, kind, signers, root, context);
    if (best === undefined || isBetter(found, best)) best = found;
  }
  if (best !== undefined) return best;
  const missing = failure(kind.codes.missing, kind.name, "none");
  return { value: undefined, signer: undefined, failures: [missing], validity: [] };
}

async function judge<T extends Dated>(
  bytes: Uint8Array,
  kind: DocumentKind<T>,
  signers: readonly KnownCertificate[],
  root: KnownCertificate,
  context: VerificationContext,
): Promise<FoundDocument<T>> {
  const parsed = kind.parse(bytes);
  if (!parsed.ok) {
    const malformed = failure(kind.codes.malformed, kind.name, parsed.error);
    return { value: undefined, signer: undefined, failures: [malformed], validity: [] };
  }
  const { value } = parsed.value;
  const mismatches = kind.mismatches(value);
  if (mismatches.length > 0) {
    return { value: undefined, signer: undefined, failures: mismatches, validity: [] };
  }
  const { now, cache } = context;
  const span = { notBefore: value.issueDate, notAfter: value.nextUpdate };
  const failures: Failure[] = [];
  if (now < span.notBefore || now > span.notAfter) {
    const expected = `${iso(span.notBefore)} to ${iso(span.notAfter)}`;
    failures.push(failure(kind.codes.notCurrent, expected, iso(now)));
  }
  const signer = await findSigner(parsed.value, bytes, signers, context);
  const { tcbSigning } = INTEL_CERTIFICATE;
  if (signer !== undefined) {
    failures.push(...(await certificateFailures(signer, root, tcbSigning, now, cache)));
    return { value, signer, failures, validity: [span, signer] };
  }
  const [name] = tcbSigning.names;
  failures.push(
    signers.length === 0
      ? failure("certificate-missing", name, "none", name)
      : failure(kind.codes.signature, `signed by ${name}`, "not verifiable"),
  );
  return { value, signer, failures, validity: [span] };
}

/** Certificates in the collateral that name themselves as signers, the longest valid first. */
function tcbSigners({ collateral, cache }: VerificationContext): readonly KnownCertificate[] {
  const names: readonly string[] = INTEL_CERTIFICATE.tcbSigning.names;
  return collateral.certificates
    .slice(0, COLLATERAL_ITEMS_MAX)
    .map((der) => cache.certificate(der))
    .flatMap((parsed) => (parsed.ok ? [parsed.value] : []))
    .filter((certificate) => names.includes(nameOf(certificate)))
    .sort((a, b) => b.notAfter - a.notAfter)
    .slice(0, SIGNERS_MAX);
}

/** Signers tried for one document: more serve only to waste time. */
const SIGNERS_MAX = 4;

async function findSigner(
  { signedBytes, signature }: SignedJson<unknown>,
  document: Uint8Array,
  signers: readonly KnownCertificate[],
  { cache }: VerificationContext,
): Promise<KnownCertificate | undefined> {
  const hash = sha256(document);
  for (const signer of signers) {
    const { publicKey, spkiHash } = signer;
    if (publicKey === undefined) continue;
    const good = await cache.tdx.isGood(`document ${hash} by ${spkiHash}`, () =>
      verifySignature("ecdsa-sha256", publicKey, signedBytes, signature, "ieee-p1363"),
    );
    if (good) return signer;
  }
  return undefined;
}

/** A readable one beats an unreadable one; then fewer faults, then the newer one. */
function isBetter<T extends Dated>(a: FoundDocument<T>, b: FoundDocument<T>): boolean {
  if ((a.value === undefined) !== (b.value === undefined)) return a.value !== undefined;
  if (a.failures.length !== b.failures.length) return a.failures.length < b.failures.length;
  return (a.value?.issueDate ?? 0) > (b.value?.issueDate ?? 0);
}
