/** What evidence says, for people and programs, without judging or proving any of it. */
import type { Evidence } from "./evidence.ts";
import type { Failure } from "./failure.ts";
import { GUEST_POLICY_BIT } from "./snp/guest-policy.ts";
import { parseCertificateTable } from "./snp/certificate-table.ts";
import { type SnpReport, parseSnpReport, snpProductLine } from "./snp/report.ts";
import { snpTcb, tcbText } from "./snp/tcb.ts";
import { SNP_PLATFORM_INFO_BITS } from "../core/manifest/snp-reference-values.ts";
import { parseTdxQuote } from "./tdx/quote.ts";
import { tdBodyText } from "./tdx/td-body.ts";

/** A named fact. Nested facts print indented. */
interface Fact {
  readonly name: string;
  readonly value: string;
}

/** The facts of one piece of evidence, and why it could not be read, or not wholly. */
export interface Description {
  readonly platform: Evidence["platform"];
  readonly facts: readonly Fact[];
  readonly failures: readonly Failure[];
}

/** Reads the evidence's form. Nothing is proved: whoever wants to rely on a fact verifies the evidence. */
export function describeEvidence(evidence: Evidence): Description {
  return evidence.platform === "snp" ? describeSnp(evidence) : describeTdx(evidence);
}

function describeSnp(evidence: Evidence): Description {
  const { parsed, failures } = parseSnpReport(evidence.quote);
  const facts = parsed === undefined ? [] : snpFacts(parsed.report);
  const table = parseCertificateTable(evidence.certificates);
  if (table.entries.length > 0) {
    const entries = table.entries.map(({ kind, data }) => `${kind} (${data.length} bytes)`);
    facts.push({ name: "host's certificates", value: entries.join(", ") });
  }
  return { platform: "snp", facts, failures };
}

function snpFacts(report: SnpReport): Fact[] {
  const { cpuid } = report;
  const line = cpuid === undefined ? undefined : snpProductLine(cpuid);
  // Version 2 does not name its processor; before Turin all have one layout.
  const tcb = (raw: string): string => tcbText(snpTcb(raw, line ?? "Milan"), line ?? "Milan");
  const firmware = ({ major, minor, build }: SnpReport["currentFirmware"]): string =>
    `${major}.${minor} build ${build}`;
  const signers: Readonly<Record<number, string>> = { 0: "VCEK", 1: "VLEK", 7: "none" };
  const facts: [string, string | number][] = [
    ["report version", report.version],
    ["processor", processorText(cpuid, line)],
    ["measurement", report.measurement],
    ["host data (policy hash)", report.hostData],
    ["report data", report.reportData],
    ["VMPL", report.vmpl],
    ["guest SVN", report.guestSvn],
    ["guest policy", `${hex(report.policy)}: ${guestPolicyText(report.policy)}`],
    ["platform info", `${hex(report.platformInfo)}: ${platformInfoText(report.platformInfo)}`],
    ["signing key", signers[report.signingKey] ?? report.signingKey],
    ["chip id", report.chipKeyMasked ? `${report.chipId} (masked)` : report.chipId],
    ["reported TCB", tcb(report.reportedTcb)],
    ["current TCB", tcb(report.currentTcb)],
    ["committed TCB", tcb(report.committedTcb)],
    ["launch TCB", tcb(report.launchTcb)],
    ["current firmware", firmware(report.currentFirmware)],
    ["committed firmware", firmware(report.committedFirmware)],
    ["family id", report.familyId],
    ["image id", report.imageId],
    ["id key digest", report.idKeyDigest],
    ["author key digest", report.authorKeyEnabled ? report.authorKeyDigest : "none"],
    ["report id", report.reportId],
    ["migration agent's report id", report.reportIdMigrationAgent],
  ];
  if (report.version >= 5) {
    facts.push(["launch mitigations", hex(report.launchMitigations)]);
    facts.push(["current mitigations", hex(report.currentMitigations)]);
  }
  return facts.map(([name, value]) => ({ name, value: String(value) }));
}

function processorText(cpuid: SnpReport["cpuid"], line: string | undefined): string {
  if (cpuid === undefined) return "not in this version";
  const { family, model, stepping } = cpuid;
  const numbers = `family 0x${family.toString(16)}, model 0x${model.toString(16)}`;
  return `${line ?? "unknown"} (${numbers}, stepping ${stepping})`;
}

function guestPolicyText(policy: bigint): string {
  const abi = Number(policy & 0xffffn);
  const bits = Object.entries(GUEST_POLICY_BIT)
    .filter(([name, bit]) => name !== "reserved" && hasBit(policy, bit))
    .map(([name]) => name);
  return [`ABI ${abi >> 8}.${abi & 0xff} or newer`, ...bits].join(", ");
}

function platformInfoText(info: bigint): string {
  const bits = Object.entries(SNP_PLATFORM_INFO_BITS).filter(([, bit]) => hasBit(info, bit));
  return bits.map(([name]) => name).join(", ") || "nothing";
}

function describeTdx(evidence: Evidence): Description {
  const parsed = parseTdxQuote(evidence.quote);
  if (!parsed.ok) return { platform: "tdx", facts: [], failures: [parsed.error] };
  const { version, body, trailingBytes } = parsed.value;
  const td = tdBodyText(body);
  const facts: [string, string | number | undefined][] = [
    ["quote version", version],
    ["MRTD", td.mrTd],
    ["MRCONFIGID (first half: policy hash)", td.mrConfigId],
    ["report data", td.reportData],
    ...td.rtmrs.map((rtmr, index): [string, string] => [`RTMR ${index}`, rtmr]),
    ["MROWNER", td.mrOwner],
    ["MROWNERCONFIG", td.mrOwnerConfig],
    ["MRSEAM", td.mrSeam],
    ["MRSIGNERSEAM", td.mrSignerSeam],
    ["SEAM attributes", td.seamAttributes],
    ["TD attributes", td.tdAttributes],
    ["XFAM", td.xfam],
    ["TEE TCB SVN", td.teeTcbSvn],
    ["TEE TCB SVN 2", td.teeTcbSvn2],
    ["MRSERVICETD", td.mrServiceTd],
    ["trailing bytes", trailingBytes],
  ];
  const known = facts.filter(([, value]) => value !== undefined);
  return {
    platform: "tdx",
    facts: known.map(([name, value]) => ({ name, value: String(value) })),
    failures: [],
  };
}

function hasBit(flags: bigint, bit: number): boolean {
  return ((flags >> BigInt(bit)) & 1n) === 1n;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
