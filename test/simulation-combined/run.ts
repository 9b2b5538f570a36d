/**
 * Consensus, the crash of the majority, healing, the new group, over and over, with a store that may be slow,
 * ambiguous, rolled back or split. A seed expands into everything; the checks look from outside.
 */
import type { InstanceId, Sha256 } from "../../src/core/brand.ts";
import { Prng } from "../../src/core/prng.ts";
import { instance } from "../support/healing/ledger.ts";
import { World } from "../support/healing/world.ts";
import { ELECTION_TICKS, RaftGroups } from "./raft-groups.ts";

/** What the store does besides being slow and losing answers. */
export type StoreKind = "honest" | "rolled-back" | "split";

export interface Run {
  readonly seed: number;
  readonly store: StoreKind;
  readonly problems: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  readonly ticks: number;
  readonly lines: readonly string[];
}

const ROUNDS = 3;
const MENDING_TICKS = 1_500;

/** One run. */
export function run(seed: number, store: StoreKind): Run {
  return new Simulation(seed, store).run();
}

class Simulation {
  readonly #seed: number;
  readonly #store: StoreKind;
  readonly #prng: Prng;
  readonly #names: readonly string[];
  readonly #world: World;
  readonly #groups: RaftGroups;
  /** Records whose update was answered as done. */
  readonly #acknowledged: Sha256[] = [];
  readonly #problems: string[] = [];
  #isFaulty = true;
  /** No message of the consensus core passes, while everything else does. */
  #isJammed = false;
  #starts = 1;

  constructor(seed: number, store: StoreKind) {
    this.#seed = seed;
    this.#store = store;
    const prng = new Prng(seed);
    this.#prng = prng;
    this.#names = ["a", "b", "c", "d", "e"].slice(0, prng.pick([3, 3, 5]));
    const storeDelayMax = prng.pick([1, 3, 10]);
    const loss = prng.pick([0, 0.02, 0.1]);
    const loses = () => this.#isFaulty && prng.chance(loss);
    let groups: RaftGroups | undefined;
    const options = {
      names: this.#names,
      healDelayTicks: 10 * ELECTION_TICKS,
      retryTicks: 5,
      failoverTicks: 60,
      attemptTicks: 60,
      delay: () => (loses() ? undefined : prng.int(1, 3)),
      storeDelay: () => prng.int(1, this.#isFaulty ? storeDelayMax : 2),
      swapFault: () =>
        this.#isFaulty && prng.chance(0.3)
          ? prng.pick(["answer-lost", "lost"] as const)
          : ("answered" as const),
    };
    this.#world = new World(options, (world) => {
      groups = new RaftGroups(
        {
          reach: (a, b) => world.isLinked(a, b),
          loses: () => this.#isJammed || loses(),
          onApplied: (one, data) => world.apply(one, data as Sha256),
        },
        seed,
      );
      groups.found(
        world.head,
        this.#names.map((name) => instance(`${name}1`)),
      );
      return groups;
    });
    if (groups === undefined) throw new Error("a world makes its groups");
    this.#groups = groups;
  }

  run(): Run {
    const world = this.#world;
    for (const name of this.#names) world.start(instance(`${name}1`), { held: world.head });
    for (let round = 0; round < ROUNDS && this.#problems.length === 0; round++) {
      this.#isFaulty = true;
      this.#work(this.#prng.int(60, 200));
      this.#strike();
      this.#work(this.#prng.int(100, 400));
      this.#isFaulty = false;
      this.#mend();
      this.#checkEnd();
    }
    const counts = new Map([...world.counts, ...this.#groups.counts]);
    counts.set("acknowledged", this.#acknowledged.length);
    const problems = [...new Set([...this.#problems, ...world.broken, ...this.#groups.broken])];
    return {
      seed: this.#seed,
      store: this.#store,
      problems,
      counts,
      ticks: world.time,
      lines: world.lines,
    };
  }

  /** Time goes on, with updates where there is a leader. */
  #work(ticks: number): void {
    for (let end = this.#world.time + ticks; this.#world.time < end;) {
      if (this.#prng.chance(0.02)) this.#update();
      this.#world.run(1);
    }
  }

  /** An update as its leader does it: the swap, then the entry that makes it true, then the answer. */
  #update(): void {
    const world = this.#world;
    const leader = world.running.find((one) => {
      const group = this.#groups.view(one);
      return group?.live === true && this.#groups.leaderOf(group.id) === one;
    });
    const held = leader === undefined ? undefined : world.heldBy(leader);
    if (leader === undefined || held === undefined) return;
    const record = world.ledger.update(held);
    if (!world.moveHead(leader, held, record)) return;
    const proposal = this.#groups.propose(leader, record);
    for (let i = 0; i < 3 * ELECTION_TICKS; i++) {
      world.run(1);
      if (this.#groups.outcomeOf(proposal) !== "pending") break;
    }
    if (this.#groups.outcomeOf(proposal) === "committed") this.#acknowledged.push(record);
  }

  /** The majority crashes, is cut off, or can't lead for a while; the store lies if that is its kind. */
  #strike(): void {
    if (this.#prng.chance(0.3)) {
      this.#isJammed = true;
      this.#world.run(this.#prng.int(5, 25) * ELECTION_TICKS);
      this.#isJammed = false;
      return;
    }
    const world = this.#world;
    const prng = this.#prng;
    const victims = this.#shuffled(world.running).slice(0, (this.#names.length + 1) / 2);
    const keepers = world.running.filter((one) => !victims.includes(one));
    const hasKeeper = keepers.some((one) => world.stateOf(one).local.secrets !== "none");
    if (!hasKeeper) return;
    const isZombie = prng.chance(0.4);
    for (const victim of victims) {
      // A zombie goes on, out of sight of the others and of the store.
      if (!isZombie) world.crash(victim);
      else {
        for (const other of keepers) world.link(victim, other, false);
        world.storeLink(victim, prng.chance(0.3));
      }
    }
    if (this.#store === "rolled-back" && prng.chance(0.7)) this.#rollBack();
    if (this.#store === "split") world.split(this.#shuffled(world.running).slice(0, 2));
    if (!isZombie) for (const name of this.#names) if (prng.chance(0.7)) this.#restart(name);
  }

  #rollBack(): void {
    const { ledger } = this.#world;
    const parent = ledger.get(this.#world.head).parent;
    if (parent !== undefined) this.#world.head = parent;
  }

  /** No more faults; missing names come back. */
  #mend(): void {
    const world = this.#world;
    world.split([]);
    for (const name of this.#names) this.#restart(name);
    for (const a of world.running) {
      world.storeLink(a, true);
      for (const b of world.running) world.link(a, b, true);
    }
    const end = world.time + MENDING_TICKS;
    while (!world.isSettled() && world.time < end) world.run(1);
  }

  #checkEnd(): void {
    const world = this.#world;
    if (this.#store === "honest") {
      if (!world.isSettled()) this.#problems.push("no progress", ...world.status());
      for (const epoch of world.epochsOpenedTwice()) {
        this.#problems.push(`epoch ${epoch} was opened twice`);
      }
    }
    for (const record of this.#acknowledged) {
      if (world.ledger.descends(world.head, record)) continue;
      if (this.#store === "honest") this.#problems.push(`${record} was acknowledged and is lost`);
      // Whoever holds it under a store that lied says so instead of following.
      const followers = world.running.filter((one) => this.#follows(one, record));
      for (const one of followers) this.#problems.push(`${one} forgot ${record}`);
      world.counts.set("lost to a lie", (world.counts.get("lost to a lie") ?? 0) + 1);
    }
  }

  #follows(one: InstanceId, record: Sha256): boolean {
    const held = this.#world.heldBy(one);
    const isHolder = held !== undefined && this.#world.ledger.descends(held, record);
    return isHolder && held === this.#world.head;
  }

  #restart(name: string): void {
    if (this.#world.running.some((one) => one.startsWith(name))) return;
    this.#starts++;
    this.#world.start(instance(`${name}${this.#starts}`));
  }

  #shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    const out: T[] = [];
    while (left.length > 0) out.push(...left.splice(this.#prng.int(0, left.length - 1), 1));
    return out;
  }
}
