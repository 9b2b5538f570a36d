/** Does an SEV-SNP report match a set of reference values? One check a rule, all failures at once. */
import {
  SNP_PLATFORM_INFO_BITS,
  type SnpGuestPolicyRules,
  type SnpReferenceValues,
} from "../../core/manifest/snp-reference-values.ts";
import type { SnpClaims } from "../claims.ts";
import { type Failure, type FailureCode, failure } from "../failure.ts";
import { GUEST_POLICY_BIT } from "./guest-policy.ts";
import type { SnpReport } from "./report.ts";
import { TCB_COMPONENTS, snpTcb } from "./tcb.ts";
import type { PolicyRole } from "../policy/appraisal-policy.ts";

/** Everything in which `claims` differ from `set`. */
export function snpSetFailures(
  claims: SnpClaims,
  set: SnpReferenceValues,
  role: PolicyRole,
): readonly Failure[] {
  const { report } = claims;
  return [
    ...equal("measurement-mismatch", set.measurement, report.measurement),
    ...tcbFailures(claims, set),
    ...firmwareFailures(claims, set),
    ...(report.vmpl === set.vmpl ? [] : [failure("snp-vmpl", set.vmpl, report.vmpl)]),
    ...guestPolicyFailures(report.policy, set.guestPolicy, role),
    ...platformInfoFailures(report, set),
    ...(set.requireRevocationCheck ? claims.revocationFailures : []),
    ...signerFailures(claims, set),
    ...(report.guestSvn >= set.minimumGuestSvn
      ? []
      : [failure("snp-guest-svn", `at least ${set.minimumGuestSvn}`, report.guestSvn)]),
    ...equal("snp-family-id", set.familyId, report.familyId),
    ...equal("snp-image-id", set.imageId, report.imageId),
    ...equal("snp-id-key", set.idKeyDigest, report.idKeyDigest),
    ...equal("snp-author-key", set.authorKeyDigest, report.authorKeyDigest),
  ];
}

function equal(code: FailureCode, expected: string | undefined, found: string): Failure[] {
  return expected === undefined || expected === found ? [] : [failure(code, expected, found)];
}

function tcbFailures({ report, productLine }: SnpClaims, set: SnpReferenceValues): Failure[] {
  // An unknown line is a failure of the verification already.
  if (productLine === undefined) return [];
  const minimum = set.minimumTcb.get(productLine);
  if (minimum === undefined) {
    const lines = [...set.minimumTcb.keys()].join(", ");
    return [failure("snp-product-not-allowed", lines, productLine)];
  }
  const versions = {
    committed: report.committedTcb,
    launch: report.launchTcb,
    reported: report.reportedTcb,
  };
  return Object.entries(versions).flatMap(([name, raw]) => {
    const tcb = snpTcb(raw, productLine);
    return TCB_COMPONENTS.filter((part) => tcb[part] < minimum[part]).map((part) =>
      failure("snp-tcb-minimum", `at least ${minimum[part]}`, tcb[part], `${name} ${part}`),
    );
  });
}

/** Provisional firmware: what runs is newer than what was committed, and may be taken back without a trace. */
function firmwareFailures({ report }: SnpClaims, set: SnpReferenceValues): Failure[] {
  if (set.allowProvisionalFirmware) return [];
  const committed = firmwareText(report.committedFirmware, report.committedTcb);
  const current = firmwareText(report.currentFirmware, report.currentTcb);
  return current === committed ? [] : [failure("snp-firmware-provisional", committed, current)];
}

function firmwareText(version: SnpReport["currentFirmware"], tcb: string): string {
  return `${version.major}.${version.minor}.${version.build}, TCB ${tcb}`;
}

function guestPolicyFailures(
  policy: bigint,
  rules: SnpGuestPolicyRules,
  role: PolicyRole,
): Failure[] {
  const has = (bit: number): boolean => ((policy >> BigInt(bit)) & 1n) === 1n;
  const failures: Failure[] = [];
  const forbid = (allowed: boolean, bit: number, code: FailureCode): void => {
    if (!allowed && has(bit)) failures.push(failure(code, `bit ${bit} zero`, "one"));
  };
  const demand = (required: boolean, bit: number, code: FailureCode): void => {
    if (required && !has(bit)) failures.push(failure(code, `bit ${bit} one`, "zero"));
  };
  const allowMigration = rules.allowMigrationAgent && role !== "coordinator";
  forbid(rules.allowDebug, GUEST_POLICY_BIT.debug, "snp-policy-debug");
  forbid(allowMigration, GUEST_POLICY_BIT.migrationAgent, "snp-policy-migration");
  forbid(rules.allowCxl, GUEST_POLICY_BIT.cxl, "snp-policy-cxl");
  forbid(rules.allowSmt, GUEST_POLICY_BIT.smt, "snp-policy-smt");
  demand(rules.requireSingleSocket, GUEST_POLICY_BIT.singleSocket, "snp-policy-single-socket");
  demand(rules.requireAes256Xts, GUEST_POLICY_BIT.aes256Xts, "snp-policy-aes-256-xts");
  demand(rules.requireRaplDisabled, GUEST_POLICY_BIT.raplDisabled, "snp-policy-rapl");
  demand(
    rules.requireCiphertextHiding,
    GUEST_POLICY_BIT.ciphertextHiding,
    "snp-policy-ciphertext-hiding",
  );
  demand(rules.requirePageSwapDisabled, GUEST_POLICY_BIT.pageSwapDisabled, "snp-policy-page-swap");
  const abi = Number(policy & 0xffffn);
  const { major, minor } = rules.minimumAbi;
  if (abi < major * 256 + minor) {
    const found = `${abi >> 8}.${abi & 0xff}`;
    failures.push(failure("snp-policy-abi", `at least ${major}.${minor}`, found));
  }
  return failures;
}

function platformInfoFailures({ platformInfo }: SnpReport, set: SnpReferenceValues): Failure[] {
  return [...set.platformInfo].flatMap(([fact, required]) => {
    const found = ((platformInfo >> BigInt(SNP_PLATFORM_INFO_BITS[fact])) & 1n) === 1n;
    if (found === required) return [];
    return [failure("snp-platform-info", String(required), String(found), fact)];
  });
}

function signerFailures(claims: SnpClaims, set: SnpReferenceValues): Failure[] {
  const failures: Failure[] = [];
  if (!set.signingKeys.includes(claims.signingKey)) {
    const expected = set.signingKeys.join(" or ");
    failures.push(failure("snp-signing-key-not-allowed", expected, claims.signingKey));
  }
  if (set.cspIds !== undefined && !set.cspIds.includes(claims.cspId ?? "")) {
    failures.push(failure("snp-csp-not-allowed", set.cspIds.join(", "), claims.cspId ?? "none"));
  }
  if (set.chipIds !== undefined && !set.chipIds.includes(claims.chipId ?? "")) {
    const expected = `one of ${set.chipIds.length} chips`;
    failures.push(failure("snp-chip-not-allowed", expected, claims.chipId ?? "none"));
  }
  return failures;
}
