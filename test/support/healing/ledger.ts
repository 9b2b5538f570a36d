/**
 * Records for tests: a chain in memory whose hashes are readable names, and what a verified read of a head would say
 * about it. Stands for the store's documents and the verifier.
 */
import { assert } from "../../../src/core/assert.ts";
import type { Epoch, Generation, InstanceId, Sha256 } from "../../../src/core/brand.ts";
import type {
  HeadObservation,
  HealingPolicy,
  OpenPlan,
  Peer,
  RecordView,
} from "../../../src/core/healing/index.ts";

export type StoredRecord = Omit<RecordView, "eligible"> & {
  readonly parent: Sha256 | undefined;
  readonly fenced: boolean;
};

/** The text as an instance id. */
export const instance = (text: string): InstanceId => text as InstanceId;
/** The text as a hash. */
export const hash = (text: string): Sha256 => text as Sha256;

export class Ledger {
  readonly #records = new Map<Sha256, StoredRecord>();

  constructor(names: readonly string[], policy: HealingPolicy) {
    this.#put({
      hash: hash("g1"),
      parent: undefined,
      epoch: 1 as Epoch,
      generation: 1 as Generation,
      group: hash("g1"),
      opener: { name: names[0] ?? "", instance: instance(`${names[0] ?? ""}0`) },
      names: [...names].sort(),
      policy,
      fenced: false,
    });
  }

  has(at: Sha256): boolean {
    return this.#records.has(at);
  }

  get(at: Sha256): StoredRecord {
    const record = this.#records.get(at);
    assert(record !== undefined, `the ledger has ${at}`);
    return record;
  }

  /** The next generation on `at`, optionally with other names. */
  update(at: Sha256, names?: readonly string[]): Sha256 {
    const parent = this.get(at);
    const generation = (parent.generation + 1) as Generation;
    const name = parent.epoch === 1 ? `g${generation}` : `${at}.g${generation}`;
    return this.#put({
      ...parent,
      hash: hash(name),
      parent: at,
      generation,
      names: names === undefined ? parent.names : [...names].sort(),
    });
  }

  /** The record of a plan; the same plan gives the same record. */
  heal(plan: OpenPlan, opener: Peer): Sha256 {
    const parent = this.get(plan.base.record.hash);
    const voters = plan.votes.map((vote) => vote.instance).join("+");
    const traits = `${plan.path}${plan.fenced ? " fenced" : ""}`;
    const name = hash(
      `${parent.hash}/e${plan.epoch}(${opener.instance} k${plan.meshCaKey} by ${voters} ${traits})`,
    );
    return this.#put({
      ...parent,
      hash: name,
      parent: parent.hash,
      epoch: plan.epoch,
      group: name,
      opener,
      fenced: plan.fenced,
    });
  }

  view(at: Sha256, eligible: boolean): RecordView {
    const { hash: name, epoch, generation, group, opener, names, policy } = this.get(at);
    return { hash: name, epoch, generation, group, opener, names, policy, eligible };
  }

  /** Whether `ancestor` is `at` or lies under it. */
  descends(at: Sha256 | undefined, ancestor: Sha256): boolean {
    for (let next = at; next !== undefined; next = this.get(next).parent) {
      if (next === ancestor) return true;
    }
    return false;
  }

  /** The record under `at` that opened `epoch`. */
  openerOf(at: Sha256, epoch: number): Sha256 | undefined {
    for (let next: Sha256 | undefined = at; next !== undefined; next = this.get(next).parent) {
      const record = this.get(next);
      if (record.epoch === epoch) return record.group;
    }
    return undefined;
  }

  /** What a read that found `head` says to one whose newest record is `known`. */
  observe(
    head: Sha256,
    known: Sha256 | undefined,
    eligible: (record: StoredRecord) => boolean,
  ): HeadObservation {
    const relation = this.#relation(head, known);
    if (relation === "fork") return { kind: "fork" };
    const record = this.view(head, eligible(this.get(head)));
    return { kind: "verified", token: head, record, relation };
  }

  #relation(head: Sha256, known: Sha256 | undefined): "same" | "ahead" | "behind" | "fork" {
    if (known === undefined || this.descends(head, known)) return head === known ? "same" : "ahead";
    if (this.descends(known, head)) return "behind";
    return this.get(head).group === this.get(known).group ? "behind" : "fork";
  }

  #put(record: StoredRecord): Sha256 {
    this.#records.set(record.hash, record);
    return record.hash;
  }
}
