/** Reference values for Intel TDX: what a quote must say to match one set of the manifest. */
import type { Sha256 } from "../brand.ts";
import { type Fields, boolean, integer, list, object, oneOf, text } from "../json/index.ts";
import { ALLOW_LIST, hex } from "./reference-value-readers.ts";

/** TCB statuses that a manifest may accept; `Revoked` never is. Intel's words (DCAP, TCB info version 3). */
const TDX_TCB_STATUSES = [
  "UpToDate",
  "SWHardeningNeeded",
  "ConfigurationNeeded",
  "ConfigurationAndSWHardeningNeeded",
  "OutOfDate",
  "OutOfDateConfigurationNeeded",
] as const;
/** One of {@link TDX_TCB_STATUSES}. */
export type TdxTcbStatus = (typeof TDX_TCB_STATUSES)[number];

/** 8 bytes that must equal `value` wherever `mask` has a one. Lower-case hex in the quote's byte order. */
export interface MaskedBytes {
  readonly value: string;
  /** @default all ones */
  readonly mask: string;
}

/** One set for TDX. Byte strings are lower-case hex. `undefined` leaves a value unchecked unless said otherwise. */
export interface TdxReferenceValues {
  readonly platform: "tdx";
  /** SHA-256 of the simulated root's SPKI: makes this a development set. */
  readonly developmentRoot: Sha256 | undefined;
  /** Measurement of the initial TD contents, 48 bytes, like the following ones. */
  readonly mrtd: string;
  readonly rtmr0: string | undefined;
  readonly rtmr1: string | undefined;
  readonly rtmr2: string | undefined;
  readonly rtmr3: string | undefined;
  readonly mrSeam: string | undefined;
  readonly mrConfigId: string | undefined;
  readonly mrOwner: string | undefined;
  readonly mrOwnerConfig: string | undefined;
  /** Measurement of the service TD that may be bound. `undefined`: none, the field must be zero. */
  readonly mrServiceTd: string | undefined;
  readonly tdAttributes: MaskedBytes | undefined;
  readonly xfam: MaskedBytes | undefined;
  /** Never honoured for the coordinator role. @default false */
  readonly allowMigratable: boolean;
  /** Demand that the guest gets no #VE for its private pages. @default true */
  readonly requireSeptVeDisable: boolean;
  /** Accepted converged statuses. @default UpToDate and SWHardeningNeeded */
  readonly tcbStatuses: readonly TdxTcbStatus[];
  /** Security advisories that may be open on the platform. `undefined`: the status alone decides. */
  readonly acceptedAdvisories: readonly string[] | undefined;
  /** Refuse TCB info and QE identity of an older evaluation. @default 0 */
  readonly minimumTcbEvaluationDataNumber: number;
  /** Platform instance ids, 16 bytes each, if only some machines are acceptable. */
  readonly platformInstanceIds: readonly string[] | undefined;
}

/** Reads the fields of a set beside `platform`. */
export function readTdxReferenceValues(
  fields: Fields,
  developmentRoot: Sha256 | undefined,
): TdxReferenceValues | undefined {
  const mrtd = fields.required("mrtd", hex(48));
  const rest = {
    rtmr0: fields.optional("rtmr0", hex(48)),
    rtmr1: fields.optional("rtmr1", hex(48)),
    rtmr2: fields.optional("rtmr2", hex(48)),
    rtmr3: fields.optional("rtmr3", hex(48)),
    mrSeam: fields.optional("mrSeam", hex(48)),
    mrConfigId: fields.optional("mrConfigId", hex(48)),
    mrOwner: fields.optional("mrOwner", hex(48)),
    mrOwnerConfig: fields.optional("mrOwnerConfig", hex(48)),
    mrServiceTd: fields.optional("mrServiceTd", hex(48)),
    tdAttributes: fields.optional("tdAttributes", maskedBytes),
    xfam: fields.optional("xfam", maskedBytes),
    allowMigratable: fields.optional("allowMigratable", boolean) ?? false,
    requireSeptVeDisable: fields.optional("requireSeptVeDisable", boolean) ?? true,
    tcbStatuses: fields.optional("tcbStatuses", tcbStatuses) ?? DEFAULT_TCB_STATUSES,
    acceptedAdvisories: fields.optional("acceptedAdvisories", list(advisory, ADVISORIES)),
    minimumTcbEvaluationDataNumber:
      fields.optional("minimumTcbEvaluationDataNumber", integer({ min: 0, max: 0x7fff_ffff })) ?? 0,
    platformInstanceIds: fields.optional("platformInstanceIds", list(hex(16), ALLOW_LIST)),
  };
  return mrtd === undefined ? undefined : { platform: "tdx", developmentRoot, mrtd, ...rest };
}

const DEFAULT_TCB_STATUSES: readonly TdxTcbStatus[] = ["UpToDate", "SWHardeningNeeded"];

/** An empty list is meaningful: no advisory may be open. */
const ADVISORIES = { min: 0, max: ALLOW_LIST.max };

const advisory = text("an advisory such as INTEL-SA-00837", (id) => /^INTEL-SA-\d{5}$/.test(id));

const tcbStatuses = list(oneOf(TDX_TCB_STATUSES), { min: 1, max: TDX_TCB_STATUSES.length });

const maskedBytes = object<MaskedBytes>((fields) => {
  const value = fields.required("value", hex(8));
  const mask = fields.optional("mask", hex(8)) ?? "ff".repeat(8);
  return value === undefined ? undefined : { value, mask };
});
