/** Random walks: a seed expands into crashes, restarts, cuts and store faults; afterwards everything must mend. */
import type { InstanceId } from "../../../src/core/brand.ts";
import { Prng } from "../../../src/core/prng.ts";
import { SimpleGroups } from "../../support/healing/groups.ts";
import { instance } from "../../support/healing/ledger.ts";
import { World } from "../../support/healing/world.ts";

export interface Walk {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  readonly ticks: number;
  /** What happened, line by line. */
  readonly lines: readonly string[];
}

const STEPS = 40;
/** Enough for several attempts after the last fault. */
const MENDING_TICKS = 600;

/** One walk with `count` coordinators: a phase with faults (safety), then one without (progress). */
export function walk(seed: number, count: number): Walk {
  const prng = new Prng(seed);
  const names = ["a", "b", "c", "d", "e"].slice(0, count);
  const loss = prng.pick([0, 0.05, 0.3]);
  let delayMax = prng.pick([1, 3, 12]);
  let storeDelayMax = prng.pick([1, 5, 40]);
  let isFaulty = true;
  let groups: SimpleGroups | undefined;
  const world = new World(
    {
      names,
      delay: () => (isFaulty && prng.chance(loss) ? undefined : prng.int(1, delayMax)),
      storeDelay: () => prng.int(1, storeDelayMax),
      swapFault: () =>
        isFaulty && prng.chance(0.4) ? prng.pick(["answer-lost", "lost"]) : "answered",
    },
    (self) => {
      groups = new SimpleGroups((a, b) => self.isLinked(a, b));
      groups.found(
        self.head,
        names.map((name) => instance(`${name}1`)),
      );
      return groups;
    },
  );
  for (const name of names) world.start(instance(`${name}1`), { held: world.head });
  world.run(5);
  const chaos = new Chaos(world, names, prng, groups);
  for (let i = 0; i < STEPS; i++) {
    chaos.act();
    world.run(prng.int(1, 30));
  }
  isFaulty = false;
  // What takes as long as an attempt may need many of them.
  delayMax = Math.min(delayMax, 3);
  storeDelayMax = Math.min(storeDelayMax, 3);
  chaos.mend();
  const before = world.time;
  while (!world.isSettled() && world.time < before + MENDING_TICKS) world.run(1);
  const stuck = world.isSettled() ? [] : ["no progress", ...world.status()];
  const twice = world.epochsOpenedTwice().map((epoch) => `epoch ${epoch} was opened twice`);
  const problems = [...new Set(world.broken), ...twice, ...stuck];
  return { seed, problems, counts: world.counts, ticks: world.time, lines: world.lines };
}

/** Orders the faults. It never takes the last process that holds secrets. */
class Chaos {
  readonly #world: World;
  readonly #names: readonly string[];
  readonly #prng: Prng;
  readonly #storeCut = new Set<InstanceId>();
  readonly #groups: SimpleGroups | undefined;
  #starts = 1;

  constructor(
    world: World,
    names: readonly string[],
    prng: Prng,
    groups: SimpleGroups | undefined,
  ) {
    this.#groups = groups;
    this.#world = world;
    this.#names = names;
    this.#prng = prng;
  }

  act(): void {
    const world = this.#world;
    const prng = this.#prng;
    switch (prng.int(0, 8)) {
      case 0:
      case 1:
        this.#crash();
        return;
      case 2:
        this.#restart(prng.pick(this.#names));
        return;
      case 3:
      case 4: {
        const [a, b] = [prng.pick(world.running), prng.pick(world.running)];
        if (a !== b) world.link(a, b, prng.chance(0.5));
        return;
      }
      case 5:
        world.isStoreUp = prng.chance(0.7);
        return;
      case 6: {
        const one = prng.pick(world.running);
        this.#storeCut.add(one);
        world.storeLink(one, prng.chance(0.5));
        return;
      }
      case 7:
        // An update needs a leader under the head.
        if (world.running.some((one) => this.#isCurrent(one))) world.update();
        return;
      case 8:
        if (this.#groups !== undefined) this.#groups.mayElect = prng.chance(0.5);
        return;
    }
  }

  /** Ends every fault; at most one name stays missing. */
  mend(): void {
    const world = this.#world;
    world.isStoreUp = true;
    if (this.#groups !== undefined) this.#groups.mayElect = true;
    for (const one of this.#storeCut) world.storeLink(one, true);
    for (const a of world.running) for (const b of world.running) world.link(a, b, true);
    const absent = this.#names.filter((name) => !this.#isUp(name));
    for (const name of this.#prng.chance(0.5) ? absent : absent.slice(1)) this.#restart(name);
    const up = world.running;
    for (const a of up) for (const b of up) world.link(a, b, true);
  }

  #crash(): void {
    const world = this.#world;
    const victim = this.#prng.pick(world.running);
    const isKeeper = (one: InstanceId) => world.stateOf(one).local.secrets !== "none";
    if (world.running.some((one) => one !== victim && isKeeper(one))) world.crash(victim);
  }

  #restart(name: string): void {
    if (this.#isUp(name)) return;
    this.#starts++;
    this.#world.start(instance(`${name}${this.#starts}`));
  }

  #isUp(name: string): boolean {
    return this.#world.running.some((one) => one.startsWith(name));
  }

  #isCurrent(one: InstanceId): boolean {
    const { local, phase } = this.#world.stateOf(one);
    const isMember = phase.kind === "watching" && local.group?.live === true;
    return isMember && local.held?.hash === this.#world.head;
  }
}
