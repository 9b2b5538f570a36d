/** Who may set a manifest: what a request comes to on top of the head, and whether enough owners approved exactly that. */
import { isSha256, type InstanceId, type Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import type { Approval } from "../core/history/index.ts";
import {
  authorize,
  type CheckedApproval,
  genesisApprovalBytes,
  genesisInstanceBytes,
  type Manifest,
  type OwnerSet,
  updateApprovalBytes,
} from "../core/manifest/index.ts";
import { sha256 } from "../crypto/index.ts";
import { checkApprovals } from "../history/read-history.ts";
import type { Authority } from "./authority.ts";
import type { Enforced } from "./enforced.ts";

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

/** A request that enough owners approved, and what it is on top of. */
export type Authorised =
  | { readonly kind: "genesis"; readonly checked: readonly CheckedApproval[] }
  | {
      readonly kind: "update";
      readonly state: Enforced;
      readonly checked: readonly CheckedApproval[];
    }
  /** In force already: the repetition of a call whose answer was lost, or that waits for others. */
  | { readonly kind: "repeated"; readonly state: Enforced };

/** The approvals of one request. */
export class SetAuthorisation {
  readonly request: SetManifestRequest;
  /** The request's, validated. */
  readonly manifest: Manifest;
  readonly #authority: Authority;

  constructor(authority: Authority, request: SetManifestRequest, manifest: Manifest) {
    this.#authority = authority;
    this.request = request;
    this.manifest = manifest;
  }

  /**
   * Whether owners approved it at all, as far as the known history tells: a cheap check of who may wait.
   *
   * @throws QuorateError `not-authorised`, `head-moved`
   */
  async requireApproved(): Promise<void> {
    const { history } = this.#authority;
    const { previousRecord, manifest } = this.request;
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

  async #authoriseGenesis(): Promise<Authorised> {
    const request = this.request;
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
    const checked = await this.#approved(this.manifest.owners, genesisApprovalBytes(hash));
    await this.#requireBinding(hash);
    return { kind: "genesis", checked };
  }

  async #authoriseUpdate(state: Enforced): Promise<Authorised> {
    const { lineage, lastSet } = state.history;
    if (this.request.previousRecord !== lastSet.hash) throw this.#authority.headMoved();
    const signed = this.#updateBytes(lineage, lastSet.hash);
    return { kind: "update", state, checked: await this.#approved(state.manifest.owners, signed) };
  }

  /** A set whose predecessor and manifest are those of the last set succeeds again, also below later takeovers. */
  async #repeated(state: Enforced): Promise<Authorised | undefined> {
    const { history } = state;
    const { lastSet, setBeforeLast } = history;
    const request = this.request;
    const isSame =
      lastSet.record.manifest === sha256(request.manifest) &&
      request.previousRecord === (setBeforeLast?.hash ?? "");
    if (!isSame) return undefined;
    const before = setBeforeLast === undefined ? undefined : history.upTo(setBeforeLast.hash);
    if (before === undefined)
      await this.#approved(this.manifest.owners, genesisApprovalBytes(lastSet.record.manifest));
    else
      await this.#approved(
        before.manifest.owners,
        this.#updateBytes(history.lineage, before.recordHash),
      );
    return { kind: "repeated", state };
  }

  #updateBytes(lineage: Sha256, predecessor: Sha256): Uint8Array {
    return updateApprovalBytes({ lineage, predecessor, manifest: sha256(this.request.manifest) });
  }

  async #approved(owners: OwnerSet, signed: Uint8Array): Promise<readonly CheckedApproval[]> {
    const checked = await checkApprovals(this.request.approvals, { owners, signed });
    const { authorised, message } = authorize(owners, checked);
    if (authorised) return checked;
    throw new QuorateError("not-authorised", `too few approvals: ${message}`, {
      hint: "let further owners run quorate approve for this manifest and its predecessor",
    });
  }

  /** **Security:** a genesis belongs to the instance whose evidence the setter verified, not to whoever got the request. */
  async #requireBinding(manifestHash: Sha256): Promise<void> {
    const { instance } = this.#authority.ports.author;
    const binding = this.request.genesisBinding;
    if (binding?.instanceId !== instance) {
      throw new QuorateError("not-authorised", "the first manifest is not bound to this instance", {
        hint: "run quorate set with an owner's --key: it verifies this coordinator and signs its instance id",
      });
    }
    const signed = genesisInstanceBytes(manifestHash, instance satisfies InstanceId);
    const { owners } = this.manifest;
    const [checked] = await checkApprovals([binding.approval], { owners, signed });
    if (checked?.valid !== true) {
      throw new QuorateError(
        "not-authorised",
        "the binding of the first manifest to this instance is not signed by an owner",
      );
    }
  }
}
