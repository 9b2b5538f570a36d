/** Evidence about this instance, and whether it satisfies a manifest. */
import {
  type AppraisalPolicy,
  type Appraiser,
  appraisalPolicy,
  type Collateral,
  type Evidence,
  type Quoter,
} from "../attestation/index.ts";
import { instanceReportData, type InstanceKeys } from "../attestation/report-data.ts";
import { failureFaults } from "../attestation/verdict.ts";
import { QuorateError } from "../core/errors.ts";
import type { Manifest } from "../core/manifest/index.ts";

/** How long an instance quote is shown before it is renewed, in milliseconds. */
const RENEWAL_MILLIS = 3_600_000;

/** Finds what a verifier needs beside the evidence. */
export type CollateralSource = (evidence: Evidence) => Promise<Collateral>;

export interface SelfAppraisalPorts {
  readonly quoter: Quoter;
  readonly instance: InstanceKeys;
  readonly appraiser: Appraiser;
  readonly collateral: CollateralSource;
  readonly allowDevelopment: boolean;
  readonly now: () => number;
}

/** This instance as others see it. */
export class SelfAppraisal {
  readonly #ports: SelfAppraisalPorts;
  #quote: { readonly evidence: Promise<Evidence>; readonly until: number } | undefined;

  constructor(ports: SelfAppraisalPorts) {
    this.#ports = ports;
  }

  /** The instance quote, renewed hourly; callers that come together share one. @throws QuorateError `quote-unavailable` and the like */
  evidence(): Promise<Evidence> {
    const { quoter, instance, now } = this.#ports;
    if (this.#quote === undefined || now() >= this.#quote.until) {
      const evidence = quoter.quote(instanceReportData(instance));
      this.#quote = { evidence, until: now() + RENEWAL_MILLIS };
      // A failed quote is not remembered.
      evidence.catch(() => (this.#quote = undefined));
    }
    return this.#quote.evidence;
  }

  /**
   * Whoever makes a record must satisfy it, by its own verifier.
   *
   * **Security:** without this a coordinator that the owners have just excluded would go on holding the mesh's secrets.
   * @throws QuorateError `attestation-failed` with every reason
   */
  async requireEligible(manifest: Manifest): Promise<void> {
    const { appraiser, instance, collateral, now, allowDevelopment } = this.#ports;
    const evidence = await this.evidence();
    const policy: AppraisalPolicy = appraisalPolicy(manifest, { allowDevelopment });
    const { verdict } = await appraiser.appraise(evidence, {
      collateral: await collateral(evidence),
      policy,
      now: now(),
      expectedReportData: instanceReportData(instance),
    });
    if (verdict.identity?.role === "coordinator") return;
    const reasons = failureFaults(verdict);
    const message = verdict.accepted
      ? "its policy has the role workload"
      : "its evidence is not accepted";
    throw new QuorateError(
      "attestation-failed",
      `this coordinator does not satisfy the manifest: ${message}`,
      {
        hint: "add this coordinator's policy and reference values to the manifest; quorate manifest explain shows why evidence is refused",
        faults: reasons,
      },
    );
  }
}
