/** What evidence says about who signed it and what runs, in one form for policy, status and people. */
import type { Sha256 } from "../core/brand.ts";
import type { SnpProductLine, SnpSigningKey } from "../core/manifest/snp-reference-values.ts";
import type { Failure } from "./failure.ts";
import type { SnpReport } from "./snp/report.ts";
import type { TcbAssessment } from "./tdx/tcb-status.ts";
import type { TdBody } from "./tdx/td-body.ts";

/** Claims of any platform. */
export interface CommonClaims {
  /** SHA-256 of the workload's policy document: SNP host data, or the first half of TDX MRCONFIGID. */
  readonly policyHash: Sha256;
  /** The launch measurement (SNP) or MRTD (TDX), 48 bytes in lower-case hex. */
  readonly measurement: string;
  /** 64 bytes in lower-case hex. */
  readonly reportData: string;
  /** SHA-256 of the SPKI of the root at the chain's end; `undefined` if the chain is broken. */
  readonly root: Sha256 | undefined;
  /** True if that root is a simulated one that was trusted for this verification. */
  readonly development: boolean;
}

/** Claims of an SEV-SNP report. */
export interface SnpClaims extends CommonClaims {
  readonly platform: "snp";
  readonly report: SnpReport;
  readonly signingKey: SnpSigningKey;
  readonly productLine: SnpProductLine | undefined;
  /** The chip that the VCEK belongs to, 64 bytes in hex; `undefined` for a VLEK. */
  readonly chipId: string | undefined;
  /** The cloud provider that the VLEK belongs to; `undefined` for a VCEK. */
  readonly cspId: string | undefined;
  /** Why no current revocation list of the root was checked; empty if one was. A set may demand it. */
  readonly revocationFailures: readonly Failure[];
}

/** Claims of a TDX quote. */
export interface TdxClaims extends CommonClaims {
  readonly platform: "tdx";
  readonly quoteVersion: 4 | 5;
  /** The TD report body, byte strings in lower-case hex. */
  readonly td: TdBody<string>;
  /** The processor family, 6 bytes in hex; `undefined` without a readable PCK certificate. */
  readonly fmspc: string | undefined;
  /** The machine, 16 bytes in hex; only PCK certificates of the platform CA name it. */
  readonly platformInstanceId: string | undefined;
  /** Intel's judgement; `undefined` if the collateral gives none. */
  readonly tcb: TdxTcb | undefined;
}

/** Intel's judgement of platform, TDX module and quoting enclave together. */
export interface TdxTcb extends TcbAssessment {
  /** The older one of TCB info's and QE identity's. */
  readonly evaluationDataNumber: number;
}

/** Claims of one platform; tell them apart by `platform`. */
export type Claims = SnpClaims | TdxClaims;
