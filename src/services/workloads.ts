/**
 * Who is on the other side of a mesh session, judged by the manifest in force and by the collateral of the moment: at
 * the handshake, and again before an issuance whenever one of them has changed since.
 */
import {
  appraiseClaims,
  type AppraisedIdentity,
  type Appraiser,
  type Collateral,
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
import type { EllipticPublicKey } from "../crypto/elliptic-key.ts";
import { sha256 } from "../crypto/index.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { EvidenceVerifier } from "../transport/proof.ts";

/** What judging stands on. */
interface JudgingPorts {
  readonly appraiser: Appraiser;
  readonly collateral: CollateralSource;
  readonly metrics: Metrics;
}

/** What was judged, by what, and what came out. */
interface Judgement {
  readonly state: Enforced;
  readonly collateral: Collateral;
  readonly verified: VerifiedEvidence;
  readonly verdict: Verdict;
  /** Whether the time lay in the evidence's validity; the verdict holds for as long as that stays so. */
  readonly wasValid: boolean;
}

/** A workload that proved itself in its session. */
export class Workload {
  /** SHA-256 of the quote that it showed. */
  readonly evidenceDigest: Sha256;
  /** Of its last certificate request: a renewal with the same key need not import it again. */
  requestKey: EllipticPublicKey | undefined;
  readonly #evidence: Evidence;
  readonly #reportData: Uint8Array;
  readonly #ports: JudgingPorts;
  #judged: Judgement;
  /** A judgement under way, which every issuance that wants the same one waits for. */
  #judging: (Pick<Judgement, "state" | "collateral"> & { outcome: Promise<Judgement> }) | undefined;

  private constructor(
    evidence: Evidence,
    reportData: Uint8Array,
    ports: JudgingPorts,
    judged: Judgement,
  ) {
    this.evidenceDigest = sha256(evidence.quote);
    this.#evidence = evidence;
    this.#reportData = reportData;
    this.#ports = ports;
    this.#judged = judged;
  }

  /**
   * Judges the evidence of a new session, waiting for collateral if it has to. Keeps both byte arrays.
   *
   * @param reportData 64 bytes that bind the evidence to its session.
   * @throws QuorateError `attestation-failed` with every reason
   */
  static async prove(
    evidence: Evidence,
    reportData: Uint8Array,
    state: Enforced,
    now: number,
    ports: JudgingPorts,
  ): Promise<Workload> {
    const collateral = await ports.collateral(evidence);
    const judged = await judge(evidence, reportData, state, collateral, now, ports);
    identityOf(judged.verdict);
    return new Workload(evidence, reportData, ports, judged);
  }

  /**
   * Who it is under a state, by what its evidence proved when it was last verified.
   *
   * **Security:** a session outlives manifests. Without this a workload that an update excluded would go on renewing.
   * It knows nothing of new collateral: before anything is issued, {@link admit} decides.
   * @throws QuorateError `attestation-failed` with every reason
   */
  identityUnder(state: Enforced, now: number): AppraisedIdentity {
    const judged = this.#judged;
    const { verified } = judged;
    if (!holds(judged, now)) return identityOf(appraiseClaims(verified, state.policy, now));
    if (judged.state === state) return identityOf(judged.verdict);
    const verdict = appraiseClaims(verified, state.policy, now);
    this.#judged = { ...judged, state, verdict };
    return identityOf(verdict);
  }

  /**
   * Who it is under a state and by the collateral of this moment: costs microtasks while that has not changed. If it
   * has, or what the evidence rests on has expired, the evidence is appraised from the start, its report data included.
   *
   * Collateral that takes longer than microtasks is not waited for while the last verdict is valid, which it is only
   * for as long as the vendor's own lists and certificates say that they may be relied on: a vendor's service that is
   * slow or away must not stop renewals. What it brings counts for the issuance after.
   *
   * **Security:** without this a workload whose platform was revoked would go on renewing for as long as it keeps its
   * session.
   * @throws QuorateError `attestation-failed` with every reason
   */
  async admit(state: Enforced, now: number): Promise<AppraisedIdentity> {
    const collateral = await this.#collateral(now);
    const judged = this.#judged;
    if (judged.collateral === collateral && holds(judged, now)) {
      return this.identityUnder(state, now);
    }
    return identityOf((await this.#judge(state, collateral, now)).verdict);
  }

  #collateral(now: number): Promise<Collateral> {
    const { collateral, verdict } = this.#judged;
    const mayKeep = isWithin(now, verdict);
    return new Promise((resolve) => {
      const keep = (): void => {
        resolve(collateral);
      };
      // Runs after all microtasks: an answer that was at hand is there by then.
      const turn = mayKeep ? setImmediate(keep) : undefined;
      this.#ports.collateral(this.#evidence).then((current) => {
        clearImmediate(turn);
        resolve(current);
      }, keep);
    });
  }

  /** One judgement for all who want the same one; the one that was wanted last is kept. */
  #judge(state: Enforced, collateral: Collateral, now: number): Promise<Judgement> {
    const running = this.#judging;
    if (running?.state === state && running.collateral === collateral) return running.outcome;
    const { appraiser, metrics } = this.#ports;
    const ports = { appraiser, metrics };
    const outcome = judge(this.#evidence, this.#reportData, state, collateral, now, ports);
    const judging = { state, collateral, outcome };
    this.#judging = judging;
    const end = (judged?: Judgement): void => {
      if (this.#judging !== judging) return;
      this.#judging = undefined;
      if (judged !== undefined) this.#judged = judged;
    };
    outcome.then(end, () => {
      end();
    });
    return outcome;
  }
}

/** Judges the fresh quotes of workloads by the manifest in force. */
export function workloadVerifier(
  ports: JudgingPorts & { readonly authority: Authority; readonly now: () => number },
): EvidenceVerifier<Workload> {
  const { authority, now } = ports;
  return {
    async verify({ platform, quote, certificates }, reportData) {
      const { lifecycle } = authority;
      if (lifecycle.kind !== "ready") return err(authority.notReady());
      const state = lifecycle.state.payload;
      // Copies: they live as long as the session, and what came is a view into what was received.
      const own = { platform, quote: quote.slice(), certificates: certificates.slice() };
      try {
        return ok(await Workload.prove(own, reportData.slice(), state, now(), ports));
      } catch (cause) {
        if (cause instanceof QuorateError) return err(cause);
        throw cause;
      }
    },
  };
}

async function judge(
  evidence: Evidence,
  expectedReportData: Uint8Array,
  state: Enforced,
  collateral: Collateral,
  now: number,
  { appraiser, metrics }: Pick<JudgingPorts, "appraiser" | "metrics">,
): Promise<Judgement> {
  const { policy } = state;
  const context = { collateral, policy, now, expectedReportData };
  const { verdict, verified } = await appraiser.appraise(evidence, context);
  const reason = allFailures(verdict)[0]?.code ?? "";
  if (verdict.accepted) metrics.appraisals.inc({ result: "accepted", reason: "" });
  else metrics.appraisals.inc({ result: "refused", reason });
  return { state, collateral, verified, verdict, wasValid: isWithin(now, verdict) };
}

function holds({ wasValid, verdict }: Judgement, now: number): boolean {
  return isWithin(now, verdict) === wasValid;
}

function isWithin(now: number, { validity }: Verdict): boolean {
  return now >= validity.notBefore && now <= validity.notAfter;
}

function identityOf(verdict: Verdict): AppraisedIdentity {
  if (verdict.identity === undefined) throw refusal(verdict);
  return verdict.identity;
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
