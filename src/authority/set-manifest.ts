/** SetManifest: from a request to a durable record in force (DESIGN section 8). */
import { appraisalPolicy } from "../attestation/index.ts";
import type { Sha256 } from "../core/brand.ts";
import { type ErrorCode, QuorateError } from "../core/errors.ts";
import { encodeApprovals } from "../core/history/index.ts";
import { POLICY_DOCUMENT_BYTES_MAX } from "../core/limits.ts";
import { type CheckedApproval, type Manifest, parseManifest } from "../core/manifest/index.ts";
import { unwrap } from "../core/result.ts";
import { parseOwnerKey, parseShareOwnerKey, SeedEngine, sha256 } from "../crypto/index.ts";
import type { Authority } from "./authority.ts";
import type { Enforced } from "./enforced.ts";
import type { JudgedBy } from "./group.ts";
import {
  type ApprovedManifest,
  type Prepared,
  prepareGenesis,
  prepareUpdate,
} from "./next-record.ts";
import type { SelfAppraisal } from "./self-appraisal.ts";
import { SetAuthorisation, type SetManifestRequest } from "./set-authorisation.ts";

/** Errors after which the same request may still take effect, or be made to by repeating it. */
const UNSETTLED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "unavailable",
  "store-unavailable",
  "deadline-exceeded",
  "no-quorum",
]);

/**
 * Makes the requested manifest the one in force, or finds that it is, and waits until a majority of its coordinators hold
 * its secrets. Changes run one at a time; the wait is outside of that. @returns the state that enforces it
 *
 * @throws QuorateError `not-durable` if it is in force but a majority does not hold it yet: repeating the call waits on.
 */
export async function setManifest(
  authority: Authority,
  self: SelfAppraisal,
  request: SetManifestRequest,
  allowDevelopment: boolean,
): Promise<Enforced> {
  const { audit, author, group } = authority.ports;
  try {
    // Nothing that depends on the state: a bad request never waits in the queue.
    const manifest = parseForCoordinator(request.manifest, author.name);
    const authorisation = new SetAuthorisation(authority, request, manifest);
    // Nor does one that nobody approved, where places are taken: strangers must not keep owners out.
    if (authority.changes.isBusy) await authorisation.requireApproved();
    const change = new ManifestChange(authority, self, authorisation, allowDevelopment);
    const state = await authority.changes.run(() => change.run());
    await group.awaitDurable(state, (record) => authority.covers(record));
    return state;
  } catch (cause) {
    const code = cause instanceof QuorateError ? cause.code : "internal";
    const event = UNSETTLED.has(code) ? "manifest-unsettled" : "manifest-refused";
    // What is in force, and only waits for others, is neither.
    if (code !== "not-durable") {
      const { manifest, requestId } = request;
      audit.record({ event, manifestHash: sha256(manifest), code, requestId });
    }
    throw cause;
  }
}

/** Validates a manifest at the coordinator that is to set it. @throws QuorateError `manifest-invalid` */
function parseForCoordinator(bytes: Uint8Array, name: string): Manifest {
  const manifest = unwrap(parseManifest(bytes, { parseOwnerKey, parseShareOwnerKey }));
  if (manifest.coordinators.includes(name)) return manifest;
  const path = "$.coordinators";
  const message = `must name the coordinator that sets it, ${name}`;
  throw new QuorateError(
    "manifest-invalid",
    `the manifest cannot be set here: ${path} ${message}`,
    {
      hint: "set it at a coordinator that it names",
      faults: [{ path, message }],
    },
  );
}

/** An authorised request on its way into the history. */
class ManifestChange {
  readonly #authority: Authority;
  readonly #self: SelfAppraisal;
  readonly #authorisation: SetAuthorisation;
  readonly #request: SetManifestRequest;
  readonly #manifest: Manifest;
  readonly #allowDevelopment: boolean;

  constructor(
    authority: Authority,
    self: SelfAppraisal,
    authorisation: SetAuthorisation,
    allowDevelopment: boolean,
  ) {
    this.#authority = authority;
    this.#self = self;
    this.#authorisation = authorisation;
    this.#request = authorisation.request;
    this.#manifest = authorisation.manifest;
    this.#allowDevelopment = allowDevelopment;
  }

  async run(): Promise<Enforced> {
    await this.#authority.settle();
    const authorised = await this.#authorisation.authorise();
    switch (authorised.kind) {
      case "repeated":
        return authorised.state;
      case "genesis":
        return this.#genesis(authorised.checked);
      case "update":
        return this.#update(authorised.state, authorised.checked);
    }
  }

  async #genesis(checked: readonly CheckedApproval[]): Promise<Enforced> {
    const approved = await this.#complete(checked, new Map());
    const judgedBy = await this.#requireCoordinators();
    await this.#authority.ports.group.requireNoLineage(judgedBy);
    const engine = SeedEngine.generate();
    return this.#commit(await prepareGenesis(approved, engine, this.#making()), approved);
  }

  async #update(state: Enforced, checked: readonly CheckedApproval[]): Promise<Enforced> {
    if (state.manifest.trustDomain !== this.#manifest.trustDomain) {
      const path = "$.trustDomain";
      const message = "cannot change within a lineage: the root certificate carries it";
      throw new QuorateError(
        "manifest-invalid",
        `the manifest cannot be set here: ${path} ${message}`,
        { faults: [{ path, message }] },
      );
    }
    const approved = await this.#complete(checked, state.history.documents);
    await this.#requireCoordinators();
    return this.#commit(await prepareUpdate(state, approved, this.#making()), approved);
  }

  /** Whoever makes a record must satisfy it, and so must a majority of its names: else it could never become durable. */
  async #requireCoordinators(): Promise<JudgedBy> {
    const manifest = this.#manifest;
    await this.#self.requireEligible(manifest);
    const policy = appraisalPolicy(manifest, { allowDevelopment: this.#allowDevelopment });
    await this.#authority.ports.group.requireMajority({ manifest, policy });
    return { manifest, policy };
  }

  /** Every policy's document must be here or known already; others are refused, for they would be kept for ever. */
  async #complete(
    checked: readonly CheckedApproval[],
    known: ReadonlyMap<Sha256, Uint8Array>,
  ): Promise<ApprovedManifest> {
    const given = new Map(this.#request.policyDocuments.map((bytes) => [sha256(bytes), bytes]));
    const { store } = this.#authority.ports;
    const documents: Uint8Array[] = [];
    const missing: Sha256[] = [];
    for (const hash of this.#manifest.policies.keys()) {
      const bytes = given.get(hash) ?? known.get(hash) ?? (await store.getDocument(hash));
      if (bytes === undefined || bytes.length > POLICY_DOCUMENT_BYTES_MAX) missing.push(hash);
      else documents.push(bytes.slice());
    }
    if (missing.length > 0) {
      throw new QuorateError(
        "invalid-argument",
        "policy documents of the manifest are missing or too large",
        {
          hint: "give their folder with quorate set --policies DIR",
          faults: missing.map((hash) => ({
            path: `$.policies["${hash}"]`,
            message: "has no document",
          })),
        },
      );
    }
    // **Security:** by position, not by key: of two approvals by one owner only one may be good, and only that one
    // proves to later readers of the history that the owner approved.
    const valid = this.#request.approvals.filter((_, index) => checked[index]?.valid === true);
    return {
      bytes: this.#request.manifest.slice(),
      manifest: this.#manifest,
      approvals: encodeApprovals(valid),
      checked,
      policyDocuments: documents,
    };
  }

  #commit(prepared: Prepared, approved: ApprovedManifest): Promise<Enforced> {
    const { recordHash, history } = prepared.next;
    return this.#authority.commit(prepared, {
      event: "manifest-set",
      requestId: this.#request.requestId,
      recordHash,
      generation: history.record.generation,
      approvedBy: [
        ...new Set(approved.checked.filter(({ valid }) => valid).map(({ keyId }) => keyId)),
      ],
    });
  }

  #making() {
    const { author, now } = this.#authority.ports;
    return { author, now: now(), allowDevelopment: this.#allowDevelopment };
  }
}
