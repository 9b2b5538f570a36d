/** Disaster recovery: `k` of `n` share owners give the seed back to one instance (DESIGN section 11). */
import { appraisalPolicy } from "../attestation/index.ts";
import { isSha256, type Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { parseShares, type SharesDocument } from "../core/history/index.ts";
import { inRecoveryMode } from "../core/lifecycle/lifecycle.ts";
import { unwrap } from "../core/result.ts";
import {
  combineShares,
  hpkeInfo,
  type HpkeRecipient,
  type Secret,
  SeedEngine,
  shareCommitment,
} from "../crypto/index.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import type { Authority } from "./authority.ts";
import { prepareRecovery } from "./next-record.ts";
import type { SelfAppraisal } from "./self-appraisal.ts";

/** HPKE purpose of a share on its way to an instance. */
export const SHARE_SUBMISSION_PURPOSE = "quorate/share-submission/v1";

/** One share owner's submission. */
export interface ShareSubmission {
  readonly instanceId: string;
  /** Hash of the newest record that the owner has verified. */
  readonly verifiedRecord: string;
  readonly keyId: string;
  /** HPKE to the instance. */
  readonly encryptedShare: Uint8Array;
  /** Recover although a ready coordinator could give the secrets. */
  readonly force: boolean;
  /** Of the call, for the audit log. */
  readonly requestId?: string;
}

/** Where a recovery stands after a submission. */
export interface RecoveryProgress {
  readonly received: number;
  readonly threshold: number;
  /** The recovery record, once the seed was rebuilt. */
  readonly record: Uint8Array | undefined;
}

/** Binds a share to lineage and recipient; both sides compute it. */
export function shareSubmissionInfo(lineage: Sha256, instanceId: string): Uint8Array {
  return hpkeInfo(SHARE_SUBMISSION_PURPOSE, lineage, instanceId, instanceId);
}

/** A recovery that was started: its answer may have been lost. */
interface Attempt {
  readonly recordHash: Sha256;
  readonly shareOwners: readonly Sha256[];
  readonly threshold: number;
}

/** Collects shares until there are enough. Those of an earlier head's split are dropped when the split changes. */
export class UserRecovery {
  readonly #authority: Authority;
  readonly #self: SelfAppraisal;
  readonly #hpke: HpkeRecipient;
  readonly #allowDevelopment: boolean;
  readonly #shares = new Map<Sha256, Secret>();
  #split: Sha256 | undefined;
  #attempt: Attempt | undefined;

  constructor(
    authority: Authority,
    self: SelfAppraisal,
    hpke: HpkeRecipient,
    allowDevelopment: boolean,
  ) {
    this.#authority = authority;
    this.#self = self;
    this.#hpke = hpke;
    this.#allowDevelopment = allowDevelopment;
  }

  /** Shares received and needed; `undefined` outside of recovery mode. */
  get progress(): { readonly received: number; readonly threshold: number } | undefined {
    const history = this.#recoverable();
    if (history === undefined) return undefined;
    const { shares } = history.record;
    const received = shares === this.#split ? this.#shares.size : 0;
    return { received, threshold: history.manifest.shareOwners?.threshold ?? 0 };
  }

  /**
   * Takes one share; with the last one needed, recovers, and waits until a majority of the coordinators hold the secrets.
   * A wrong or repeated share costs nothing. A share that was part of a recovery which has come about is answered as the
   * last one was.
   *
   * @throws QuorateError `not-ready` (nothing to recover), `not-found` (another instance), `already-exists` (a ready
   * coordinator gives the secrets, and the share is not forced), `not-authorised` (the manifest does not name this
   * coordinator), `rollback`, `decryption-failed`, `share-invalid`, `share-duplicate`, `unsupported` (no share owners),
   * `not-durable` (repeating the call waits on), or why the recovery record could not be set.
   */
  async submit(submission: ShareSubmission): Promise<RecoveryProgress> {
    const { audit } = this.#authority.ports;
    const { requestId } = submission;
    try {
      // What is meant for another instance does not wait among the changes of this one.
      this.#requireThisInstance(submission.instanceId);
      const progress = await this.#authority.changes.run(() => this.#submit(submission));
      if (progress.record !== undefined) await this.#awaitDurable();
      audit.record({
        event: "share-submitted",
        keyId: submission.keyId,
        received: progress.received,
        threshold: progress.threshold,
        requestId,
      });
      return progress;
    } catch (cause) {
      const code = cause instanceof QuorateError ? cause.code : "internal";
      // What was part of a recovery, and only waits for others, was not refused.
      if (code !== "not-durable") {
        const keyId = submission.keyId.slice(0, 64);
        audit.record({ event: "share-refused", keyId, code, requestId });
      }
      throw cause;
    }
  }

  async #submit(submission: ShareSubmission): Promise<RecoveryProgress> {
    const authority = this.#authority;
    await authority.settle();
    await authority.refresh();
    if (authority.problem !== undefined) throw authority.problem;
    const history = this.#recoverable();
    if (history === undefined) return this.#repeated(submission);
    requireVerified(history, submission.verifiedRecord);
    this.#requireNamed(history);
    if (!submission.force) await this.#requireNobodyReady(history);
    const document = this.#currentSplit(history);
    await this.#add(document, submission, history.lineage);
    const { threshold } = document;
    const received = this.#shares.size;
    if (received < threshold) return { received, threshold, record: undefined };
    return { received, threshold, record: await this.#recover(history, document) };
  }

  /** There is nothing to recover (any more): right for those whose shares made it so. */
  #repeated(submission: ShareSubmission): RecoveryProgress {
    this.#forget();
    const attempt = this.#attempt;
    const { history } = this.#authority;
    if (
      attempt !== undefined &&
      history?.recordHash === attempt.recordHash &&
      attempt.shareOwners.some((keyId) => keyId === submission.keyId)
    ) {
      const { shareOwners, threshold } = attempt;
      return { received: shareOwners.length, threshold, record: history.head.head.bytes };
    }
    throw new QuorateError("not-ready", "this coordinator is not waiting for shares", {
      hint: "quorate status shows its mode; only a coordinator that awaits recovery takes shares",
    });
  }

  async #awaitDurable(): Promise<void> {
    const authority = this.#authority;
    const state = authority.state?.payload;
    if (state === undefined) return;
    await authority.ports.group.awaitDurable(state, (record) => authority.covers(record));
  }

  /** Shares open a new epoch, which every other coordinator has to follow: not while one of them has all that is needed. */
  async #requireNobodyReady(history: VerifiedHistory): Promise<void> {
    const policy = appraisalPolicy(history.manifest, { allowDevelopment: this.#allowDevelopment });
    const name = await this.#authority.ports.group.readyPeer(history, policy);
    if (name === undefined) return;
    throw new QuorateError(
      "already-exists",
      `${name} is ready: this coordinator recovers from it by itself`,
      {
        hint: "quorate status shows why it has not yet; quorate recover --force opens a new epoch",
      },
    );
  }

  #requireThisInstance(instanceId: string): void {
    const { instance } = this.#authority.ports.author;
    if (instanceId === instance) return;
    throw new QuorateError(
      "not-found",
      "the share is meant for another instance of this coordinator",
      {
        hint: "the coordinator has restarted since: verify it again and submit again",
        details: { instance },
      },
    );
  }

  /** Whoever is not named never counts as a holder: what it recovers would never become durable. */
  #requireNamed({ manifest: { coordinators } }: VerifiedHistory): void {
    const { name } = this.#authority.ports.author;
    if (coordinators.includes(name)) return;
    throw new QuorateError(
      "not-authorised",
      `the manifest in force does not name this coordinator, ${name}`,
      { hint: `submit to one that it names: ${coordinators.join(", ")}` },
    );
  }

  #recoverable(): VerifiedHistory | undefined {
    return inRecoveryMode(this.#authority.lifecycle) ? this.#authority.history : undefined;
  }

  #currentSplit(history: VerifiedHistory): SharesDocument {
    const { shares } = history.record;
    if (shares === null) {
      throw new QuorateError(
        "unsupported",
        "the manifest in force names no share owners: its secrets cannot be recovered",
        {
          hint: "a new lineage is needed: start over an empty store",
        },
      );
    }
    if (shares !== this.#split) {
      this.#forget();
      this.#split = shares;
    }
    return unwrap(parseShares(history.documentOf(shares)));
  }

  async #add(
    document: SharesDocument,
    submission: ShareSubmission,
    lineage: Sha256,
  ): Promise<void> {
    const owner = document.shares.find(({ key }) => key === submission.keyId);
    if (owner === undefined) {
      throw new QuorateError("share-invalid", "no share of this history belongs to that key", {
        hint: `share owners are ${document.shares.map(({ name }) => name).join(", ")}`,
      });
    }
    const info = shareSubmissionInfo(lineage, this.#authority.ports.author.instance);
    const share = unwrap(await this.#hpke.open(info, submission.encryptedShare));
    if (shareCommitment(share) !== owner.commitment) {
      share.dispose();
      throw new QuorateError(
        "share-invalid",
        `this is not the share of ${owner.name} that the history commits to`,
        {
          hint: "fetch and decrypt the share again from the current record (quorate recover does)",
        },
      );
    }
    if (!this.#shares.has(owner.key)) {
      this.#shares.set(owner.key, share);
      return;
    }
    share.dispose();
    // All shares are here, but the record could not be set: whoever repeats the call resumes.
    if (this.#shares.size >= document.threshold) return;
    throw new QuorateError("share-duplicate", `the share of ${owner.name} was submitted already`, {
      hint: "another share owner's share is needed",
    });
  }

  async #recover(history: VerifiedHistory, document: SharesDocument): Promise<Uint8Array> {
    await this.#self.requireEligible(history.manifest);
    const commitments = document.shares.map(({ commitment }) => commitment);
    const seed = unwrap(
      await combineShares([...this.#shares.values()], document.threshold, commitments),
    );
    const engine = new SeedEngine(seed);
    // **Security:** the shares could come from a store that was put together from two histories.
    if (engine.lineage !== history.lineage) {
      engine.dispose();
      this.#forget();
      throw new QuorateError(
        "verification-failed",
        "the recovered seed does not belong to this history",
      );
    }
    const { author, now } = this.#authority.ports;
    const making = { author, now: now(), allowDevelopment: this.#allowDevelopment };
    const prepared = await prepareRecovery(history, engine, making);
    const { recordHash, history: recovered } = prepared.next;
    const shareOwners = [...this.#shares.keys()];
    this.#attempt = { recordHash, shareOwners, threshold: document.threshold };
    const { epoch } = recovered.record;
    const event = { event: "recovered", recordHash, epoch, shareOwners } as const;
    const state = await this.#authority.commit(prepared, event);
    this.#forget();
    return state.history.head.head.bytes;
  }

  #forget(): void {
    for (const share of this.#shares.values()) share.dispose();
    this.#shares.clear();
    this.#split = undefined;
  }
}

/** **Security:** a store that was rolled back would revive an old manifest; the owner knows a newer record. */
function requireVerified(history: VerifiedHistory, verified: string): void {
  if (isSha256(verified) && history.contains(verified)) return;
  throw new QuorateError(
    "rollback",
    "the store's history does not contain the record that the share owner verified last",
    {
      hint: "the store may have been rolled back or exchanged; restore it, or verify again if you expected this",
      details: { head: history.recordHash },
    },
  );
}
