/** When what this coordinator's own quote rests on expires: from then on nobody believes it. */
import type { Appraiser } from "../attestation/index.ts";
import type { Authority } from "../authority/authority.ts";
import type { CollateralSource, SelfAppraisal } from "../authority/self-appraisal.ts";
import type { Metrics } from "../observability/metrics.ts";

export interface EvidenceExpiryPorts {
  readonly metrics: Metrics;
  readonly authority: Authority;
  readonly self: SelfAppraisal;
  readonly appraiser: Appraiser;
  readonly collateral: CollateralSource;
  readonly now: () => number;
}

/** Renews the metric at every scrape, for the next one: no scrape waits for a vendor's service. */
export function watchEvidenceExpiry(ports: EvidenceExpiryPorts): void {
  let asking = false;
  ports.metrics.onScrape(() => {
    if (asking) return;
    asking = true;
    void expiryOf(ports)
      // Unknown: the reason shows where the evidence is used, and need not show twice.
      .catch(() => 0)
      .then((milliseconds) => {
        ports.metrics.evidenceExpiry.set(milliseconds / 1000);
        asking = false;
      });
  });
}

/** Milliseconds since the Unix epoch; 0 if the evidence does not verify, which is not known before there is a manifest. */
async function expiryOf(ports: EvidenceExpiryPorts): Promise<number> {
  const { authority, self, appraiser, collateral, now } = ports;
  const evidence = await self.evidence();
  const { failures, validity } = await appraiser.verify(evidence, {
    collateral: await collateral(evidence),
    now: now(),
    developmentRoots: authority.state?.payload.policy.developmentRoots ?? new Set(),
  });
  return failures.length === 0 ? validity.notAfter : 0;
}
