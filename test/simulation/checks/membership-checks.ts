/** Configurations (thesis chapter 4): the same at the same index everywhere, one change at a time, legal steps. */
import { changeConfiguration } from "../../../src/core/raft/config-change.ts";
import type { Configuration, ConfigChangeEntry, Entry } from "../../../src/core/raft/index.ts";
import { isQuorum, type ObservedNode } from "./observed-node.ts";
import { demand } from "./violation.ts";

/** A configuration and the index of the change that brought it. */
export interface Placed {
  readonly index: number;
  readonly configuration: Configuration;
}

/** The history of a group's configurations, begun by the founding one. */
export class MembershipChecks {
  /** By index, ascending. */
  readonly #history: Placed[];
  /** Changes that some log holds and nobody has applied. */
  #unresolved: ConfigChangeEntry[] = [];
  #jointChanges = 0;

  constructor(founding: Placed) {
    this.#history = [founding];
  }

  /** The newest configuration that any node has applied. */
  get newest(): Placed {
    return this.#history.at(-1)!;
  }

  get jointChanges(): number {
    return this.#jointChanges;
  }

  /** Before `entries` become durable on `node`. */
  onStore(node: ObservedNode, entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind !== "config-change") continue;
      if (node.role === "leader") this.#onProposed(node, entry, entries);
      if (!this.#unresolved.some((one) => one.index === entry.index && one.term === entry.term)) {
        this.#unresolved.push(entry);
      }
    }
  }

  #onProposed({ id, log, applied }: ObservedNode, entry: Entry, entries: readonly Entry[]): void {
    for (let index = applied + 1; index < entry.index; index++) {
      const earlier = log.entryAt(index) ?? entries.find((one) => one.index === index);
      demand(
        earlier?.kind !== "config-change",
        "one configuration change at a time",
        () => `${id} appends ${entry.index} before ${index} is applied`,
      );
    }
  }

  /** `node` has applied the change at `index`: its configuration is `configuration` now. */
  onApplied(node: ObservedNode, index: number, configuration: Configuration): void {
    const known = this.#history.find((one) => one.index === index);
    if (known === undefined) {
      this.#checkStep(node, index, configuration);
      this.#history.push({ index, configuration });
      if (configuration.votersOutgoing.length > 0) this.#jointChanges++;
      return;
    }
    demand(
      isEqual(known.configuration, configuration),
      "a configuration is the same everywhere",
      () => `${node.id} at ${index}`,
    );
  }

  /** `node` has loaded a snapshot that ends at `index`. */
  onSnapshot(node: ObservedNode, index: number, configuration: Configuration): void {
    demand(
      isEqual(this.#at(index), configuration),
      "a snapshot's configuration is the one in force",
      () => `${node.id} at ${index}`,
    );
  }

  /** From one configuration to the next at most one voter changes, unless through a joint one. */
  #checkStep({ id }: ObservedNode, index: number, next: Configuration): void {
    const { index: newest, configuration: before } = this.newest;
    const legal = isLegalStep(before, next);
    demand(
      index > newest && legal,
      "configurations follow each other in legal steps",
      () => `${id} at ${index}: ${JSON.stringify(before)} → ${JSON.stringify(next)}`,
    );
  }

  /**
   * True if every configuration that may be in force somewhere keeps a quorum of nodes that are `alive`: no fault may
   * go further, because what lives in memory alone does not survive the loss of a majority.
   */
  survives(
    nodes: Iterable<ObservedNode>,
    alive: (id: string) => boolean,
    committedTerm: (index: number) => number | undefined,
  ): boolean {
    const newest = this.newest;
    let oldest = newest.index;
    for (const node of nodes) {
      if (!alive(node.id) || node.configurationIndex === 0) continue;
      if (isMemberOf(newest.configuration, node.id)) {
        oldest = Math.min(oldest, node.configurationIndex);
      }
    }
    this.#dropResolved(committedTerm);
    for (let at = this.#history.length - 1; at >= 0; at--) {
      const { index, configuration } = this.#history[at]!;
      if (!isQuorum(configuration, alive)) return false;
      if (index <= oldest) break;
    }
    return this.#unresolved.every((entry) => {
      const changed = changeConfiguration(this.#at(entry.index), entry.change);
      return !changed.ok || isQuorum(changed.value, alive);
    });
  }

  #dropResolved(committedTerm: (index: number) => number | undefined): void {
    this.#unresolved = this.#unresolved.filter(({ index, term }) => {
      const committed = committedTerm(index);
      return committed === undefined || (committed === term && index > this.newest.index);
    });
  }

  #at(index: number): Configuration {
    return this.#history.findLast((one) => one.index <= index)!.configuration;
  }
}

/** True if `id` votes or learns in `configuration`. */
export function isMemberOf(configuration: Configuration, id: string): boolean {
  const { voters, votersOutgoing, learners } = configuration;
  return voters.includes(id) || votersOutgoing.includes(id) || learners.includes(id);
}

function isLegalStep(before: Configuration, next: Configuration): boolean {
  const wasJoint = before.votersOutgoing.length > 0;
  if (next.votersOutgoing.length > 0) {
    return !wasJoint && String(next.votersOutgoing) === String(before.voters);
  }
  if (wasJoint) return String(next.voters) === String(before.voters);
  return difference(before.voters, next.voters) <= 1;
}

function difference(before: readonly string[], next: readonly string[]): number {
  const gone = before.filter((id) => !next.includes(id)).length;
  return gone + next.filter((id) => !before.includes(id)).length;
}

function isEqual(a: Configuration, b: Configuration): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
