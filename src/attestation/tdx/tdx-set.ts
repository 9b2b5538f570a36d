/** Does a TDX quote match a set of reference values? One check a rule, all failures at once. */
import type { MaskedBytes, TdxReferenceValues } from "../../core/manifest/tdx-reference-values.ts";
import type { TdxClaims } from "../claims.ts";
import { type Failure, type FailureCode, failure } from "../failure.ts";

/**
 * Everything in which `claims` differ from `set`.
 *
 * @param role a coordinator's TD is never migratable, whatever the set says.
 */
export function tdxSetFailures(
  claims: TdxClaims,
  set: TdxReferenceValues,
  role: "workload" | "coordinator",
): readonly Failure[] {
  const { td } = claims;
  return [
    ...equal("measurement-mismatch", set.mrtd, td.mrTd),
    ...[set.rtmr0, set.rtmr1, set.rtmr2, set.rtmr3].flatMap((expected, index) =>
      equal("tdx-rtmr", expected, td.rtmrs[index] ?? "", `RTMR${index}`),
    ),
    ...equal("tdx-mrseam", set.mrSeam, td.mrSeam),
    ...equal("tdx-mrconfigid", set.mrConfigId, td.mrConfigId),
    ...equal("tdx-mrowner", set.mrOwner, td.mrOwner),
    ...equal("tdx-mrownerconfig", set.mrOwnerConfig, td.mrOwnerConfig),
    // TD 1.0 has no service TDs, which is as good as none bound.
    ...equal("tdx-mrservicetd", set.mrServiceTd ?? NO_SERVICE_TD, td.mrServiceTd ?? NO_SERVICE_TD),
    ...attributeFailures(td.tdAttributes, set, role),
    ...maskedFailures("tdx-attributes", set.tdAttributes, td.tdAttributes),
    ...maskedFailures("tdx-xfam", set.xfam, td.xfam),
    ...tcbFailures(claims, set),
    ...machineFailures(claims, set),
  ];
}

const NO_SERVICE_TD = "00".repeat(48);

/** Bits of the TD attributes (Intel TDX module base specification, "ATTRIBUTES"). */
const DEBUG = 0n;
const SEPT_VE_DISABLE = 28n;
const MIGRATABLE = 29n;
/** Bits 0 to 7, "TD under debug": each of them gives the host a way in. */
const UNTRUSTED_BITS_EXCEPT_DEBUG = 0xfen;

function equal(
  code: FailureCode,
  expected: string | undefined,
  found: string,
  where?: string,
): Failure[] {
  if (expected === undefined || expected === found) return [];
  return [failure(code, expected, found, where)];
}

function attributeFailures(
  tdAttributes: string,
  set: TdxReferenceValues,
  role: "workload" | "coordinator",
): Failure[] {
  const bits = littleEndian(tdAttributes);
  const has = (bit: bigint): boolean => ((bits >> bit) & 1n) === 1n;
  const failures: Failure[] = [];
  const bitFailure = (code: FailureCode, bit: bigint, expected: string, found: string): void => {
    failures.push(failure(code, `bit ${bit.toString()} ${expected}`, found));
  };
  if (has(DEBUG)) bitFailure("tdx-debug", DEBUG, "zero", "one");
  const untrusted = bits & UNTRUSTED_BITS_EXCEPT_DEBUG;
  if (untrusted !== 0n) {
    failures.push(failure("tdx-untrusted-bits", "0x0", `0x${untrusted.toString(16)}`));
  }
  if (has(MIGRATABLE) && (!set.allowMigratable || role === "coordinator")) {
    bitFailure("tdx-migratable", MIGRATABLE, "zero", "one");
  }
  if (set.requireSeptVeDisable && !has(SEPT_VE_DISABLE)) {
    bitFailure("tdx-sept-ve-disable", SEPT_VE_DISABLE, "one", "zero");
  }
  return failures;
}

/** A 64-bit field, from hex in the quote's byte order. */
function littleEndian(hex: string): bigint {
  return Buffer.from(hex, "hex").readBigUInt64LE();
}

function maskedFailures(
  code: FailureCode,
  expected: MaskedBytes | undefined,
  found: string,
): Failure[] {
  if (expected === undefined) return [];
  const differing = BigInt(`0x${expected.value}`) ^ BigInt(`0x${found}`);
  if ((differing & BigInt(`0x${expected.mask}`)) === 0n) return [];
  return [failure(code, `${expected.value} under mask ${expected.mask}`, found)];
}

/** No failure without a judgement: its absence is a failure of the verification already. */
function tcbFailures({ tcb }: TdxClaims, set: TdxReferenceValues): Failure[] {
  if (tcb === undefined) return [];
  const failures: Failure[] = [];
  const accepted: readonly string[] = set.tcbStatuses;
  if (!accepted.includes(tcb.status)) {
    failures.push(failure("tdx-tcb-status", accepted.join(" or "), tcb.status));
  }
  const { acceptedAdvisories } = set;
  const open = tcb.advisories.filter((id) => acceptedAdvisories?.includes(id) === false);
  if (open.length > 0) {
    const expected = `none but ${acceptedAdvisories?.join(", ") ?? ""}`;
    failures.push(failure("tdx-tcb-advisory", expected, open.join(", ")));
  }
  if (tcb.evaluationDataNumber < set.minimumTcbEvaluationDataNumber) {
    const expected = `at least ${set.minimumTcbEvaluationDataNumber}`;
    failures.push(failure("tdx-tcb-evaluation", expected, tcb.evaluationDataNumber));
  }
  return failures;
}

function machineFailures({ platformInstanceId }: TdxClaims, set: TdxReferenceValues): Failure[] {
  const { platformInstanceIds } = set;
  if (platformInstanceIds === undefined) return [];
  if (platformInstanceId !== undefined && platformInstanceIds.includes(platformInstanceId))
    return [];
  const expected = `one of ${platformInstanceIds.length} machines`;
  return [failure("tdx-platform-instance", expected, platformInstanceId ?? "none")];
}
