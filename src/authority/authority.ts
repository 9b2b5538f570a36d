/**
 * The coordinator's authority over one lineage: it knows what is in force, notices when that changes, and is asked before
 * anything is issued. Changes are made in `set-manifest.ts` and `user-recovery.ts`, through {@link Authority.commit}.
 *
 * With one coordinator the group of DESIGN section 8 is this process: a prepare lives in memory, the confirming round is
 * the linearizable read of the head, and the leader who may re-assert is always this one.
 */
import { classifyHead, demandsReassertion, type HeadClass } from "../core/history/index.ts";
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
import { assert } from "../core/assert.ts";
import type { InstanceId, Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { sha256 } from "../crypto/index.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import type { AuditLog } from "../observability/audit.ts";
import type { Logger } from "../observability/log.ts";
import type { Head, HeadVersion, Store, Watch } from "../store/store.ts";
import { BatchedRead } from "./batched-read.ts";
import type { Enforced } from "./enforced.ts";
import type { Prepared } from "./next-record.ts";
import { viewHead } from "./observe-head.ts";
import { SerialQueue } from "./serial-queue.ts";
import { swapIn } from "./swap-in.ts";

/** What the authority stands on. */
export interface AuthorityPorts {
  readonly store: Store;
  /** The coordinator's stable name and this instance's id: the author of its records. */
  readonly author: { readonly name: string; readonly instance: InstanceId };
  readonly log: Logger;
  readonly audit: AuditLog;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** Changes that may wait at once; each is a manifest or a share of a person. */
const CHANGES_WAITING_MAX = 32;

export class Authority {
  readonly ports: AuthorityPorts;
  /** Changes run one at a time: each is computed from the state that the one before it left. */
  readonly changes = new SerialQueue(CHANGES_WAITING_MAX);
  readonly #reads = new BatchedRead(() => this.#readHead());
  readonly #listeners = new Set<() => void>();
  #lifecycle: Lifecycle<Enforced> = initialLifecycle();
  /** Verified history of the store while there is no state, or beyond a stale one: what recovery builds on. */
  #public: VerifiedHistory | undefined;
  #problem: QuorateError | undefined;
  #progress = 0;
  #seen: HeadVersion | "none" | undefined;
  #head: Head | undefined;
  #pending: Prepared | undefined;
  #watch: Watch | undefined;

  private constructor(ports: AuthorityPorts) {
    this.ports = ports;
  }

  /**
   * Opens the authority over a store: verifies the history that is there, if any, and watches the head.
   *
   * @throws QuorateError of the store, if it can't be reached at all.
   */
  static async open(ports: AuthorityPorts): Promise<Authority> {
    const authority = new Authority(ports);
    await authority.refresh();
    authority.#watch = await ports.store.watchHead(() => {
      authority.refresh().catch((cause: unknown) => {
        ports.log.warn({ error: cause }, "the store's head could not be read after it changed");
      });
    });
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

  /** Newest generation that was verified while reading the history from the store. */
  get lastVerifiedGeneration(): number {
    return this.#progress;
  }

  /** The head as last read. */
  get head(): Head | undefined {
    return this.#head;
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
    const { state } = this;
    if (state !== undefined && this.#problem === undefined && mayIssue(this.#lifecycle, state))
      return state.payload;
    throw this.notReady();
  }

  /** Why nothing is issued, and the way out. */
  notReady(): QuorateError {
    if (this.#problem !== undefined) return this.#problem;
    switch (this.#lifecycle.kind) {
      case "uninitialized":
        return this.#lifecycle.storeHasHead === true
          ? new QuorateError(
              "recovery-needed",
              "this coordinator has restarted and does not hold the secrets of the history in its store",
              {
                hint: "let share owners run quorate recover",
              },
            )
          : new QuorateError("not-ready", "no manifest has been set yet", {
              hint: "set one with quorate set",
            });
      case "stale":
        return new QuorateError(
          "recovery-needed",
          "the history has moved past the state of this coordinator",
          {
            hint: "let share owners run quorate recover",
          },
        );
      case "ready":
      case "activating":
        return new QuorateError("unavailable", "the state is changing just now", {
          hint: "repeat the call",
        });
    }
  }

  /** Calls `listener` after every change of state. @returns a function that ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Makes a prepared record true: documents, then the swap of the head from the predecessor to it, then the new state.
   * The outcome of an earlier call that stayed unknown is settled first.
   *
   * @throws QuorateError `head-moved`; `unavailable` if the outcome is not known yet (it may still become true, and then
   * is followed); or of the store, if nothing happened.
   */
  async commit(prepared: Prepared): Promise<Enforced> {
    const expected = this.#head;
    const { store } = this.ports;
    const document = prepared.next.history.head.head;
    // **Security:** the swap is conditional on the predecessor itself, not on whatever is the head by now.
    const shown = expected === undefined ? null : sha256(expected.value);
    if (shown !== document.record.previous) throw this.headMoved();
    this.#pending = prepared;
    let outcome: Awaited<ReturnType<typeof swapIn>>;
    try {
      outcome = await swapIn(store, expected, document.bytes, prepared.documents);
    } catch (cause) {
      this.#pending = undefined;
      throw cause;
    }
    if (outcome === "unknown") {
      throw new QuorateError(
        "unavailable",
        "the store has not said yet whether the change took effect",
        {
          hint: "repeat the same call: it waits for the answer and changes nothing twice",
        },
      );
    }
    await this.refresh();
    if (this.#activated(document.hash)) return prepared.next;
    this.#pending = undefined;
    throw this.headMoved();
  }

  /** Settles a commit whose outcome stayed unknown, by repeating the identical swap. */
  async settle(): Promise<void> {
    const pending = this.#pending;
    if (pending === undefined) return;
    await this.refresh();
    const { hash } = pending.next.history.head.head;
    if (!this.#activated(hash)) await this.commit(pending).catch(ignoreLost);
    this.#pending = undefined;
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
  }

  #activated(hash: Sha256): boolean {
    return this.#lifecycle.kind === "ready" && this.#lifecycle.state.payload.history.contains(hash);
  }

  async #readHead(): Promise<void> {
    const { store } = this.ports;
    try {
      const head = await store.readHead();
      this.#head = head;
      const unchanged = this.#seen === (head?.version ?? "none");
      if (unchanged && this.#lifecycle.store.kind !== "failing") return;
      await this.#examine(head);
      this.#seen = head?.version ?? "none";
    } catch (cause) {
      this.#lifecycle = storeFailed(
        this.#lifecycle,
        cause instanceof Error ? cause.message : String(cause),
      );
      throw cause;
    }
  }

  async #examine(head: Head | undefined): Promise<void> {
    const known = this.history;
    const view = await viewHead(head, this.ports.store, {
      known,
      onProgress: (link) => (this.#progress = link.head.record.generation),
    });
    if (this.state === undefined || this.#lifecycle.kind === "stale")
      this.#examineForRecovery(view, known);
    else await this.#examineInForce(this.state, view);
    for (const listener of [...this.#listeners]) listener();
  }

  /** Without a state in force, a verified history is what recovery builds on; it never goes back. */
  #examineForRecovery(
    view: Awaited<ReturnType<typeof viewHead>>,
    known: VerifiedHistory | undefined,
  ): void {
    this.#lifecycle = observeUninitialized(
      this.#lifecycle,
      view.observed.kind !== "missing",
    ).lifecycle;
    const pending = this.#pending;
    if (
      view.history !== undefined &&
      pending?.base === undefined &&
      pending?.next.recordHash === view.history.recordHash
    ) {
      this.#activate(pending, this.state);
      return;
    }
    const shown: HeadClass | undefined =
      known === undefined ? undefined : classifyHead(known.applied, view.observed);
    if (shown === undefined) {
      this.#public = view.history;
      this.#problem = view.error;
    } else if (shown.kind === "same" || shown.kind === "follow" || shown.kind === "taken-over") {
      this.#public = view.history;
      this.#problem = undefined;
    } else {
      this.#problem = problemOf(shown, view.error);
      this.#report(shown, known?.recordHash);
    }
  }

  async #examineInForce(
    state: CoordinatorState<Enforced>,
    view: Awaited<ReturnType<typeof viewHead>>,
  ): Promise<void> {
    const shown = classifyHead(state.payload.history.applied, view.observed);
    const pending = this.#pending;
    const prepared =
      shown.kind === "follow" &&
      pending?.base === state.payload &&
      pending.next.recordHash === shown.head.hash;
    const { lifecycle } = observeHead(this.#lifecycle, { from: state, head: shown, prepared });
    this.#lifecycle = lifecycle;
    if (prepared) {
      this.#activate(pending, state);
      return;
    }
    if (lifecycle.kind === "stale") {
      this.#public = view.history;
      this.#problem = undefined;
      this.ports.log.warn(
        { head: view.history?.recordHash },
        "the history moved past this coordinator's state",
      );
      this.ports.audit.record({
        event: "state-stale",
        recordHash: state.payload.recordHash,
        headHash: view.history?.recordHash ?? "",
      });
      return;
    }
    if (demandsReassertion(shown) && lifecycle.store.kind !== "fork")
      return this.#reassert(state.payload, shown);
    this.#problem = shown.kind === "same" ? undefined : problemOf(shown, view.error);
    this.#report(shown, state.payload.recordHash);
  }

  /**
   * Puts our record back. What the store lost is put first, so that the head never points at nothing.
   *
   * **Security:** only a state whose record this process itself committed or recovered is asserted, and only over a
   * head that the table of DESIGN section 8 calls rollback, corruption or a branch.
   */
  async #reassert(state: Enforced, shown: HeadClass): Promise<void> {
    this.#problem = problemOf(shown, undefined);
    this.#report(shown, state.recordHash);
    const { history } = state;
    const records = history.links.map((link) => link.head.bytes);
    const documents = [...records, ...history.documents.values()];
    const outcome = await swapIn(this.ports.store, this.#head, history.head.head.bytes, documents);
    if (outcome !== "committed") {
      // The next read classifies what is there then.
      this.#seen = undefined;
      throw new QuorateError(
        "unavailable",
        "the store went back, and the newest record could not be put back yet",
        {
          hint: "repeat the call",
        },
      );
    }
    this.#head = outcome === "committed" ? await this.ports.store.readHead() : this.#head;
    this.#problem = undefined;
    this.ports.audit.record({
      event: "store-reasserted",
      recordHash: state.recordHash,
      shown: shown.kind,
    });
    this.ports.log.warn(
      { shown: shown.kind },
      "the store went back; the newest record was put back",
    );
    const from = this.state;
    assert(from !== undefined, "only a state re-asserts");
    this.#lifecycle = observeHead(this.#lifecycle, {
      from,
      head: { kind: "same" },
      prepared: false,
    }).lifecycle;
  }

  #activate(prepared: Prepared, from: CoordinatorState<Enforced> | undefined): void {
    const next = { place: prepared.next.history.place, payload: prepared.next };
    const { lifecycle, outcome } = becomeReady(this.#lifecycle, { from, next });
    this.#lifecycle = lifecycle;
    if (outcome !== "done") return;
    this.#pending = undefined;
    this.#public = undefined;
    this.#problem = undefined;
    const { record } = prepared.next.history;
    this.ports.log.info(
      {
        record: prepared.next.recordHash,
        generation: record.generation,
        epoch: record.epoch,
        kind: record.kind,
      },
      "record in force",
    );
  }

  #report(shown: HeadClass, recordHash: Sha256 | undefined): void {
    if (shown.kind !== "fork") return;
    this.ports.log.error({ reason: shown.reason }, "the store shows a fork: nothing is issued");
    this.ports.audit.record({
      event: "store-fork",
      recordHash: recordHash ?? "",
      shown: shown.reason,
    });
  }
}

const WAY_OUT = "restore the store, or restart this coordinator to give up what it remembers";

function problemOf(shown: HeadClass, cause: QuorateError | undefined): QuorateError {
  switch (shown.kind) {
    case "rollback":
      return new QuorateError("rollback", "the store shows an older head than was verified here", {
        hint: WAY_OUT,
      });
    case "corruption":
      return new QuorateError("store-corrupt", `the store's head is ${shown.found}`, {
        hint: WAY_OUT,
      });
    case "branch":
      return new QuorateError("fork", "the store shows another branch of this history", {
        hint: WAY_OUT,
      });
    case "fork":
      return new QuorateError("fork", `the store shows a fork: ${FORKS[shown.reason]}`, {
        hint: WAY_OUT,
        cause,
      });
    case "same":
    case "follow":
    case "taken-over":
      return new QuorateError("unavailable", "the state is changing just now", {
        hint: "repeat the call",
      });
  }
}

const FORKS = {
  "other-lineage": "its history belongs to another lineage",
  "other-history": "its history left the one that was verified here",
  unverified: "its history cannot be verified",
} as const;

/** A change that lost is no error for whoever settles it. */
function ignoreLost(cause: unknown): void {
  if (cause instanceof QuorateError && cause.code === "head-moved") return;
  throw cause;
}
