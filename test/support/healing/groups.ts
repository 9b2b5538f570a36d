/** What a world of healing processes needs to know about Raft groups, and the simplest thing that knows it. */
import type { InstanceId, Sha256 } from "../../../src/core/brand.ts";
import type { LocalGroup, Remains } from "../../../src/core/healing/index.ts";

/** The groups of a world, as the driver of each process meets them. */
export interface Groups {
  /** The instance's Raft node as its driver sees it. */
  view(instance: InstanceId): LocalGroup | undefined;
  /** Halts the instance's Raft node for good. */
  halt(instance: InstanceId): Remains;
  /** Starts the group of `id` with `instance` as its only voter. */
  open(id: Sha256, instance: InstanceId): void;
  /** Asks for `instance` to become a voter of the group of `id`, in the place of any other instance of its name. */
  join(id: Sha256, instance: InstanceId): void;
  /** Whether the group can still commit, whoever is cut off or slow at present; halted nodes can't. */
  canAct(id: Sha256): boolean;
  /** One tick of time. */
  tick(): void;
}

/** Whether the processes of two instances run and reach each other at present. */
export type Reach = (a: InstanceId, b: InstanceId) => boolean;

interface Group {
  voters: InstanceId[];
  index: number;
}

/** Groups that have a leader whenever a majority of the voters runs, is connected and has not halted. */
export class SimpleGroups implements Groups {
  readonly #groups = new Map<Sha256, Group>();
  readonly #groupOf = new Map<InstanceId, Sha256>();
  readonly #halted = new Set<InstanceId>();
  readonly #reach: Reach;
  /** While false nobody leads, though messages pass: elections fail for whatever reason. */
  mayElect = true;

  constructor(reach: Reach) {
    this.#reach = reach;
  }

  /** A group that was there before. */
  found(id: Sha256, voters: readonly InstanceId[]): void {
    this.#groups.set(id, { voters: [...voters], index: 1 });
    for (const voter of voters) this.#groupOf.set(voter, id);
  }

  view(instance: InstanceId): LocalGroup | undefined {
    const id = this.#groupOf.get(instance);
    const group = id === undefined ? undefined : this.#groups.get(id);
    if (id === undefined || group === undefined) return undefined;
    return { id, term: 1, index: group.index, live: this.#isLedAt(group, instance) };
  }

  halt(instance: InstanceId): Remains {
    const id = this.#groupOf.get(instance);
    const group = id === undefined ? undefined : this.#groups.get(id);
    this.#halted.add(instance);
    if (group === undefined) return { group: undefined, configurations: [] };
    return { group: id, configurations: [{ voters: [...group.voters], outgoing: [] }] };
  }

  open(id: Sha256, instance: InstanceId): void {
    this.found(id, [instance]);
  }

  join(id: Sha256, instance: InstanceId): void {
    const group = this.#groups.get(id);
    if (group === undefined || !group.voters.some((voter) => this.#isLedAt(group, voter))) return;
    if (!group.voters.includes(instance)) {
      const others = group.voters.filter((voter) => voter[0] !== instance[0]);
      group.voters = [...others, instance].sort();
      group.index++;
    }
    this.#groupOf.set(instance, id);
  }

  canAct(id: Sha256): boolean {
    const voters = this.#groups.get(id)?.voters ?? [];
    return voters.filter((voter) => !this.#halted.has(voter)).length * 2 > voters.length;
  }

  tick(): void {
    // A leader is there as soon as it can be.
  }

  #isLedAt({ voters }: Group, instance: InstanceId): boolean {
    if (!this.mayElect) return false;
    const here = voters.filter((voter) => !this.#halted.has(voter) && this.#reach(instance, voter));
    return here.includes(instance) && here.length * 2 > voters.length;
  }
}
