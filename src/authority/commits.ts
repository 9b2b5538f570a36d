/**
 * Makes records that were made here true: prepared at the other coordinators, swapped in, and settled if the answer of the
 * store was lost. One at a time.
 */
import type { Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { sha256 } from "../crypto/index.ts";
import type { AuditEvent } from "../observability/audit.ts";
import type { Head, Store, SwapOutcome } from "../store/store.ts";
import type { Enforced } from "./enforced.ts";
import type { Group } from "./group.ts";
import type { Prepared } from "./next-record.ts";
import { putDocuments, swapIn } from "./swap-in.ts";

/** A record that was made here and is on its way into the store. */
export interface PendingChange {
  readonly prepared: Prepared;
  /** Goes to the audit log when the record comes into force, whoever notices first. */
  readonly event: AuditEvent;
  /** `unknown`: a swap of it may still take effect. `committed`: one has, whatever the store shows from now on. */
  readonly standing: "unsent" | "unknown" | "committed";
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What commits need of the authority, which owns the state. */
export interface CommitHost {
  readonly ports: { readonly store: Store; readonly group: Group };
  /** Reads the head and acts on what it shows; a record that was committed here comes into force by it. */
  refresh(): Promise<void>;
  /** As last read. */
  head(): Head | undefined;
  /** The state in force or stale. */
  state(): Enforced | undefined;
  /** True if a record is the newest one that was verified, or one of its ancestors. */
  covers(record: Sha256): boolean;
  /** True while the store shows something that is not as it should be. */
  isLying(): boolean;
  /** The error for a change whose predecessor is no longer the head: the new one, or what is wrong with the store. */
  headMoved(): QuorateError;
}

export class Commits {
  readonly #host: CommitHost;
  #pending: Mutable<PendingChange> | undefined;

  constructor(host: CommitHost) {
    this.#host = host;
  }

  /** The change whose swap has taken effect, until it is settled. */
  get committed(): PendingChange | undefined {
    return this.#pending?.standing === "committed" ? this.#pending : undefined;
  }

  /** The pending change that made `record` out of the state `base`, if there is one. */
  of(record: Sha256 | undefined, base: Enforced | undefined): PendingChange | undefined {
    const prepared = this.#pending?.prepared;
    const isIt = prepared?.base === base && prepared?.next.recordHash === record;
    return isIt ? this.#pending : undefined;
  }

  /** The record is in force: its keys are the state's now. */
  settled(change: PendingChange): void {
    if (this.#pending === change) this.#pending = undefined;
  }

  /** Gives up a record that can't come into force here any more, or is in force; its keys, unless the state works with them. */
  drop(change: PendingChange): void {
    this.settled(change);
    const { base, next } = change.prepared;
    // An update works with the keys of the state that it was made from, and what followed this one with its own.
    if (base === undefined && this.#host.state()?.engine !== next.engine) next.engine.dispose();
  }

  /** @see Authority.commit */
  async commit(prepared: Prepared, event: AuditEvent): Promise<Enforced> {
    const change: PendingChange = { prepared, event, standing: "unsent" };
    if (this.#pending !== undefined) {
      this.drop(change);
      throw new QuorateError("unavailable", "an earlier change is not settled yet", {
        hint: "repeat the call",
      });
    }
    this.#pending = change;
    const host = this.#host;
    try {
      // Neither shows before the swap, which waits for both.
      const { group, store } = host.ports;
      await Promise.all([group.prepare(prepared), putDocuments(store, prepared.documents)]);
    } catch (cause) {
      this.drop(change);
      // What failed says more than a head that can't be read either.
      await host.refresh().catch(() => undefined);
      // Those that refused may just have been the first to see another change.
      if (prepared.base !== undefined && host.state() !== prepared.base) throw host.headMoved();
      throw cause;
    }
    return this.#send(change);
  }

  /** @see Authority.settle */
  async settle(): Promise<void> {
    const change = this.#pending;
    if (change === undefined) return;
    await this.#host.refresh();
    // A store that lies about the head does not tell what became of the swap either.
    if (this.#pending === change && !this.#host.isLying())
      await this.#send(change).catch(ignoreLost);
  }

  async #send(change: Mutable<PendingChange>): Promise<Enforced> {
    const host = this.#host;
    const { prepared } = change;
    const document = prepared.next.history.head.head;
    const expected = host.head();
    // **Security:** the swap is conditional on the predecessor itself, not on whatever is the head by now.
    const shown = expected === undefined ? null : sha256(expected.value);
    if (shown !== document.record.previous) {
      this.drop(change);
      // The answer names the new head: the read that showed it may still be verifying it.
      await host.refresh();
      throw host.headMoved();
    }
    let outcome: SwapOutcome["outcome"];
    try {
      const { store } = host.ports;
      // The first attempt has just put them; before a later one the store may have lost them again.
      const documents = change.standing === "unsent" ? [] : prepared.documents;
      ({ outcome } = await swapIn(store, expected, document.bytes, documents));
    } catch (cause) {
      // A definite failure says nothing about an earlier attempt that was ambiguous.
      if (change.standing === "unsent") this.drop(change);
      throw cause;
    }
    if (outcome === "unknown") {
      change.standing = "unknown";
      throw new QuorateError(
        "unavailable",
        "the store has not said yet whether the change took effect",
        { hint: "repeat the same call: it waits for the answer and changes nothing twice" },
      );
    }
    if (outcome === "committed") change.standing = "committed";
    await host.refresh();
    if (host.covers(document.hash)) {
      // In force, or succeeded already by somebody who saw it in force.
      this.drop(change);
      return prepared.next;
    }
    this.drop(change);
    throw host.headMoved();
  }
}

/** A change that lost is no error for whoever settles it. */
function ignoreLost(cause: unknown): void {
  if (cause instanceof QuorateError && cause.code === "head-moved") return;
  throw cause;
}
