/** Intel's TCB info for TDX (PCS API version 4, TCB info version 3): which security versions have which status. */
import {
  type Fields,
  type Reader,
  hexBytes,
  integer,
  list,
  oneOf,
  text,
} from "../../core/json/index.ts";
import type { Result } from "../../core/result.ts";
import { complete, openObject, parseSignedJson, type SignedJson, utcTime } from "./signed-json.ts";
import { TCB_STATUSES, type TcbAssessment } from "./tcb-status.ts";

/** The part of a TCB info document that appraisal uses. Times are milliseconds since the Unix epoch. */
export interface TcbInfo {
  readonly issueDate: number;
  readonly nextUpdate: number;
  /** 6 and 2 bytes: the processors that this document is about. */
  readonly fmspc: Uint8Array;
  readonly pceId: Uint8Array;
  /** Grows with every round of Intel's TCB recovery. */
  readonly tcbEvaluationDataNumber: number;
  /** What a module without a version of its own (`tee_tcb_svn[1]` = 0) must be. */
  readonly tdxModule: ModuleSigner;
  /** By id, `TDX_01` and so on. */
  readonly tdxModuleIdentities: readonly ModuleIdentity[];
  /** In the document's order, in which the first match counts. */
  readonly tcbLevels: readonly PlatformTcbLevel[];
}

/** Who signed a TDX module, and with which attributes. */
export interface ModuleSigner {
  /** 48 bytes. */
  readonly mrSigner: Uint8Array;
  /** 8 bytes each; only bits of the mask count. */
  readonly attributes: Uint8Array;
  readonly attributesMask: Uint8Array;
}

/** One generation of TDX modules. */
export interface ModuleIdentity extends ModuleSigner {
  readonly id: string;
  readonly tcbLevels: readonly IsvSvnLevel[];
}

/** The assessment of everything from this `isvSvn` up. */
export interface IsvSvnLevel extends TcbAssessment {
  readonly isvSvn: number;
}

/** The assessment of a platform that reaches all of these security versions. */
export interface PlatformTcbLevel extends TcbAssessment {
  /** 16 each. */
  readonly sgxComponents: readonly number[];
  readonly tdxComponents: readonly number[];
  readonly pceSvn: number;
}

/** Reads the PCS document `{"tcbInfo": …, "signature": …}`. Its signature is still to be checked. */
export function parseTcbInfo(document: Uint8Array): Result<SignedJson<TcbInfo>, string> {
  return parseSignedJson(document, "tcbInfo", tcbInfo);
}

const COMPONENTS = 16;
/** Levels of one list: real documents have fewer than 20. */
const LEVELS_MAX = 128;
const IDENTITIES_MAX = 32;
const ADVISORIES_MAX = 256;
/** Intel counts in small steps: 18 in 2026. */
export const evaluationNumber = integer({ min: 0, max: 0xffff_ffff });
const uint16 = integer({ min: 0, max: 0xffff });

const advisories: Reader<readonly string[]> = list(
  text("an advisory id", (id) => /^[A-Za-z0-9-]{1,40}$/.test(id)),
  { min: 0, max: ADVISORIES_MAX },
);

/** Levels of modules and enclaves, which have one security version. */
export const isvSvnLevels: Reader<readonly IsvSvnLevel[]> = list(
  openObject((fields) => {
    const isvSvn = fields.required(
      "tcb",
      openObject((tcb) => tcb.required("isvsvn", uint16)),
    );
    const status = fields.required("tcbStatus", oneOf(TCB_STATUSES));
    const named = fields.optional("advisoryIDs", advisories) ?? [];
    return complete<IsvSvnLevel>({ isvSvn, status, advisories: named });
  }),
  { min: 1, max: LEVELS_MAX },
);

const components: Reader<readonly number[]> = list(
  openObject((fields) => fields.required("svn", integer({ min: 0, max: 0xff }))),
  { min: COMPONENTS, max: COMPONENTS },
);

const levelTcb: Reader<Omit<PlatformTcbLevel, keyof TcbAssessment>> = openObject((fields) =>
  complete<Omit<PlatformTcbLevel, keyof TcbAssessment>>({
    sgxComponents: fields.required("sgxtcbcomponents", components),
    tdxComponents: fields.required("tdxtcbcomponents", components),
    pceSvn: fields.required("pcesvn", uint16),
  }),
);

const platformLevel: Reader<PlatformTcbLevel> = openObject((fields) => {
  const tcb = fields.required("tcb", levelTcb);
  const status = fields.required("tcbStatus", oneOf(TCB_STATUSES));
  const named = fields.optional("advisoryIDs", advisories) ?? [];
  if (tcb === undefined || status === undefined) return undefined;
  return { ...tcb, status, advisories: named };
});

const bytes = (length: number): Reader<Uint8Array> => hexBytes({ min: length, max: length });

function signerFields(fields: Fields): { [K in keyof ModuleSigner]: ModuleSigner[K] | undefined } {
  return {
    mrSigner: fields.required("mrsigner", bytes(48)),
    attributes: fields.required("attributes", bytes(8)),
    attributesMask: fields.required("attributesMask", bytes(8)),
  };
}

const moduleId = text("an id like TDX_01", (id) => /^TDX_[0-9A-F]{2}$/.test(id));

const moduleIdentity: Reader<ModuleIdentity> = openObject((fields) =>
  complete<ModuleIdentity>({
    ...signerFields(fields),
    id: fields.required("id", moduleId),
    tcbLevels: fields.required("tcbLevels", isvSvnLevels),
  }),
);

const tcbInfo: Reader<TcbInfo> = openObject((fields) => {
  fields.required("id", oneOf(["TDX"]));
  fields.required("version", integer({ min: 3, max: 3 }));
  fields.required("tcbType", integer({ min: 0, max: 0 }));
  const identities = list(moduleIdentity, { min: 0, max: IDENTITIES_MAX });
  return complete<TcbInfo>({
    issueDate: fields.required("issueDate", utcTime),
    nextUpdate: fields.required("nextUpdate", utcTime),
    fmspc: fields.required("fmspc", bytes(6)),
    pceId: fields.required("pceId", bytes(2)),
    tcbEvaluationDataNumber: fields.required("tcbEvaluationDataNumber", evaluationNumber),
    tdxModule: fields.required(
      "tdxModule",
      openObject((inner) => complete<ModuleSigner>(signerFields(inner))),
    ),
    tdxModuleIdentities: fields.optional("tdxModuleIdentities", identities) ?? [],
    tcbLevels: fields.required("tcbLevels", list(platformLevel, { min: 1, max: LEVELS_MAX })),
  });
});
