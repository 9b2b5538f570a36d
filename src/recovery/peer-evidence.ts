/** The evidence that the other side of a peers' session showed, kept so that it can be judged by whichever manifest a call is about. */
import type { AppraisalPolicy, Appraiser, Evidence, Verdict } from "../attestation/index.ts";
import { failureFaults } from "../attestation/verdict.ts";
import type { CollateralSource } from "../authority/self-appraisal.ts";
import { QuorateError } from "../core/errors.ts";
import { err, ok } from "../core/result.ts";
import type { EvidenceVerifier } from "../transport/proof.ts";

/** What judging takes. */
export interface PeerEvidencePorts {
  readonly appraiser: Appraiser;
  readonly collateral: CollateralSource;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/**
 * Evidence of a session's other side. **Not judged by itself**: having one proves only that the other side showed it
 * inside the session.
 */
export class PeerEvidence {
  readonly evidence: Evidence;
  readonly #ports: PeerEvidencePorts;
  readonly #expectedReportData: Uint8Array;

  /** @param expectedReportData what ties the evidence to the session: the 64 bytes that it must carry. */
  constructor(ports: PeerEvidencePorts, evidence: Evidence, expectedReportData: Uint8Array) {
    const { platform, quote, certificates } = evidence;
    // The handshake's bytes are views into its buffer; this lives as long as the session.
    this.evidence = {
      platform,
      quote: new Uint8Array(quote),
      certificates: new Uint8Array(certificates),
    };
    this.#ports = ports;
    this.#expectedReportData = new Uint8Array(expectedReportData);
  }

  /**
   * Judges by one manifest, with the collateral of now. Cheap when repeated: the appraiser remembers what is genuine.
   *
   * @throws QuorateError `collateral-unavailable` and the like
   */
  async judge(policy: AppraisalPolicy): Promise<Verdict> {
    const { appraiser, collateral, now } = this.#ports;
    const { verdict } = await appraiser.appraise(this.evidence, {
      collateral: await collateral(this.evidence),
      policy,
      now: now(),
      expectedReportData: this.#expectedReportData,
    });
    return verdict;
  }

  /**
   * Only a coordinator of one manifest may go on.
   *
   * **Security:** seed, mesh CA keys and everything that a majority decides are for coordinators of the very manifest
   * that the call is about. A session says nothing about that; this does, and comes before every use.
   * @param who whose evidence it is as the reader of the error sees it: the callee refuses "the caller"
   * @param manifest which one, for people: "the manifest being recovered"
   * @throws QuorateError `attestation-failed` with every reason
   */
  async requireCoordinator(
    policy: AppraisalPolicy,
    who: "the caller" | "the peer",
    manifest: string,
  ): Promise<void> {
    const verdict = await this.judge(policy);
    const reason = coordinatorRefusal(verdict);
    if (reason === undefined) return;
    throw new QuorateError(
      "attestation-failed",
      `${who} is not a coordinator of ${manifest}: ${reason}`,
      {
        hint: "add its policy and reference values to the manifest; quorate manifest explain shows why evidence is refused",
        faults: failureFaults(verdict),
      },
    );
  }
}

/** Why a verdict does not make somebody a coordinator, in a few words; `undefined` if it does. */
export function coordinatorRefusal(verdict: Verdict | undefined): string | undefined {
  if (verdict?.identity?.role === "coordinator") return undefined;
  if (verdict === undefined) return "its evidence was not judged";
  if (verdict.accepted) return "its policy has the role workload";
  // What is wrong with the first set says more than that none matches.
  const first = verdict.mismatches[0]?.failures[0] ?? verdict.failures[0];
  return `its evidence is not accepted: ${first?.message ?? "no reason is known"}`;
}

/**
 * For the peers' port: refuses at the handshake who is no coordinator under the newest verified manifest.
 *
 * While `policy` gives none, everybody gets in unjudged: there is nothing to judge by, and no secret to protect.
 *
 * **Security:** being let in is never enough; every call that matters judges by its own manifest.
 */
export function peerEvidenceVerifier(
  ports: PeerEvidencePorts & { readonly policy: () => AppraisalPolicy | undefined },
): EvidenceVerifier<PeerEvidence> {
  return {
    async verify(evidence, reportData) {
      const peer = new PeerEvidence(ports, evidence, reportData);
      const policy = ports.policy();
      if (policy === undefined) return ok(peer);
      try {
        await peer.requireCoordinator(policy, "the caller", "the newest known manifest");
      } catch (error) {
        if (error instanceof QuorateError) return err(error);
        throw error;
      }
      return ok(peer);
    },
  };
}

/**
 * For connecting to peers: keeps the evidence and judges nothing, because a peer may satisfy only the next manifest.
 *
 * **Security:** anybody can be on the other side. Whoever uses what the peer says, or gives it something, judges first.
 */
export function unjudgedPeerEvidence(ports: PeerEvidencePorts): EvidenceVerifier<PeerEvidence> {
  return {
    verify: (evidence, reportData) =>
      Promise.resolve(ok(new PeerEvidence(ports, evidence, reportData))),
  };
}
