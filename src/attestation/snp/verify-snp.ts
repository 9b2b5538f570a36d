/**
 * Is an SEV-SNP report genuine? Every rule that AMD's documents and the chain impose, whatever a manifest says; all
 * failures in one pass. What a manifest demands is `policy/snp-set.ts`.
 */
import type { Sha256 } from "../../core/brand.ts";
import { assert } from "../../core/assert.ts";
import {
  SNP_PRODUCT_LINES,
  type SnpProductLine,
  type SnpSigningKey,
} from "../../core/manifest/snp-reference-values.ts";
import { verifySignature } from "../../crypto/signature.ts";
import type { SnpClaims } from "../claims.ts";
import { type Evidence, evidenceSizeFailures } from "../evidence.ts";
import type { KnownCertificate } from "../certificate-cache.ts";
import { type Failure, failure } from "../failure.ts";
import {
  type Validity,
  type VerificationContext,
  type VerifiedEvidence,
  commonValidity,
} from "../verification.ts";
import { AMD_ROOT_KEYS } from "./amd-roots.ts";
import {
  AMD_EXTENSION,
  type AmdExtensions,
  productLineOfName,
  readAmdExtensions,
} from "./amd-extensions.ts";
import { type Candidates, readCandidates } from "./candidates.ts";
import { chainFailures, findChain, isEndorsementKey } from "./chain.ts";
import { GUEST_POLICY_BIT, GUEST_POLICY_FIRST_UNKNOWN_BIT } from "./guest-policy.ts";
import { type ParsedSnpReport, type SnpReport, parseSnpReport, snpProductLine } from "./report.ts";
import { checkRevocation } from "./revocation.ts";
import { isTcbAtMost, isTcbEqual, snpTcb, tcbText } from "./tcb.ts";

/** Verifies an SNP report. Signatures run in the thread pool; a verified chain costs nothing the second time. */
export async function verifySnp(
  evidence: Evidence,
  context: VerificationContext,
): Promise<VerifiedEvidence> {
  const tooLarge = evidenceSizeFailures(evidence);
  if (tooLarge.length > 0) return unreadable(tooLarge);
  const { parsed, failures: formFailures } = parseSnpReport(evidence.quote);
  if (parsed === undefined) return unreadable(formFailures);

  const { now, cache, developmentRoots } = context;
  const { report } = parsed;
  const signingKey: SnpSigningKey = report.signingKey === 1 ? "vlek" : "vcek";
  const candidates = readCandidates(evidence.certificates, context);
  const leaf = chooseLeaf(report, signingKey, candidates);
  const amd = leaf === undefined ? NO_EXTENSIONS : readAmdExtensions(leaf);
  const productLine = productLineOf(report, amd.extensions);
  // Started first: what needs most of the time runs in the thread pool while the chain is put together here.
  const signatureChecked = signatureFailures(parsed, leaf);
  const chain = await findChain(leaf, candidates, cache);
  const [ofSignature, ofChain, revocation] = await Promise.all([
    signatureChecked,
    chainFailures(chain, signingKey, productLine, now, cache),
    checkRevocation(chain, candidates, now, cache),
  ]);
  const isMissing = ofChain.some(({ code }) => code === "certificate-missing");
  const failures = [
    ...formFailures,
    ...policyBitFailures(report.policy),
    ...productFailures(report, productLine, amd.extensions),
    ...(isMissing ? candidates.malformed.filter(isCertificateFailure) : []),
    ...ofChain,
    ...rootFailures(chain.root, developmentRoots),
    ...revocation.revoked,
    ...amd.failures,
    ...ofSignature,
    ...tcbFailures(report, productLine, amd.extensions),
    ...chipFailures(report, signingKey, productLine, amd.extensions),
  ];
  const { root } = chain;
  assert(
    failures.length > 0 || (root !== undefined && productLine !== undefined),
    "a report without failures has a whole chain and a product line",
  );
  const claims: SnpClaims = {
    platform: "snp",
    report,
    signingKey,
    productLine,
    policyHash: report.hostData as Sha256,
    measurement: report.measurement,
    reportData: report.reportData,
    root: root?.spkiHash,
    development: root !== undefined && !isPinned(root) && developmentRoots.has(root.spkiHash),
    chipId: signingKey === "vcek" ? amd.extensions?.hardwareId?.padEnd(128, "0") : undefined,
    cspId: signingKey === "vlek" ? amd.extensions?.cspId : undefined,
    revocationFailures: revocation.unchecked,
  };
  const spans: (Validity | undefined)[] = [leaf, chain.intermediate, chain.root];
  const validity = commonValidity([...spans, revocation.validity].filter((s) => s !== undefined));
  return { claims, failures, warnings: warningsOf(candidates, isMissing), validity };
}

const NO_EXTENSIONS = { extensions: undefined, failures: [] };

function unreadable(failures: readonly Failure[]): VerifiedEvidence {
  return { claims: undefined, failures, warnings: [], validity: commonValidity([]) };
}

/**
 * The endorsement certificate: what the table calls so, or what is named so; of several the one that fits the
 * report's chip and TCB, because a cache may hold the certificates of other chips and of older firmware.
 */
function chooseLeaf(
  report: SnpReport,
  signingKey: SnpSigningKey,
  candidates: Candidates,
): KnownCertificate | undefined {
  const commonName = signingKey === "vcek" ? "SEV-VCEK" : "SEV-VLEK";
  let best: KnownCertificate | undefined;
  let bestScore = -1;
  for (const { certificate, slot } of candidates.certificates) {
    const isNamed = certificate.subject.commonName === commonName;
    if (slot !== signingKey && !isNamed) continue;
    const { extensions } = readAmdExtensions(certificate);
    const line = productLineOf(report, extensions);
    const isOfTcb =
      line !== undefined &&
      extensions !== undefined &&
      isTcbEqual(snpTcb(report.reportedTcb, line), extensions.tcb);
    const hardwareId = extensions?.hardwareId;
    const isOfChip = hardwareId !== undefined && report.chipId.startsWith(hardwareId);
    const score = Number(isOfTcb) + 2 * Number(isOfChip) + Number(isNamed);
    if (score <= bestScore) continue;
    best = certificate;
    bestScore = score;
  }
  return best;
}

function productLineOf(
  report: SnpReport,
  extensions: AmdExtensions | undefined,
): SnpProductLine | undefined {
  if (report.cpuid !== undefined) return snpProductLine(report.cpuid);
  return extensions?.productName === undefined
    ? undefined
    : productLineOfName(extensions.productName);
}

function policyBitFailures(policy: bigint): Failure[] {
  const failures: Failure[] = [];
  if (((policy >> BigInt(GUEST_POLICY_BIT.reserved)) & 1n) === 0n) {
    failures.push(failure("snp-policy-reserved", "one", "zero"));
  }
  const unknown = policy >> BigInt(GUEST_POLICY_FIRST_UNKNOWN_BIT);
  if (unknown !== 0n) {
    const found = `0x${(unknown << BigInt(GUEST_POLICY_FIRST_UNKNOWN_BIT)).toString(16)}`;
    failures.push(failure("snp-policy-unknown-bits", "zero", found));
  }
  return failures;
}

function productFailures(
  report: SnpReport,
  line: SnpProductLine | undefined,
  extensions: AmdExtensions | undefined,
): Failure[] {
  if (line !== undefined) return [];
  const expected = SNP_PRODUCT_LINES.join(", ");
  const { cpuid } = report;
  if (cpuid !== undefined) {
    const found = `family 0x${cpuid.family.toString(16)}, model 0x${cpuid.model.toString(16)}`;
    return [failure("snp-product-unknown", expected, found)];
  }
  // A missing or unreadable certificate is a failure of its own.
  if (extensions === undefined) return [];
  return [failure("snp-product-unknown", expected, extensions.productName ?? "no product name")];
}

/** **Security:** the only place that decides which roots are trusted. */
function rootFailures(
  root: KnownCertificate | undefined,
  developmentRoots: ReadonlySet<Sha256>,
): Failure[] {
  if (root === undefined || isPinned(root) || developmentRoots.has(root.spkiHash)) return [];
  return [failure("root-untrusted", "one of AMD's roots", root.spkiHash)];
}

function isPinned(root: KnownCertificate): boolean {
  return SNP_PRODUCT_LINES.some(
    (line) => root.spkiHash === AMD_ROOT_KEYS[line] && root.subject.commonName === `ARK-${line}`,
  );
}

async function signatureFailures(
  { signedBytes, signature }: ParsedSnpReport,
  leaf: KnownCertificate | undefined,
): Promise<Failure[]> {
  // Another kind of key is a failure of the chain already.
  if (leaf?.publicKey === undefined || !isEndorsementKey(leaf.publicKey)) return [];
  const good = await verifySignature(
    "ecdsa-sha384",
    leaf.publicKey,
    signedBytes,
    signature,
    "ieee-p1363",
  );
  const expected = `by ${leaf.subject.commonName ?? "the endorsement key"}`;
  return good ? [] : [failure("snp-signature", expected, "not verifiable")];
}

function tcbFailures(
  report: SnpReport,
  line: SnpProductLine | undefined,
  extensions: AmdExtensions | undefined,
): Failure[] {
  if (line === undefined) return [];
  const failures: Failure[] = [];
  if (line === "Turin" && extensions !== undefined && !extensions.hasFmc) {
    failures.push(failure("snp-extension", AMD_EXTENSION.fmc, "missing", "fmc"));
  }
  const reported = snpTcb(report.reportedTcb, line);
  const current = snpTcb(report.currentTcb, line);
  const committed = snpTcb(report.committedTcb, line);
  if (extensions !== undefined && !isTcbEqual(reported, extensions.tcb)) {
    const expected = tcbText(extensions.tcb, line);
    failures.push(failure("snp-certificate-tcb", expected, tcbText(reported, line)));
  }
  const atMostCurrent = `at most ${tcbText(current, line)}`;
  if (!isTcbAtMost(reported, current)) {
    failures.push(failure("snp-tcb-reported", atMostCurrent, tcbText(reported, line)));
  }
  if (!isTcbAtMost(committed, current)) {
    failures.push(failure("snp-tcb-committed", atMostCurrent, tcbText(committed, line)));
  }
  return failures;
}

const NO_CHIP_ID = "00".repeat(64);

/** The report's chip is the VCEK's, unless the host masks it; a VLEK belongs to no chip. */
function chipFailures(
  report: SnpReport,
  signingKey: SnpSigningKey,
  line: SnpProductLine | undefined,
  extensions: AmdExtensions | undefined,
): Failure[] {
  if (extensions === undefined || line === undefined) return [];
  if (signingKey === "vlek") {
    const failures: Failure[] = [];
    if (extensions.cspId === undefined) {
      failures.push(failure("snp-extension", "the cloud provider's id", "missing", "cspId"));
    }
    if (report.chipId !== NO_CHIP_ID) {
      failures.push(failure("snp-chip-id", "zero with a VLEK", report.chipId));
    }
    return failures;
  }
  const { hardwareId } = extensions;
  const digits = line === "Turin" ? 16 : 128;
  if (hardwareId?.length !== digits) {
    const found = hardwareId === undefined ? "missing" : `${hardwareId.length / 2} bytes`;
    return [failure("snp-extension", `${digits / 2} bytes`, found, "hardwareId")];
  }
  if (report.chipKeyMasked && report.chipId === NO_CHIP_ID) return [];
  const expected = hardwareId.padEnd(128, "0");
  return report.chipId === expected ? [] : [failure("snp-chip-id", expected, report.chipId)];
}

function isCertificateFailure({ code }: Failure): boolean {
  return code === "certificate-malformed";
}

/** What could not be read, unless it is a failure. */
function warningsOf(candidates: Candidates, certificatesAreFailures: boolean) {
  const shown = candidates.malformed.filter(
    (each) => !certificatesAreFailures || !isCertificateFailure(each),
  );
  const unreadableOnes = shown.map(({ message, found }) => ({ message: `${message} (${found})` }));
  return [...candidates.warnings, ...unreadableOnes];
}
