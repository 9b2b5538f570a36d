/**
 * The coordinator's authority over one lineage: it knows what is in force, notices when that changes, and is asked before
 * anything is issued. Changes are made in `set-manifest.ts` and `user-recovery.ts`, through {@link Authority.commit};
 * what other coordinators made is followed with a key that was prepared here, or adopted from one of them.
 */
import {
  classifyHead,
  demandsReassertion,
  type HeadClass,
  type RecordDocument,
} from "../core/history/index.ts";
import {
  becomeReady,
  type CoordinatorState,
  currentState,
  initialLifecycle,
  type Lifecycle,
  mayIssue,
  observeHead,
  observeUninitialized,
  storeFailed,
} from "../core/lifecycle/lifecycle.ts";
import type { InstanceId, Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import type { Secret } from "../crypto/index.ts";
import { lackingDocument } from "../history/read-history.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import type { AuditEvent, AuditLog } from "../observability/audit.ts";
import type { Logger } from "../observability/log.ts";
import type { Head, HeadVersion, Store, Watch } from "../store/store.ts";
import { BatchedRead } from "./batched-read.ts";
import { Commits, type PendingChange } from "./commits.ts";
import { type Enforced, enforceWithKey } from "./enforced.ts";
import type { Group } from "./group.ts";
import type { Prepared } from "./next-record.ts";
import { notReadyError } from "./not-ready.ts";
import { type HeadView, viewHead } from "./observe-head.ts";
import { Prepares } from "./prepares.ts";
import { SerialQueue } from "./serial-queue.ts";
import { problemOf, unconfirmed } from "./store-problem.ts";
import { swapIn } from "./swap-in.ts";

/** What the authority stands on. */
export interface AuthorityPorts {
  readonly store: Store;
  /** The coordinator's stable name and this instance's id: the author of its records. */
  readonly author: { readonly name: string; readonly instance: InstanceId };
  /** The other coordinators. */
  readonly group: Group;
  /** **Security:** true lets simulated evidence count under the manifests that are enforced. */
  readonly allowDevelopment: boolean;
  readonly log: Logger;
  readonly audit: AuditLog;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** Changes that may wait at once; each is a manifest or a share of a person. */
const CHANGES_WAITING_MAX = 32;

/** A record that was put back into the store. */
export interface Reassertion {
  /** How many times since the start. */
  readonly count: number;
  /** What the store showed instead. */
  readonly shown: HeadClass["kind"];
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
}

export class Authority {
  readonly ports: AuthorityPorts;
  /** Changes run one at a time: each is computed from the state that the one before it left. */
  readonly changes = new SerialQueue(CHANGES_WAITING_MAX);
  /** Keys of records that others are about to make the head, on top of the state in force. */
  readonly prepares = new Prepares();
  readonly #reads = new BatchedRead(() => this.#readHead());
  readonly #listeners = new Set<() => void>();
  #lifecycle: Lifecycle<Enforced> = initialLifecycle();
  /** Verified history of the store while there is no state, or beyond a stale one: what recovery builds on. */
  #public: VerifiedHistory | undefined;
  #problem: QuorateError | undefined;
  #failure: QuorateError | undefined;
  #progress = 0;
  #lacking: Sha256 | undefined;
  #reasserted: Reassertion | undefined;
  /** The head that was examined last and needs no second look; `undefined` after anything else. */
  #seen: HeadVersion | "none" | undefined;
  #head: Head | undefined;
  #watch: Watch | undefined;

  readonly #commits: Commits;

  private constructor(ports: AuthorityPorts) {
    this.ports = ports;
    this.#commits = new Commits({
      ports,
      refresh: () => this.refresh(),
      head: () => this.#head,
      state: () => this.state?.payload,
      covers: (record) => this.covers(record),
      isLying: () => this.#problem !== undefined,
      headMoved: () => this.#problem ?? this.headMoved(),
    });
  }

  /**
   * Opens the authority over a store: verifies the history that is there, if any, and watches the head.
   *
   * @throws QuorateError of the store, if it can't be reached at all.
   */
  static async open(ports: AuthorityPorts): Promise<Authority> {
    const authority = new Authority(ports);
    // Before the first read, so that no change between them is missed.
    authority.#watch = await ports.store.watchHead(() => {
      authority.refresh().catch((cause: unknown) => {
        ports.log.warn({ error: cause }, "the store's head could not be read after it changed");
      });
    });
    try {
      await authority.refresh();
    } catch (cause) {
      await authority.close();
      throw cause;
    }
    return authority;
  }

  get lifecycle(): Lifecycle<Enforced> {
    return this.#lifecycle;
  }

  /** The state in force or stale; `undefined` while uninitialized. */
  get state(): CoordinatorState<Enforced> | undefined {
    return currentState(this.#lifecycle);
  }

  /** The newest history that was verified: of the state in force, or what the store showed beyond it. */
  get history(): VerifiedHistory | undefined {
    return this.#lifecycle.kind === "ready"
      ? this.#lifecycle.state.payload.history
      : (this.#public ?? this.state?.payload.history);
  }

  /** What the store shows that is not as it should be; `undefined` if all is well. */
  get problem(): QuorateError | undefined {
    return this.#problem;
  }

  /** Why nothing is issued because of the store: what it shows, or that it did not answer the last read. */
  get suspended(): QuorateError | undefined {
    return this.#problem ?? this.#failure;
  }

  /** The newest time that this coordinator put its record back over what the store showed; `undefined` if it never had to. */
  get reasserted(): Reassertion | undefined {
    return this.#reasserted;
  }

  /** The document whose lack keeps the newest history from being verified here; `undefined` if that is not what is wrong. */
  get lacking(): Sha256 | undefined {
    return this.#lacking;
  }

  /** Newest generation that was verified while reading the history from the store. */
  get lastVerifiedGeneration(): number {
    return this.#progress;
  }

  /** Reads the head, with a read that starts after this call, and acts on what it shows. @throws QuorateError of the store */
  refresh(): Promise<void> {
    return this.#reads.run();
  }

  /**
   * The state in force, confirmed by a read of the head that began after this call.
   *
   * **Security:** every certificate and secret waits for this. If it gave a state whose record is not the head,
   * certificates would be issued under a superseded manifest.
   *
   * @throws QuorateError `not-ready`, `recovery-needed`, `fork`, `rollback`, `store-corrupt`, or of the store.
   */
  async confirm(): Promise<Enforced> {
    await this.refresh();
    return this.requireReady();
  }

  /** The state in force as the newest read left it. @throws QuorateError as {@link confirm}, but for those of the store */
  requireReady(): Enforced {
    const { state } = this;
    if (state !== undefined && this.#problem === undefined && mayIssue(this.#lifecycle, state))
      return state.payload;
    throw this.notReady();
  }

  /** Why nothing is issued, and the way out. */
  notReady(): QuorateError {
    if (this.#problem !== undefined) return this.#problem;
    const { name } = this.ports.author;
    return notReadyError(this.#lifecycle, name, this.history?.manifest.coordinators);
  }

  /** Calls `listener`, which must not throw, after every change of state. @returns a function that ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Makes a prepared record true: documents, then the swap of the head from the predecessor to it, then the new state.
   * Takes over the record's keys; {@link settle} comes before whatever the record was computed from.
   *
   * @param event recorded once it is in force.
   * @throws QuorateError `head-moved`; what the store shows if that is not as it should be; `unavailable` if the outcome
   * is not known yet (it may still become true, and then is followed); or of the store: nothing happened, or it is true
   * and could not be read back, which {@link settle} does.
   */
  commit(prepared: Prepared, event: AuditEvent): Promise<Enforced> {
    return this.#commits.commit(prepared, event);
  }

  /**
   * Puts a state in force that was made from a peer's secrets, over a {@link history} that was verified here.
   *
   * @returns false if the history has moved on meanwhile: compute it again, and dispose of these keys
   */
  adopt(next: Enforced): boolean {
    // The same one may have been read again since: its head's hash covers all of it.
    if (this.#problem !== undefined || next.recordHash !== this.history?.recordHash) return false;
    const { lifecycle, outcome } = becomeReady(this.#lifecycle, {
      from: this.state,
      next: { place: next.history.place, payload: next },
    });
    if (outcome !== "done") return false;
    this.#became(lifecycle, next);
    this.#tell();
    return true;
  }

  /** Keeps the key of a record that another coordinator is about to make the head. Takes over the secret. @throws QuorateError */
  prepare(author: InstanceId, record: RecordDocument, meshCaKey: Secret): void {
    if (this.state?.place.hash !== record.record.previous || this.#lifecycle.kind !== "ready") {
      meshCaKey.dispose();
      throw this.headMoved();
    }
    this.prepares.keep(author, { record: record.hash, meshCaKey });
    this.#tell();
  }

  /** True if `record` is the newest one that was verified here, or one of its ancestors. */
  covers(record: Sha256): boolean {
    return this.history?.contains(record) ?? false;
  }

  /** Settles a commit whose outcome stayed unknown, by repeating the identical swap. */
  settle(): Promise<void> {
    return this.#commits.settle();
  }

  /** The error for a change that was computed from a record which is no longer the head. */
  headMoved(): QuorateError {
    const head = this.history?.recordHash ?? "none";
    return new QuorateError("head-moved", `the history has moved on; its head is now ${head}`, {
      hint: "look at the new manifest (quorate verify), then approve and set again",
      details: { head },
    });
  }

  async close(): Promise<void> {
    await this.#watch?.close();
    this.#listeners.clear();
    this.prepares.drop();
  }

  async #readHead(): Promise<void> {
    // Before the read is sent: only such a read must show what was committed.
    const { committed } = this.#commits;
    try {
      this.#head = await this.ports.store.readHead();
      if (committed === undefined && this.#seen === versionOf(this.#head)) return;
      await this.#examine(this.#head, committed);
      this.#failure = undefined;
      // What is wrong may be mended without a new head: by the return of a document.
      this.#seen = this.#problem === undefined ? versionOf(this.#head) : undefined;
    } catch (cause) {
      this.#seen = undefined;
      this.#failure =
        cause instanceof QuorateError
          ? cause
          : new QuorateError("internal", "the store's head could not be examined", { cause });
      this.#lifecycle = storeFailed(this.#lifecycle, this.#failure.message);
      this.#tell();
      throw cause;
    }
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  async #examine(head: Head | undefined, committed: PendingChange | undefined): Promise<void> {
    if (committed !== undefined) {
      // The swap was the commit point: a head that goes behind it from here on is a rollback.
      if (!this.#activate(committed)) this.#commits.drop(committed);
    }
    const known = this.history;
    this.#lacking = undefined;
    const view = await viewHead(head, this.ports.store, {
      known,
      onProgress: (link) => (this.#progress = link.head.record.generation),
    });
    if (view.error !== undefined) this.#lacking = lackingDocument(view.error);
    if (this.state === undefined || this.#lifecycle.kind === "stale")
      this.#examineForRecovery(view, known);
    else await this.#examineInForce(this.state, view);
  }

  /** Without a state in force, a verified history is what recovery builds on; it never goes back. */
  #examineForRecovery(view: HeadView, known: VerifiedHistory | undefined): void {
    const hasHead = view.observed.kind !== "missing" || known !== undefined;
    this.#lifecycle = observeUninitialized(this.#lifecycle, hasHead).lifecycle;
    const own = this.#commits.of(view.history?.recordHash, undefined);
    if (own !== undefined) {
      this.#activate(own);
      return;
    }
    const shown = known === undefined ? undefined : classifyHead(known.applied, view.observed);
    const problem = shown === undefined ? view.error : problemOf(shown, view.error);
    if (shown === undefined || problem === undefined) this.#public = view.history;
    this.#show(problem, shown, known?.recordHash);
  }

  async #examineInForce(state: CoordinatorState<Enforced>, view: HeadView): Promise<void> {
    const shown = classifyHead(state.payload.history.applied, view.observed);
    const { history } = view;
    const own = this.#commits.of(history?.recordHash, state.payload);
    const key = history === undefined ? undefined : this.prepares.keyOf(history.recordHash);
    const prepared = shown.kind === "follow" && (own !== undefined || key !== undefined);
    this.#lifecycle = observeHead(this.#lifecycle, {
      from: state,
      head: shown,
      prepared,
    }).lifecycle;
    if (prepared && own !== undefined) {
      this.#activate(own);
      return;
    }
    if (this.#lifecycle.kind === "activating" && history !== undefined && key !== undefined) {
      this.#tell();
      if (await this.#follow(state, history, key)) return;
      // What was prepared is not the record's after all: its secrets have to come from a peer.
      const unprepared = { from: state, head: shown, prepared: false };
      this.#lifecycle = observeHead(this.#lifecycle, unprepared).lifecycle;
    }
    if (this.#lifecycle.kind === "stale") {
      this.#public = history;
      this.#problem = undefined;
      this.prepares.drop();
      const headHash = history?.recordHash ?? "";
      this.ports.log.warn({ head: headHash }, "the history moved past this coordinator's state");
      const { recordHash } = state.payload;
      this.ports.audit.record({ event: "state-stale", recordHash, headHash });
      return;
    }
    // A FORK ends only with our record or a descendant: until then it stays what it was reported as.
    if (this.#lifecycle.store.kind === "fork" && shown.kind !== "fork") return;
    const problem = problemOf(shown, view.error);
    const isReassertable = problem !== undefined && demandsReassertion(shown);
    // What was unconfirmed once stays that until the others have been asked again.
    if (!isReassertable || this.#problem === undefined)
      this.#show(problem, shown, state.payload.recordHash);
    if (!isReassertable) return;
    const { group } = this.ports;
    if (await group.agreesOnNewest(state.payload.history, state.payload.policy))
      await this.#reassert(state, shown);
    else this.#show(unconfirmed(problem), shown, state.payload.recordHash);
  }

  /** Puts an update in force that another coordinator made, with the key that it prepared here. @returns false if it can't */
  async #follow(
    from: CoordinatorState<Enforced>,
    history: VerifiedHistory,
    key: Secret,
  ): Promise<boolean> {
    const { name } = this.ports.author;
    // A coordinator that the update excludes holds nothing of it, whatever it was given.
    if (!history.manifest.coordinators.includes(name)) return false;
    const made = await enforceWithKey(history, from.payload.engine, key, this.ports);
    if (!made.ok) {
      this.ports.log.error({ error: made.error }, "a prepared key is not the record's");
      return false;
    }
    const next = { place: history.place, payload: made.value };
    const { lifecycle, outcome } = becomeReady(this.#lifecycle, { from, next });
    if (outcome === "done") this.#became(lifecycle, made.value);
    return outcome === "done";
  }

  /**
   * Puts our record back. What the store lost is put first, so that the head never points at nothing.
   *
   * **Security:** only a record that a majority of its coordinators call the newest, asked after the head was read, and
   * only over a head that the table of DESIGN section 8 calls rollback, corruption or a branch.
   */
  async #reassert(from: CoordinatorState<Enforced>, shown: HeadClass): Promise<void> {
    const { history, recordHash } = from.payload;
    const records = history.links.map((link) => link.head.bytes);
    const documents = [...records, ...history.documents.values()];
    const swapped = await swapIn(this.ports.store, this.#head, history.head.head.bytes, documents);
    if (swapped.outcome !== "committed") {
      // The next read classifies what is there then.
      throw new QuorateError(
        "unavailable",
        "the store went back, and the newest record could not be put back yet",
        {
          hint: "repeat the call",
        },
      );
    }
    this.#head = swapped.head;
    this.#problem = undefined;
    const count = (this.#reasserted?.count ?? 0) + 1;
    this.#reasserted = { count, shown: shown.kind, at: this.ports.now() };
    this.ports.audit.record({ event: "store-reasserted", recordHash, shown: shown.kind });
    this.ports.log.warn(
      { shown: shown.kind },
      "the store went back; the newest record was put back",
    );
    const head = { kind: "same" } as const;
    this.#lifecycle = observeHead(this.#lifecycle, { from, head, prepared: false }).lifecycle;
  }

  /** @returns false if the current state is not the one that the record was made from */
  #activate(pending: PendingChange): boolean {
    const { prepared, event } = pending;
    const next = { place: prepared.next.history.place, payload: prepared.next };
    const from = this.state;
    if (prepared.base !== undefined && from?.payload !== prepared.base) return false;
    const { lifecycle, outcome } = becomeReady(this.#lifecycle, { from, next });
    if (outcome !== "done") return false;
    this.#commits.settled(pending);
    this.ports.audit.record(event);
    this.#became(lifecycle, prepared.next);
    return true;
  }

  /** A new state is in force. */
  #became(lifecycle: Lifecycle<Enforced>, next: Enforced): void {
    this.#lifecycle = lifecycle;
    this.#public = undefined;
    this.#problem = undefined;
    this.prepares.drop();
    const { generation, epoch, kind } = next.history.record;
    this.ports.log.info({ record: next.recordHash, generation, epoch, kind }, "record in force");
  }

  /** Takes note of what is wrong with the store, and says so once. */
  #show(
    problem: QuorateError | undefined,
    shown: HeadClass | undefined,
    recordHash: Sha256 | undefined,
  ): void {
    const isNews = problem !== undefined && problem.message !== this.#problem?.message;
    this.#problem = problem;
    if (!isNews) return;
    this.ports.log.error({ error: problem }, "the store is not as it should be: nothing is issued");
    if (shown?.kind !== "fork") return;
    const { reason } = shown;
    this.ports.audit.record({ event: "store-fork", recordHash: recordHash ?? "", shown: reason });
  }
}

function versionOf(head: Head | undefined): HeadVersion | "none" {
  return head?.version ?? "none";
}
