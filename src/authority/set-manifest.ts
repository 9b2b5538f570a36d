/** SetManifest: from a request to a durable record in force (DESIGN section 8). */
import { appraisalPolicy } from "../attestation/index.ts";
import { type InstanceId, isSha256, type Sha256 } from "../core/brand.ts";
import { type ErrorCode, QuorateError } from "../core/errors.ts";
import { type Approval, encodeApprovals } from "../core/history/index.ts";
import { POLICY_DOCUMENT_BYTES_MAX } from "../core/limits.ts";
import {
  authorize,
  type CheckedApproval,
  genesisApprovalBytes,
  genesisInstanceBytes,
  type Manifest,
  type OwnerSet,
  parseManifest,
  updateApprovalBytes,
} from "../core/manifest/index.ts";
import { unwrap } from "../core/result.ts";
import { parseOwnerKey, parseShareOwnerKey, SeedEngine, sha256 } from "../crypto/index.ts";
import { checkApprovals } from "../history/read-history.ts";
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

/** What an admin sends. */
export interface SetManifestRequest {
  readonly manifest: Uint8Array;
  readonly policyDocuments: readonly Uint8Array[];
  readonly approvals: readonly Approval[];
  /** Hash of the newest genesis or update record that the caller knows; empty for a genesis. */
  readonly previousRecord: string;
  /** Genesis only. */
  readonly genesisBinding: { readonly instanceId: string; readonly approval: Approval } | undefined;
  /** Of the call, for the audit log. */
  readonly requestId?: string;
}

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
    const change = new ManifestChange(authority, self, request, manifest, allowDevelopment);
    // Nor does one that nobody approved, where places are taken: strangers must not keep owners out.
    if (authority.changes.isBusy) await change.requireApproved();
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

/** A request that enough owners approved, and what it is on top of. */
type Authorised =
  | { readonly kind: "genesis"; readonly checked: readonly CheckedApproval[] }
  | {
      readonly kind: "update";
      readonly state: Enforced;
      readonly checked: readonly CheckedApproval[];
    }
  /** In force already: the repetition of a call whose answer was lost, or that waits for others. */
  | { readonly kind: "repeated"; readonly state: Enforced };

class ManifestChange {
  readonly #authority: Authority;
  readonly #self: SelfAppraisal;
  readonly #request: SetManifestRequest;
  readonly #manifest: Manifest;
  readonly #allowDevelopment: boolean;

  constructor(
    authority: Authority,
    self: SelfAppraisal,
    request: SetManifestRequest,
    manifest: Manifest,
    allowDevelopment: boolean,
  ) {
    this.#authority = authority;
    this.#self = self;
    this.#request = request;
    this.#manifest = manifest;
    this.#allowDevelopment = allowDevelopment;
  }

  /**
   * Whether owners approved it at all, as far as the known history tells: a cheap check of who may wait.
   *
   * @throws QuorateError `not-authorised`, `head-moved`
   */
  async requireApproved(): Promise<void> {
    const { history } = this.#authority;
    const { previousRecord, manifest } = this.#request;
    if (history === undefined) return;
    if (previousRecord === "") {
      // Whoever repeats the genesis.
      if (history.genesis.record.manifest !== sha256(manifest)) throw this.#authority.headMoved();
      return;
    }
    if (!isSha256(previousRecord) || !history.contains(previousRecord))
      throw this.#authority.headMoved();
    const { owners } = history.upTo(previousRecord).manifest;
    await this.#approved(owners, this.#updateBytes(history.lineage, previousRecord));
  }

  /** What the request comes to on top of the head of now. @throws QuorateError why it is not authorised, or not now */
  async authorise(): Promise<Authorised> {
    const authority = this.#authority;
    await authority.refresh();
    if (authority.problem !== undefined) throw authority.problem;
    const { lifecycle } = authority;
    if (lifecycle.kind === "uninitialized" && lifecycle.storeHasHead === false)
      return this.#authoriseGenesis();
    const state = authority.requireReady();
    return (await this.#repeated(state)) ?? this.#authoriseUpdate(state);
  }

  async run(): Promise<Enforced> {
    await this.#authority.settle();
    const authorised = await this.authorise();
    switch (authorised.kind) {
      case "repeated":
        return authorised.state;
      case "genesis":
        return this.#genesis(authorised.checked);
      case "update":
        return this.#update(authorised.state, authorised.checked);
    }
  }

  async #authoriseGenesis(): Promise<Authorised> {
    const request = this.#request;
    if (request.previousRecord !== "") {
      throw new QuorateError(
        "head-moved",
        "this coordinator has no history: the first manifest has no predecessor",
        {
          hint: "approve with quorate approve --genesis, or check that this is the right coordinator and store",
          details: { head: "none" },
        },
      );
    }
    const hash = sha256(request.manifest);
    const checked = await this.#approved(this.#manifest.owners, genesisApprovalBytes(hash));
    await this.#requireBinding(hash);
    return { kind: "genesis", checked };
  }

  async #authoriseUpdate(state: Enforced): Promise<Authorised> {
    const { lineage, lastSet } = state.history;
    if (this.#request.previousRecord !== lastSet.hash) throw this.#authority.headMoved();
    const signed = this.#updateBytes(lineage, lastSet.hash);
    return { kind: "update", state, checked: await this.#approved(state.manifest.owners, signed) };
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

  /** A set whose predecessor and manifest are those of the last set succeeds again, also below later takeovers. */
  async #repeated(state: Enforced): Promise<Authorised | undefined> {
    const { history } = state;
    const { lastSet, setBeforeLast } = history;
    const request = this.#request;
    const isSame =
      lastSet.record.manifest === sha256(request.manifest) &&
      request.previousRecord === (setBeforeLast?.hash ?? "");
    if (!isSame) return undefined;
    const before = setBeforeLast === undefined ? undefined : history.upTo(setBeforeLast.hash);
    if (before === undefined)
      await this.#approved(this.#manifest.owners, genesisApprovalBytes(lastSet.record.manifest));
    else
      await this.#approved(
        before.manifest.owners,
        this.#updateBytes(history.lineage, before.recordHash),
      );
    return { kind: "repeated", state };
  }

  #updateBytes(lineage: Sha256, predecessor: Sha256): Uint8Array {
    return updateApprovalBytes({ lineage, predecessor, manifest: sha256(this.#request.manifest) });
  }

  async #approved(owners: OwnerSet, signed: Uint8Array): Promise<readonly CheckedApproval[]> {
    const checked = await checkApprovals(this.#request.approvals, { owners, signed });
    const { authorised, message } = authorize(owners, checked);
    if (authorised) return checked;
    throw new QuorateError("not-authorised", `too few approvals: ${message}`, {
      hint: "let further owners run quorate approve for this manifest and its predecessor",
    });
  }

  /** **Security:** a genesis belongs to the instance whose evidence the setter verified, not to whoever got the request. */
  async #requireBinding(manifestHash: Sha256): Promise<void> {
    const { instance } = this.#authority.ports.author;
    const binding = this.#request.genesisBinding;
    if (binding?.instanceId !== instance) {
      throw new QuorateError("not-authorised", "the first manifest is not bound to this instance", {
        hint: "run quorate set with an owner's --key: it verifies this coordinator and signs its instance id",
      });
    }
    const signed = genesisInstanceBytes(manifestHash, instance satisfies InstanceId);
    const { owners } = this.#manifest;
    const [checked] = await checkApprovals([binding.approval], { owners, signed });
    if (checked?.valid !== true) {
      throw new QuorateError(
        "not-authorised",
        "the binding of the first manifest to this instance is not signed by an owner",
      );
    }
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
