/**
 * A simulated Intel whose every certificate, list, document and quote can be made wrong in one place: the tests'
 * source of evidence that breaks exactly one rule.
 */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { CertificateContent } from "../../../src/attestation/dev/certificate-writer.ts";
import {
  intelContent,
  type IntelContent,
  type IntelKeys,
  type IntelParty,
  intelSigners,
  issueIntel,
  makeIntelKeys,
  SIMULATED_QE,
} from "../../../src/attestation/dev/simulated-intel.ts";
import {
  type WrittenQeReport,
  type WrittenTdxQuote,
  writeTdxQuote,
} from "../../../src/attestation/dev/tdx-quote-writer.ts";
import { simulatedTdBody } from "../../../src/attestation/dev/tdx-vendor.ts";
import type { Evidence } from "../../../src/attestation/evidence.ts";
import type { TdBody } from "../../../src/attestation/tdx/td-body.ts";
import type { Collateral } from "../../../src/attestation/verification.ts";
import type { Sha256 } from "../../../src/core/brand.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { sha256 } from "../../../src/crypto/hash.ts";

/** The clock of the simulated world. */
export const NOW = Date.parse("2026-06-01T12:00:00Z");
export const DAY = 86_400_000;
export const MEASUREMENT = "4d".repeat(48);
export const POLICY_HASH = sha256(utf8("a policy"));
export const QE_AUTH_DATA = new Uint8Array(32).fill(7);
export const REPORT_DATA = new Uint8Array(64).fill(0x72);

/** What to do differently from a proper Intel and a proper TD; everything left out is right. */
export interface TdxDeviations {
  readonly version?: 4 | 5;
  readonly body?: Partial<TdBody<string>>;
  readonly qeReport?: Partial<WrittenQeReport>;
  readonly certificates?: Partial<Record<IntelParty, Partial<CertificateContent>>>;
  /** Changes to what Intel issues, before it is signed. */
  readonly content?: (content: IntelContent) => Partial<IntelContent>;
  /** Other keys that sign what the party signs. */
  readonly signers?: Partial<Record<IntelParty | "attestation" | "qeReport", KeyObject>>;
  readonly pckChainPem?: (pem: Uint8Array) => Uint8Array;
  readonly collateral?: (collateral: Collateral) => Partial<Collateral>;
  /** Changes the signed quote's bytes. */
  readonly quoteBytes?: (quote: Uint8Array) => Uint8Array;
}

export interface MadeTdxEvidence {
  readonly evidence: Evidence;
  readonly collateral: Collateral;
  readonly root: Sha256;
}

/** Key pairs made once: keys of one party never matter to another. */
export const intelKeys: IntelKeys = await makeIntelKeys();
export const attestationKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });
export const strangerKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** Evidence and collateral with the given deviations. */
export async function makeTdxEvidence(deviations: TdxDeviations = {}): Promise<MadeTdxEvidence> {
  const proper = intelContent(intelKeys, { notBefore: NOW - 10 * DAY, notAfter: NOW + 10 * DAY });
  const certificates = { ...proper.certificates };
  for (const party of ["root", "authority", "pck", "tcbSigner"] as const) {
    certificates[party] = { ...certificates[party], ...deviations.certificates?.[party] };
  }
  const changed = { ...proper, certificates };
  const content = { ...changed, ...deviations.content?.(changed) };
  const signers = { ...intelSigners(intelKeys), ...deviations.signers };
  const issued = await issueIntel(content, signers);
  const body = simulatedTdBody({
    measurement: MEASUREMENT,
    policyHash: POLICY_HASH,
    reportData: REPORT_DATA,
  });
  const fields: WrittenTdxQuote = {
    version: deviations.version ?? 4,
    body: { ...body, ...deviations.body },
    qeReport: { ...SIMULATED_QE, ...deviations.qeReport },
    qeAuthData: QE_AUTH_DATA,
  };
  const { publicKey, privateKey } = attestationKeys;
  const attestation = { publicKey, privateKey: deviations.signers?.attestation ?? privateKey };
  const pck = deviations.signers?.qeReport ?? signers.pck;
  const pem = deviations.pckChainPem?.(issued.pckChainPem) ?? issued.pckChainPem;
  const quote = await writeTdxQuote(fields, { attestation, pck }, pem);
  return {
    evidence: {
      platform: "tdx",
      quote: deviations.quoteBytes?.(quote) ?? quote,
      certificates: new Uint8Array(),
    },
    collateral: { ...issued.collateral, ...deviations.collateral?.(issued.collateral) },
    root: sha256(certificates.root.publicKey.export({ format: "der", type: "spki" })),
  };
}
