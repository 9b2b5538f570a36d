/** What a verifier will want beside a piece of evidence: read off the evidence, before anything in it is proved. */
import { toHex } from "../../core/bytes.ts";
import type {
  SnpProductLine,
  SnpSigningKey,
  SnpTcb,
} from "../../core/manifest/snp-reference-values.ts";
import { parseCertificate } from "../../crypto/x509-view.ts";
import { sha256 } from "../../crypto/hash.ts";
import { utf8 } from "../../core/bytes.ts";
import type { Evidence } from "../evidence.ts";
import { parseCertificateTable } from "../snp/certificate-table.ts";
import { parseSnpReport, snpProductLine } from "../snp/report.ts";
import { snpTcb, TCB_COMPONENTS } from "../snp/tcb.ts";
import { PCK_EXTENSION_OID, parsePckExtension } from "../tdx/pck-extension.ts";
import { decodePemChain } from "../tdx/pem.ts";
import { parseTdxQuote } from "../tdx/quote.ts";

/** Which of Intel's authorities issued a PCK certificate. */
export type PckAuthority = "platform" | "processor";

/** One piece of collateral that a vendor's service has. */
export type CollateralNeed =
  /** A chip's endorsement certificate. `chipId`: hex, as the service wants it (Turin: 8 bytes). */
  | {
      readonly kind: "snp-vcek";
      readonly line: SnpProductLine;
      readonly chipId: string;
      readonly tcb: SnpTcb;
    }
  /** Intermediate and root. */
  | {
      readonly kind: "snp-chain" | "snp-crl";
      readonly line: SnpProductLine;
      readonly signingKey: SnpSigningKey;
    }
  | { readonly kind: "tdx-tcb-info"; readonly fmspc: string }
  | { readonly kind: "tdx-qe-identity" }
  | { readonly kind: "tdx-pck-crl"; readonly authority: PckAuthority }
  | { readonly kind: "tdx-root-crl" };

/** What `evidence` needs and does not carry itself; nothing if it cannot be read. */
export function needsOf(evidence: Evidence): readonly CollateralNeed[] {
  return evidence.platform === "snp" ? snpNeeds(evidence) : tdxNeeds(evidence);
}

/** A name for caches and files: lower-case letters, digits and `-`, different for different needs. */
export function needName(need: CollateralNeed): string {
  switch (need.kind) {
    case "snp-vcek": {
      const tcb = TCB_COMPONENTS.map((component) => need.tcb[component]).join(".");
      const machine = sha256(utf8(`${need.chipId} ${tcb}`));
      return `snp-vcek-${need.line.toLowerCase()}-${machine}`;
    }
    case "snp-chain":
    case "snp-crl":
      return `${need.kind}-${need.line.toLowerCase()}-${need.signingKey}`;
    case "tdx-tcb-info":
      return `tdx-tcb-info-${need.fmspc}`;
    case "tdx-pck-crl":
      return `tdx-pck-crl-${need.authority}`;
    case "tdx-qe-identity":
    case "tdx-root-crl":
      return need.kind;
  }
}

const NO_CHIP_ID = /^0*$/;

function snpNeeds({ quote, certificates }: Evidence): readonly CollateralNeed[] {
  const report = parseSnpReport(quote).parsed?.report;
  // Reports of version 2 don't name the processor; their hosts provide certificates, or an operator imports them.
  const line = report?.cpuid === undefined ? undefined : snpProductLine(report.cpuid);
  if (report === undefined || line === undefined) return [];
  const signingKey: SnpSigningKey = report.signingKey === 1 ? "vlek" : "vcek";
  const embedded = new Set(parseCertificateTable(certificates).entries.map(({ kind }) => kind));
  const needs: CollateralNeed[] = [];
  // VLEKs come from the cloud provider only; masked chips are unknown.
  if (signingKey === "vcek" && !embedded.has("vcek") && !NO_CHIP_ID.test(report.chipId)) {
    const chipId = line === "Turin" ? report.chipId.slice(0, 16) : report.chipId;
    needs.push({ kind: "snp-vcek", line, chipId, tcb: snpTcb(report.reportedTcb, line) });
  }
  if (!embedded.has("ask") || !embedded.has("ark"))
    needs.push({ kind: "snp-chain", line, signingKey });
  needs.push({ kind: "snp-crl", line, signingKey });
  return needs;
}

function tdxNeeds({ quote }: Evidence): readonly CollateralNeed[] {
  const parsed = parseTdxQuote(quote);
  const chain = parsed.ok ? decodePemChain(parsed.value.pckChainPem) : undefined;
  const der = chain?.ok === true ? chain.value[0] : undefined;
  const pck = der === undefined ? undefined : parseCertificate(der);
  if (pck?.ok !== true) return [];
  const { extensions, issuer } = pck.value;
  const value = extensions.get(PCK_EXTENSION_OID)?.value;
  const extension = value === undefined ? undefined : parsePckExtension(value);
  if (extension?.ok !== true) return [];
  const authority = issuer.commonName?.includes("Processor") === true ? "processor" : "platform";
  return [
    { kind: "tdx-tcb-info", fmspc: toHex(extension.value.fmspc) },
    { kind: "tdx-qe-identity" },
    { kind: "tdx-pck-crl", authority },
    { kind: "tdx-root-crl" },
  ];
}
