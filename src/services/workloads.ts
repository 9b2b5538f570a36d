/** Who is on the other side of a mesh session, judged by the manifest in force: at the handshake, and again whenever it changes. */
import {
  appraiseClaims,
  type AppraisedIdentity,
  type Appraiser,
  type Evidence,
  type Verdict,
  type VerifiedEvidence,
} from "../attestation/index.ts";
import { allFailures, failureFaults } from "../attestation/verdict.ts";
import type { Authority } from "../authority/authority.ts";
import type { Enforced } from "../authority/enforced.ts";
import type { CollateralSource } from "../authority/self-appraisal.ts";
import type { Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { err, ok } from "../core/result.ts";
import { sha256 } from "../crypto/index.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { EvidenceVerifier } from "../transport/proof.ts";

/** A workload that proved itself in its session. */
export class Workload {
  /** SHA-256 of the quote that it showed. */
  readonly evidenceDigest: Sha256;
  readonly #verified: VerifiedEvidence;
  #judged: { readonly state: Enforced; readonly verdict: Verdict } | undefined;

  constructor(evidence: Evidence, verified: VerifiedEvidence) {
    this.evidenceDigest = sha256(evidence.quote);
    this.#verified = verified;
  }

  /**
   * Who it is under a state. Judged anew for every state, and when what its evidence rests on has expired.
   *
   * **Security:** a session outlives manifests. Without this a workload that an update excluded would go on renewing.
   * @throws QuorateError `attestation-failed` with every reason
   */
  identityUnder(state: Enforced, now: number): AppraisedIdentity {
    const { notBefore, notAfter } = this.#verified.validity;
    if (this.#judged?.state !== state || now < notBefore || now > notAfter) {
      this.#judged = { state, verdict: appraiseClaims(this.#verified, state.policy, now) };
    }
    const { identity } = this.#judged.verdict;
    if (identity === undefined) throw refusal(this.#judged.verdict);
    return identity;
  }
}

/** Judges the fresh quotes of workloads by the manifest in force. */
export function workloadVerifier(ports: {
  readonly authority: Authority;
  readonly appraiser: Appraiser;
  readonly collateral: CollateralSource;
  readonly metrics: Metrics;
  readonly now: () => number;
}): EvidenceVerifier<Workload> {
  const { authority, appraiser, collateral, metrics, now } = ports;
  return {
    async verify(evidence, reportData) {
      const { lifecycle } = authority;
      if (lifecycle.kind !== "ready") return err(authority.notReady());
      const state = lifecycle.state.payload;
      const context = {
        collateral: await collateral(evidence),
        policy: state.policy,
        now: now(),
        expectedReportData: reportData,
      };
      const { verdict, verified } = await appraiser.appraise(evidence, context);
      if (!verdict.accepted) {
        metrics.appraisals.inc({ result: "refused", reason: allFailures(verdict)[0]?.code ?? "" });
        return err(refusal(verdict));
      }
      metrics.appraisals.inc({ result: "accepted", reason: "" });
      return ok(new Workload(evidence, verified));
    },
  };
}

/** The verdict as an error that tells the workload's operator everything at once. */
function refusal(verdict: Verdict): QuorateError {
  const failures = allFailures(verdict);
  const first = failures[0]?.message ?? "the evidence is not accepted";
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : "";
  return new QuorateError(
    "attestation-failed",
    `the manifest in force does not admit this evidence: ${first}${more}`,
    {
      hint: "quorate manifest explain shows what the manifest would accept",
      faults: failureFaults(verdict),
    },
  );
}
