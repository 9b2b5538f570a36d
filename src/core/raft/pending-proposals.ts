/** This node's proposals without a result: each ends exactly once. */
import type { ProposalResult } from "./ready.ts";
import type { EntryId, LogIndex, Term } from "./types.ts";

/** Where one proposal is. */
interface Pending {
  /** Its place in the log, once known. */
  place: EntryId | undefined;
  readonly sinceTick: number;
}

/** A bounded table of numbered proposals. */
export class PendingProposals {
  readonly #max: number;
  readonly #pending = new Map<number, Pending>();
  /** The placed ones by index, so that applying an entry finds its proposal at once. */
  readonly #byIndex = new Map<LogIndex, number>();
  #newest = -1;

  constructor(max: number) {
    this.#max = max;
  }

  get full(): boolean {
    return this.#pending.size >= this.#max;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** True if `id` is above the numbers of all proposals before: a late answer to one of these can't be meant for it. */
  isNew(id: number): boolean {
    return id > this.#newest;
  }

  /** Notes a proposal that was appended (`place`) or forwarded (undefined). */
  add(id: number, place: EntryId | undefined, tick: number): void {
    this.#newest = id;
    this.#pending.set(id, { place, sinceTick: tick });
    if (place !== undefined) this.#byIndex.set(place.index, id);
  }

  /** Notes where the leader put a forwarded proposal. */
  placed(id: number, place: EntryId): void {
    const pending = this.#pending.get(id);
    if (pending === undefined || pending.place !== undefined) return;
    pending.place = place;
    this.#byIndex.set(place.index, id);
  }

  /** Ends one proposal without a place; false if it has ended or has one. */
  drop(id: number): boolean {
    if (this.#pending.get(id)?.place !== undefined) return false;
    return this.#pending.delete(id);
  }

  /** Ends the proposal that stands at an applied entry: committed if it is that very entry, else unknown. */
  applied(index: LogIndex, term: Term): ProposalResult | undefined {
    if (this.#byIndex.size === 0) return undefined;
    const id = this.#byIndex.get(index);
    if (id === undefined) return undefined;
    this.#byIndex.delete(index);
    const place = this.#pending.get(id)?.place;
    this.#pending.delete(id);
    return place?.term === term
      ? { id, outcome: "committed", term, index }
      : { id, outcome: "unknown" };
  }

  /** Ends the proposals that stand at or before `index`, which a snapshot covers: what stood there is not told. */
  covered(index: LogIndex): ProposalResult[] {
    const results: ProposalResult[] = [];
    for (const [at, id] of this.#byIndex) {
      if (at > index) continue;
      this.#byIndex.delete(at);
      this.#pending.delete(id);
      results.push({ id, outcome: "unknown" });
    }
    return results;
  }

  /** Ends everything that can't be followed any more, in the order in which it was proposed. */
  abandonAll(): ProposalResult[] {
    const results = [...this.#pending.keys()].map((id): ProposalResult => ({
      id,
      outcome: "unknown",
    }));
    this.#pending.clear();
    this.#byIndex.clear();
    return results;
  }

  /** Ends forwarded proposals that were neither placed nor refused since `tick`: their message may be lost. */
  abandonUnplacedBefore(tick: number): ProposalResult[] {
    const results: ProposalResult[] = [];
    for (const [id, { place, sinceTick }] of this.#pending) {
      if (sinceTick >= tick) break;
      if (place === undefined) results.push({ id, outcome: "unknown" });
    }
    for (const { id } of results) this.#pending.delete(id);
    return results;
  }
}
