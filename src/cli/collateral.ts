/** Where a coordinator gets the vendors' certificates, revocation lists and TCB information. */
import {
  CachingCollateralProvider,
  CollateralFolder,
  type Evidence,
  HttpCollateralSource,
  NO_COLLATERAL,
} from "../attestation/index.ts";
import type { CollateralSource } from "../authority/self-appraisal.ts";
import type { QuorateError } from "../core/errors.ts";
import type { Logger } from "../observability/log.ts";
import { flag } from "./options.ts";

export interface CollateralOptions {
  readonly collateralCache?: string;
  readonly kdsUrl?: string;
  readonly pcsUrl?: string;
  readonly insecureDevAttestation?: string;
}

export function collateralFlags() {
  return [
    flag(
      "--collateral-cache <folder>",
      "keep fetched collateral there, or bring it there for an air-gapped site",
    ),
    flag(
      "--kds-url <url>",
      "AMD's key distribution service, or a mirror, e.g. https://kdsintf.amd.com",
    ),
    flag(
      "--pcs-url <url>",
      "Intel's provisioning certification service, or a PCCS, e.g. https://api.trustedservices.intel.com",
    ),
  ];
}

/** What verifiers are given beside evidence. None of it is trusted before it is verified; simulated evidence brings its own. */
export function openCollateral(options: CollateralOptions, log: Logger): CollateralSource {
  if (options.insecureDevAttestation !== undefined) return () => Promise.resolve(NO_COLLATERAL);
  const provider = new CachingCollateralProvider({
    source: new HttpCollateralSource({ kds: options.kdsUrl, pcs: options.pcsUrl }),
    folder:
      options.collateralCache === undefined
        ? undefined
        : new CollateralFolder(options.collateralCache),
  });
  // Asked before every issuance: a problem is said once, and again when another try has failed.
  const said = new WeakSet<QuorateError>();
  return async (evidence: Evidence) => {
    const { collateral, problems } = await provider.get(evidence);
    for (const error of problems) {
      if (!said.has(error)) log.warn({ error }, "collateral is missing or old");
      said.add(error);
    }
    return collateral;
  };
}
