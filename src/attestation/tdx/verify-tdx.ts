/**
 * Is a TDX quote genuine? Every rule that Intel's documents, the chain and the collateral impose, whatever a manifest
 * says; all failures in one pass. What a manifest demands is `tdx-set.ts`.
 *
 * The proof, in order: the PCK chain ends in a trusted root and nothing in it is revoked; the PCK signed the quoting
 * enclave's report; that report names the attestation key; that key signed the TD report. Then Intel's collateral,
 * proved by the same root, says what the quoting enclave must be and how current the platform is.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import type { Sha256 } from "../../core/brand.ts";
import { concat, equalBytes, toHex } from "../../core/bytes.ts";
import { sha256, sha256Bytes } from "../../crypto/hash.ts";
import { verifySignature } from "../../crypto/signature.ts";
import type { KnownCertificate } from "../certificate-cache.ts";
import type { TdxClaims, TdxTcb } from "../claims.ts";
import { type Evidence, evidenceSizeFailures } from "../evidence.ts";
import { type Failure, failure } from "../failure.ts";
import {
  commonValidity,
  type Validity,
  type VerificationContext,
  type VerifiedEvidence,
} from "../verification.ts";
import { INTEL_SGX_ROOT_KEY } from "./intel-root.ts";
import { type PckChain, pckChainFailures, pckExtensionOf, readPckChain } from "./pck-chain.ts";
import type { PckExtension } from "./pck-extension.ts";
import type { QeIdentity } from "./qe-identity.ts";
import { parseTdxQuote, type TdxQuote } from "./quote.ts";
import { findRevocationList, revokedFailures } from "./revocation.ts";
import { type DocumentKind, findDocument } from "./signed-document.ts";
import type { TcbInfo } from "./tcb-info.ts";
import { type Assessed, assessModule, assessPlatform, assessQuotingEnclave } from "./tcb-level.ts";
import { convergeTcb } from "./tcb-status.ts";
import { tdBodyText } from "./td-body.ts";

/** Verifies a TDX quote. Signatures run in the thread pool; a known chain and enclave cost nothing the second time. */
export async function verifyTdx(
  evidence: Evidence,
  context: VerificationContext,
): Promise<VerifiedEvidence> {
  const tooLarge = evidenceSizeFailures(evidence);
  if (tooLarge.length > 0) return unreadable(tooLarge);
  const parsed = parseTdxQuote(evidence.quote);
  if (!parsed.ok) return unreadable([parsed.error]);

  const quote = parsed.value;
  const chain = readPckChain(quote.pckChainPem, context);
  const key = attestationKey(quote, context);
  const [ofQuote, ofChain] = await Promise.all([
    quoteFailures(quote, key),
    chain.ok ? chainFindings(quote, chain.value, context) : nothing([chain.error]),
  ]);
  const failures = [...ofChain.failures, ...bindingFailures(quote), ...ofQuote];
  return {
    claims: claimsOf(quote, chain.ok ? chain.value : undefined, ofChain, context),
    failures,
    warnings: warningsOf(quote),
    validity: commonValidity(ofChain.validity),
  };
}

/** What the chain and the collateral say about a quote. */
interface ChainFindings {
  readonly failures: readonly Failure[];
  readonly validity: readonly Validity[];
  readonly extension: PckExtension | undefined;
  readonly tcb: TdxTcb | undefined;
}

function nothing(failures: readonly Failure[]): ChainFindings {
  return { failures, validity: [], extension: undefined, tcb: undefined };
}

function unreadable(failures: readonly Failure[]): VerifiedEvidence {
  return { claims: undefined, failures, warnings: [], validity: commonValidity([]) };
}

async function chainFindings(
  quote: TdxQuote,
  chain: PckChain,
  context: VerificationContext,
): Promise<ChainFindings> {
  const { pck, authority, root } = chain;
  const parsed = pckExtensionOf(pck, context.cache);
  const extension = parsed.ok ? parsed.value : undefined;
  const { tcbInfos, qeIdentities } = context.collateral;
  const [ofChain, ofReport, ofAuthority, ofRoot, tcbInfo, qeIdentity] = await Promise.all([
    pckChainFailures(chain, context),
    qeReportFailures(quote, pck, context),
    findRevocationList(authority, context),
    findRevocationList(root, context),
    findDocument(tcbInfos, tcbInfoKind(extension, context), root, context),
    findDocument(qeIdentities, qeIdentityKind(context), root, context),
  ]);
  const revoked = [
    ...revokedFailures(ofAuthority, [pck]),
    ...revokedFailures(ofRoot, [...new Set([authority, tcbInfo.signer, qeIdentity.signer])]),
  ];
  const tcb = assess(quote, extension, tcbInfo.value, qeIdentity.value);
  return {
    failures: [
      ...ofChain,
      ...(parsed.ok ? [] : [parsed.error]),
      ...ofAuthority.failures,
      ...ofRoot.failures,
      ...revoked,
      ...ofReport,
      ...tcbInfo.failures,
      ...qeIdentity.failures,
      ...tcb.failures,
    ],
    validity: [
      pck,
      authority,
      root,
      ...ofAuthority.validity,
      ...ofRoot.validity,
      ...tcbInfo.validity,
      ...qeIdentity.validity,
    ],
    extension,
    tcb: tcb.tcb,
  };
}

function tcbInfoKind(
  extension: PckExtension | undefined,
  { cache }: VerificationContext,
): DocumentKind<TcbInfo> {
  return {
    name: "TCB info for TDX",
    codes: {
      missing: "tdx-tcb-info-missing",
      malformed: "tdx-tcb-info-malformed",
      signature: "tdx-tcb-info-signature",
      notCurrent: "tdx-tcb-info-not-current",
    },
    parse: (document) => cache.tdx.tcbInfo(document),
    // Without a readable extension there is a failure already, and nothing to compare.
    mismatches: (tcbInfo) => [
      ...(extension === undefined || equalBytes(tcbInfo.fmspc, extension.fmspc)
        ? []
        : [failure("tdx-tcb-info-fmspc", toHex(extension.fmspc), toHex(tcbInfo.fmspc))]),
      ...(extension === undefined || equalBytes(tcbInfo.pceId, extension.pceId)
        ? []
        : [failure("tdx-tcb-info-pceid", toHex(extension.pceId), toHex(tcbInfo.pceId))]),
    ],
  };
}

function qeIdentityKind({ cache }: VerificationContext): DocumentKind<QeIdentity> {
  return {
    name: "identity of the TD quoting enclave",
    codes: {
      missing: "tdx-qe-identity-missing",
      malformed: "tdx-qe-identity-malformed",
      signature: "tdx-qe-identity-signature",
      notCurrent: "tdx-qe-identity-not-current",
    },
    parse: (document) => cache.tdx.qeIdentity(document),
    mismatches: () => [],
  };
}

async function qeReportFailures(
  { qeReportBytes, qeReportSignature }: TdxQuote,
  { publicKey, spkiHash }: KnownCertificate,
  { cache }: VerificationContext,
): Promise<readonly Failure[]> {
  const step = `QE report ${sha256(concat(qeReportBytes, qeReportSignature))} by ${spkiHash}`;
  const good =
    publicKey !== undefined &&
    (await cache.tdx.isGood(step, () =>
      // The cache may outlive the buffer that the evidence came in, but holds only the step's name.
      verifySignature("ecdsa-sha256", publicKey, qeReportBytes, qeReportSignature, "ieee-p1363"),
    ));
  return good ? [] : [failure("tdx-qe-report-signature", "by the PCK", "not verifiable")];
}

/** SHA-256 over attestation key and authentication data, then zeros, is what the quoting enclave reports. */
function bindingFailures({ attestationKey, qeAuthData, qeReport }: TdxQuote): readonly Failure[] {
  const hash = sha256Bytes(concat(attestationKey, qeAuthData));
  const expected = concat(hash, new Uint8Array(32));
  if (equalBytes(qeReport.reportData, expected)) return [];
  return [failure("tdx-attestation-key", toHex(expected), toHex(qeReport.reportData))];
}

async function quoteFailures(
  { signedBytes, signature }: TdxQuote,
  key: KeyObject | undefined,
): Promise<readonly Failure[]> {
  const good =
    key !== undefined &&
    (await verifySignature("ecdsa-sha256", key, signedBytes, signature, "ieee-p1363"));
  return good ? [] : [failure("tdx-quote-signature", "by the attestation key", "not verifiable")];
}

/** `undefined` if the 64 bytes are no point of the curve. */
function attestationKey(quote: TdxQuote, { cache }: VerificationContext): KeyObject | undefined {
  const point = Buffer.from(quote.attestationKey);
  return cache.tdx.attestationKey(point.toString("base64"), () => {
    const x = point.subarray(0, 32).toString("base64url");
    const y = point.subarray(32).toString("base64url");
    try {
      return createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
    } catch {
      // Not on the curve: no key, so nothing that it could have signed.
      return undefined;
    }
  });
}

interface Judgement {
  readonly tcb: TdxTcb | undefined;
  readonly failures: readonly Failure[];
}

function assess(
  quote: TdxQuote,
  extension: PckExtension | undefined,
  tcbInfo: TcbInfo | undefined,
  qeIdentity: QeIdentity | undefined,
): Judgement {
  const parts: Assessed[] = [];
  if (tcbInfo !== undefined && extension !== undefined) {
    parts.push(assessPlatform(tcbInfo, extension, quote.body), assessModule(tcbInfo, quote.body));
  }
  if (qeIdentity !== undefined) parts.push(assessQuotingEnclave(qeIdentity, quote.qeReport));
  const failures = parts.flatMap((part) => part.failures);
  const assessments = parts.map(({ assessment }) => assessment).filter((a) => a !== undefined);
  // Half a judgement would look better than the whole may be.
  if (tcbInfo === undefined || qeIdentity === undefined || assessments.length < PARTS) {
    return { tcb: undefined, failures };
  }
  const evaluationDataNumber = Math.min(
    tcbInfo.tcbEvaluationDataNumber,
    qeIdentity.tcbEvaluationDataNumber,
  );
  return { tcb: { ...convergeTcb(assessments), evaluationDataNumber }, failures };
}

/** Platform, module, quoting enclave. */
const PARTS = 3;

function claimsOf(
  quote: TdxQuote,
  chain: PckChain | undefined,
  { extension, tcb }: ChainFindings,
  { developmentRoots }: VerificationContext,
): TdxClaims {
  const td = tdBodyText(quote.body);
  const root = chain?.root.spkiHash;
  return {
    platform: "tdx",
    quoteVersion: quote.version,
    td,
    // The first half of MRCONFIGID; the specification leaves the rest free.
    policyHash: td.mrConfigId.slice(0, 64) as Sha256,
    measurement: td.mrTd,
    reportData: td.reportData,
    root,
    development: root !== undefined && root !== INTEL_SGX_ROOT_KEY && developmentRoots.has(root),
    fmspc: extension === undefined ? undefined : toHex(extension.fmspc),
    platformInstanceId:
      extension?.platformInstanceId === undefined ? undefined : toHex(extension.platformInstanceId),
    tcb,
  };
}

function warningsOf({ trailingBytes }: TdxQuote) {
  if (trailingBytes === 0) return [];
  return [{ message: `${trailingBytes} bytes behind the quote were ignored` }];
}
