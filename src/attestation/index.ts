/** Evidence: appraising and issuing it. See the folder's README. */
export { type Appraisal, type AppraisalContext, Appraiser } from "./appraiser.ts";
export type { Claims, CommonClaims, SnpClaims, TdxClaims } from "./claims.ts";
export { developmentMeasurement } from "./dev/development-measurement.ts";
export { parseCollateralFile } from "./collateral/collateral-file.ts";
export { CollateralFolder } from "./collateral/collateral-folder.ts";
export { mergeCollateral } from "./collateral/collateral-piece.ts";
export {
  CachingCollateralProvider,
  type CollateralOrigins,
  type CollateralProvider,
  type ProvidedCollateral,
} from "./collateral/collateral-provider.ts";
export {
  type CollateralSource,
  HttpCollateralSource,
  type HttpEndpoints,
} from "./collateral/http-source.ts";
export { detectPlatform } from "./configfs-tsm/detect-platform.ts";
export { DevelopmentQuoter } from "./dev/development-quoter.ts";
export {
  type DevelopmentVendor,
  type SimulatedGuest,
  createDevelopmentVendor,
  loadDevelopmentVendor,
} from "./dev/development-vendor.ts";
export { SIMULATED_TCB } from "./dev/simulated-chain.ts";
export { type Description, describeEvidence } from "./describe.ts";
export type { Evidence } from "./evidence.ts";
export { formatEvidenceFile, parseEvidenceFile } from "./evidence-file.ts";
export { type Failure, type FailureCode } from "./failure.ts";
export {
  type AppraisalPolicy,
  type AppraisedPolicy,
  type PolicyRole,
  appraisalPolicy,
} from "./policy/appraisal-policy.ts";
export { appraiseClaims } from "./policy/appraise-claims.ts";
export { proposeReferenceValues } from "./propose-reference-values.ts";
export type { PlatformDescription, QuoteOptions, Quoter } from "./quoter.ts";
export { decodePemChain } from "./tdx/pem.ts";
export { type AppraisedIdentity, type SetMismatch, type Verdict } from "./verdict.ts";
export { type Collateral, NO_COLLATERAL, type VerifiedEvidence } from "./verification.ts";
