/** What an exploration starts from: who there is, what each holds, what the store may do. */
import type { Sha256 } from "../../../src/core/brand.ts";
import type { Configuration, HealingPolicy, Secrets } from "../../../src/core/healing/index.ts";
import { hash, instance, Ledger } from "../../support/healing/ledger.ts";

/** One process. Its name is the letter of its instance. */
export interface Member {
  readonly instance: string;
  readonly secrets: Secrets;
  /** Name of the record that it holds, e.g. `g2`; none if it has just started. */
  readonly held: string | undefined;
  readonly term: number;
  readonly index: number;
  /** Its group has a leader, for as long as the exploration lasts. */
  readonly live: boolean;
  /** Configurations in its log. */
  readonly configurations: readonly Configuration[];
  /** The first generation whose manifest it doesn't satisfy. */
  readonly ineligibleFrom: number;
}

export interface Assignment {
  readonly title: string;
  readonly names: readonly string[];
  readonly policy: HealingPolicy;
  readonly members: readonly Member[];
  /** Generation of the store's head at first. */
  readonly head: number;
  /** Newest generation that was ever made. */
  readonly newest: number;
  /** Whether the old group's leader may move the head on by one generation, once, at any time. */
  readonly update: boolean;
  /** Whether reads of the store may fail. */
  readonly failingReads: boolean;
  /** Whether the failover timer is on. */
  readonly failover: boolean;
  /** Attempts that the exploration lets every instance begin by its timer. */
  readonly attempts: number;
  /** Every configuration under which the old group could act if nobody had halted. */
  readonly configurations: readonly Configuration[];
}

const OLD_GROUP = hash("g1");

/** A configuration of these instances, e.g. `"a1 b1 c1"`, joint if there are outgoing ones. */
export function configuration(voters: string, outgoing = ""): Configuration {
  const list = (text: string) => text.split(" ").filter(Boolean).map(instance);
  return { voters: list(voters), outgoing: list(outgoing) };
}

/** A survivor of the old group. */
export function survivor(name: string, change: Partial<Member> = {}): Member {
  return {
    instance: name,
    secrets: "memory",
    held: "g2",
    term: 3,
    index: 9,
    live: false,
    configurations: [],
    ineligibleFrom: Infinity,
    ...change,
  };
}

/** A process that has just started and holds nothing. */
export function newcomer(name: string, change: Partial<Member> = {}): Member {
  return survivor(name, { secrets: "none", held: undefined, term: 0, index: 0, ...change });
}

/** An assignment with the usual rest: the group of all the members' first instances, head at generation 2. */
export function assignment(
  title: string,
  members: readonly Member[],
  change: Partial<Assignment> = {},
): Assignment {
  const names = change.names ?? [...new Set(members.map((member) => member.instance.slice(0, 1)))];
  const old = configuration(names.map((name) => `${name}1`).join(" "));
  const configurations = change.configurations ?? [old];
  return {
    title,
    names,
    policy: "survivors",
    head: 2,
    newest: 2,
    update: false,
    failingReads: false,
    failover: true,
    attempts: 2,
    ...change,
    configurations,
    members: members.map((member) =>
      member.configurations.length > 0 || member.held === undefined
        ? member
        : { ...member, configurations: configurations.slice(0, 1) },
    ),
  };
}

/** The records of an assignment: generations 1 to `newest` in epoch 1. */
export function ledgerOf({ names, policy, newest }: Assignment): Ledger {
  const ledger = new Ledger(names, policy);
  for (let at: Sha256 = OLD_GROUP, next = 2; next <= newest; next++) at = ledger.update(at);
  return ledger;
}
