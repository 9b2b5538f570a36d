/** Decides whether the other side of a mesh session is a coordinator that the workload's measured policy accepts. */
import { type Appraiser, appraisalPolicy, type Evidence } from "../attestation/index.ts";
import { failureFaults } from "../attestation/verdict.ts";
import type { Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { parseApprovals, parseRecord, type RecordDocument } from "../core/history/index.ts";
import { authorize, genesisApprovalBytes } from "../core/manifest/index.ts";
import type { CoordinatorPins } from "../core/policy-document/policy-document.ts";
import { err, ok, unwrap } from "../core/result.ts";
import { sha256 } from "../crypto/index.ts";
import type { LineageProof, NewMeshCertResponse } from "../gen/quorate/meshapi/v1/mesh_pb.ts";
import { checkApprovals, isSignedRecord } from "../history/read-history.ts";
import type { EvidenceVerifier } from "../transport/proof.ts";

/** Appraises coordinators by the pins of the policy document. The claims are not used further. */
export function coordinatorVerifier(ports: {
  readonly pins: CoordinatorPins;
  readonly appraiser: Appraiser;
  readonly collateral: (
    evidence: Evidence,
  ) => Promise<Parameters<Appraiser["appraise"]>[1]["collateral"]>;
  readonly allowDevelopment: boolean;
  readonly now: () => number;
}): EvidenceVerifier<undefined> {
  const { pins, appraiser, collateral, allowDevelopment, now } = ports;
  const policies = new Map(pins.policies.map((hash) => [hash, { role: "coordinator" as const }]));
  const policy = appraisalPolicy(
    { policies, referenceValues: pins.referenceValues },
    { allowDevelopment },
  );
  return {
    async verify(evidence, expectedReportData) {
      const context = {
        collateral: await collateral(evidence),
        policy,
        now: now(),
        expectedReportData,
      };
      const { verdict } = await appraiser.appraise(evidence, context);
      if (verdict.accepted) return ok(undefined);
      const faults = failureFaults(verdict);
      return err(
        new QuorateError(
          "verification-failed",
          "the coordinator is not one that this workload's policy accepts",
          {
            hint: "check the address; if coordinators were updated, the workload's policy document must name the new one",
            faults,
          },
        ),
      );
    },
  };
}

/** Remembers the lineage that a process accepted once. */
export class LineageCheck {
  readonly #pins: CoordinatorPins;
  #accepted: Sha256 | undefined;

  constructor(pins: CoordinatorPins) {
    this.#pins = pins;
  }

  /** Whether the next request must ask for the proof of lineage. */
  get needsProof(): boolean {
    return this.#accepted === undefined;
  }

  /**
   * The answer must come from the pinned lineage, or from one that the pinned owners founded, and never from another
   * one later.
   *
   * **Security:** the session proved a genuine coordinator; anybody can run one. This is what ties it to the owners.
   * @throws QuorateError `verification-failed`
   */
  async require(response: NewMeshCertResponse): Promise<void> {
    const record = unwrap(parseRecord(response.record, sha256));
    if (record.hash !== response.recordHash || !(await isSignedRecord(record)))
      throw refused("shows a record that is not well signed");
    const { lineage } = record.record;
    if (this.#pins.lineage !== undefined && this.#pins.lineage !== lineage)
      throw refused("serves another lineage than the pinned one");
    if (this.#accepted !== undefined) {
      if (this.#accepted === lineage) return;
      throw refused("serves another lineage than before");
    }
    if (this.#pins.owners !== undefined) await this.#requireFounders(response.lineageProof, record);
    this.#accepted = lineage;
  }

  async #requireFounders(proof: LineageProof | undefined, record: RecordDocument): Promise<void> {
    const owners = this.#pins.owners;
    if (owners === undefined) return;
    if (proof === undefined) throw refused("does not prove who founded its history");
    const genesis = unwrap(parseRecord(proof.genesisRecord, sha256));
    const { lineage, kind, manifest, approvals } = genesis.record;
    const isFirst =
      kind === "genesis" && lineage === record.record.lineage && (await isSignedRecord(genesis));
    if (!isFirst || approvals !== sha256(proof.genesisApprovals))
      throw refused("shows a first record that is not its history's");
    const checked = await checkApprovals(unwrap(parseApprovals(proof.genesisApprovals)), {
      owners,
      signed: genesisApprovalBytes(manifest),
    });
    const { authorised, message } = authorize(owners, checked);
    if (!authorised)
      throw refused(`serves a history that the pinned owners did not found: ${message}`);
  }
}

function refused(what: string): QuorateError {
  return new QuorateError("verification-failed", `the coordinator ${what}`, {
    hint: "do not use this coordinator; check its address and the workload's policy document",
  });
}
