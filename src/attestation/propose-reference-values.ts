/**
 * Reference values from evidence that an operator trusts: the strictest set that the evidence matches, as the JSON
 * that a manifest holds.
 */
import type { Claims, SnpClaims, TdxClaims } from "./claims.ts";
import { GUEST_POLICY_BIT } from "./snp/guest-policy.ts";
import { TCB_COMPONENTS, snpTcb } from "./snp/tcb.ts";

/**
 * A set in the form of `manifest.referenceValues`. Its minimum TCB is the committed one of this very machine, and
 * what the evidence deviates from the defaults (SMT, debug, …) is allowed in so many words, to be seen and judged.
 *
 * **Security:** whoever puts the set into a manifest trusts this evidence. Verify it first.
 */
export function proposeReferenceValues(claims: Claims): Readonly<Record<string, unknown>> {
  const root = claims.development ? { developmentRoot: claims.root } : {};
  return claims.platform === "snp"
    ? { platform: "snp", ...root, ...snpValues(claims) }
    : { platform: "tdx", ...root, ...tdxValues(claims) };
}

function snpValues({ report, productLine, measurement, cspId }: SnpClaims) {
  const line = productLine ?? "Milan";
  const tcbs = [report.committedTcb, report.launchTcb, report.reportedTcb];
  const minimum = TCB_COMPONENTS.filter((part) => part !== "fmc" || line === "Turin").map(
    (part) => [part, Math.min(...tcbs.map((raw) => snpTcb(raw, line)[part]))],
  );
  const guestPolicy = snpGuestPolicy(report.policy);
  const isProvisional =
    report.currentTcb !== report.committedTcb ||
    JSON.stringify(report.currentFirmware) !== JSON.stringify(report.committedFirmware);
  return {
    measurement,
    minimumTcb: { [line]: Object.fromEntries(minimum) as Record<string, number> },
    ...(report.vmpl === 0 ? {} : { vmpl: report.vmpl }),
    guestPolicy,
    ...(isProvisional ? { allowProvisionalFirmware: true } : {}),
    ...(report.guestSvn === 0 ? {} : { minimumGuestSvn: report.guestSvn }),
    ...(cspId === undefined ? {} : { signingKeys: ["vlek"], cspIds: [cspId] }),
  };
}

function snpGuestPolicy(policy: bigint): Readonly<Record<string, unknown>> {
  const has = (bit: number): boolean => ((policy >> BigInt(bit)) & 1n) === 1n;
  const abi = Number(policy & 0xffffn);
  return {
    ...(has(GUEST_POLICY_BIT.debug) ? { allowDebug: true } : {}),
    ...(has(GUEST_POLICY_BIT.migrationAgent) ? { allowMigrationAgent: true } : {}),
    ...(has(GUEST_POLICY_BIT.cxl) ? { allowCxl: true } : {}),
    allowSmt: has(GUEST_POLICY_BIT.smt),
    minimumAbi: { major: abi >> 8, minor: abi & 0xff },
  };
}

function tdxValues({ td, tcb }: TdxClaims) {
  const zero = "00".repeat(48);
  const [rtmr0, rtmr1, rtmr2] = td.rtmrs;
  const attributes = Number.parseInt(td.tdAttributes.slice(6, 8), 16);
  const service = td.mrServiceTd ?? zero;
  const isDefaultStatus =
    tcb === undefined || ["UpToDate", "SWHardeningNeeded"].includes(tcb.status);
  return {
    mrtd: td.mrTd,
    // RTMR 3 is extended at run time, by the workload itself.
    rtmr0,
    rtmr1,
    rtmr2,
    mrSeam: td.mrSeam,
    xfam: { value: td.xfam },
    tdAttributes: { value: td.tdAttributes },
    ...(service === zero ? {} : { mrServiceTd: service }),
    ...((attributes & 0x10) !== 0 ? {} : { requireSeptVeDisable: false }),
    ...((attributes & 0x20) !== 0 ? { allowMigratable: true } : {}),
    ...(isDefaultStatus ? {} : { tcbStatuses: [tcb.status] }),
  };
}
