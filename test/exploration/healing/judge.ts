/** Applies the properties to what a system does, and counts what was reached. */
import { assert } from "../../../src/core/assert.ts";
import type { InstanceId, Sha256 } from "../../../src/core/brand.ts";
import type { Peer } from "../../../src/core/healing/index.ts";
import type { Ledger } from "../../support/healing/ledger.ts";
import type { Assignment } from "./assignment.ts";
import type { Local, Sent } from "./local.ts";
import { checkElection, checkRecord } from "./properties.ts";

export class Judge {
  /** Properties found broken; a search stops at the first. */
  readonly broken: string[] = [];
  /** How often each thing was seen that must be reachable. */
  readonly seen = new Map<string, number>();
  readonly #assignment: Assignment;
  readonly #ledger: Ledger;

  constructor(assignment: Assignment, ledger: Ledger) {
    this.#assignment = assignment;
    this.#ledger = ledger;
  }

  /** Counts that something was seen. */
  see(...names: readonly string[]): void {
    for (const name of names) this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
  }

  /** A process went from one state to another: if it comes to open, its votes and claims must bear it. */
  step(before: Local, after: Local, network: readonly Sent[]): void {
    const { phase: from, known } = before.state;
    const { phase, attempt } = after.state;
    const isPolling = from.kind === "gathering" || from.kind === "voted";
    if (isPolling && phase.kind === "joining" && phase.target.epoch === known?.epoch) {
      this.see("gave way to a live group");
    }
    if (phase.kind !== "opening" || !("own" in from)) return;
    const parent = this.#ledger.get(phase.plan.base.record.hash);
    const own = from.own.claim;
    this.broken.push(...checkElection({ plan: phase.plan, attempt, own, parent, network }));
  }

  /** The store accepts the swap of `opener`, whose state is `local`. */
  acceptance(local: Local, opener: Peer, all: readonly Local[], head: Sha256): void {
    const { phase, attempt } = local.state;
    assert(phase.kind === "opening", "only an opening one swaps");
    const { plan } = phase;
    const { epoch, generation, hash } = plan.base.record;
    this.broken.push(
      ...checkRecord({
        assignment: this.#assignment,
        plan,
        opener,
        parent: this.#ledger.get(hash),
        halted: new Set(all.flatMap(({ halted }) => halted)),
        groups: this.#groups(head),
      }),
    );
    this.see(plan.path, plan.fenced ? "fenced" : "unfenced");
    if (attempt > 1) this.see("opened in a later attempt");
    if (epoch > 1) this.see("opened on an opened epoch");
    if (plan.base.reasserted) this.see("rolled back head re-asserted");
    if (generation > this.#assignment.head) this.see("opened on an update");
  }

  /** A group may only be opened under the record that the store has for its epoch. */
  opening(opened: Sha256, head: Sha256): void {
    this.see("opened");
    const isStored = this.#ledger.has(opened) && this.#ledger.descends(head, opened);
    if (!isStored) this.broken.push("a group was opened that the store does not have");
  }

  /** The groups that heals have opened: at first the opener alone, as its new instance. */
  #groups(head: Sha256): ReadonlyMap<Sha256, readonly InstanceId[]> {
    const groups = new Map<Sha256, InstanceId[]>();
    for (let at: Sha256 | undefined = head; at !== undefined;) {
      const record = this.#ledger.get(at);
      if (record.epoch > 1 && record.group === at) {
        groups.set(at, [`${record.opener.instance}+` as InstanceId]);
      }
      at = record.parent;
    }
    return groups;
  }
}
