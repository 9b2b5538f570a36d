/** Intel's TCB statuses, and how those of platform, TDX module and quoting enclave become one. */

/** What a status says, as four independent facts. Intel's words are names for combinations of them. */
interface Facts {
  readonly revoked?: boolean;
  readonly outOfDate?: boolean;
  readonly configuration?: boolean;
  readonly hardening?: boolean;
}

const FACTS = {
  UpToDate: {},
  SWHardeningNeeded: { hardening: true },
  ConfigurationNeeded: { configuration: true },
  ConfigurationAndSWHardeningNeeded: { configuration: true, hardening: true },
  OutOfDate: { outOfDate: true },
  OutOfDateConfigurationNeeded: { outOfDate: true, configuration: true },
  Revoked: { revoked: true },
} as const satisfies Record<string, Facts>;

/** A status that Intel publishes (PCS API version 4, TCB info). */
export type TcbStatus = keyof typeof FACTS;

/** All of them, from good to bad. */
export const TCB_STATUSES = Object.keys(FACTS) as readonly TcbStatus[];

/** The status of one part, with the advisories that say why. */
export interface TcbAssessment {
  readonly status: TcbStatus;
  /** Intel's advisory ids, e.g. `INTEL-SA-01099`. */
  readonly advisories: readonly string[];
}

/**
 * One assessment for the whole of several parts, as Intel's quote verification library converges them: what is
 * wrong with a part is wrong with the whole. So `Revoked` wins; a part that is out of date makes an up-to-date
 * whole out of date (which swallows "hardening needed") and leaves "configuration needed" standing beside it.
 *
 * **Security:** no part improves the whole.
 */
export function convergeTcb(parts: readonly TcbAssessment[]): TcbAssessment {
  const facts: readonly Facts[] = parts.map(({ status }) => FACTS[status]);
  return {
    status: nameOf({
      revoked: facts.some(({ revoked }) => revoked),
      outOfDate: facts.some(({ outOfDate }) => outOfDate),
      configuration: facts.some(({ configuration }) => configuration),
      hardening: facts.some(({ hardening }) => hardening),
    }),
    advisories: [...new Set(parts.flatMap(({ advisories }) => advisories))].sort(),
  };
}

function nameOf({ revoked, outOfDate, configuration, hardening }: Required<Facts>): TcbStatus {
  if (revoked) return "Revoked";
  if (outOfDate) return configuration ? "OutOfDateConfigurationNeeded" : "OutOfDate";
  if (configuration) return hardening ? "ConfigurationAndSWHardeningNeeded" : "ConfigurationNeeded";
  return hardening ? "SWHardeningNeeded" : "UpToDate";
}
