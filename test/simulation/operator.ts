/** Who cares for the membership, as the product's host will: joins, replacements, and changes that nothing forces. */
import { changeConfiguration } from "../../src/core/raft/config-change.ts";
import type { Prng } from "../../src/core/prng.ts";
import {
  isJoint,
  isMember,
  LEAVE_JOINT,
  NO_DATA,
  type ConfigChange,
  type ConfigChangeStep,
  type Configuration,
  type RequestOutcome,
} from "../../src/core/raft/index.ts";
import { isQuorum } from "./checks/observed-node.ts";
import type { Host } from "./host.ts";
import type { World } from "./world.ts";

/** Looks at the leader's configuration every few ticks and proposes what is due. */
export class Operator {
  readonly #world: World;
  readonly #prng: Prng;
  /** Instances that have been members: no longer being one means that they were removed. */
  readonly #members = new Set<Host>();
  #churnAt: number;
  /** Only what a group needs to come to rest is done then. */
  #isCalm = false;

  constructor(world: World) {
    this.#world = world;
    this.#prng = world.prng.fork();
    this.#churnAt = world.options.churnEveryMicros;
    this.#poll();
  }

  /** From now on nothing is changed any more, but an explicit joint configuration is still left. */
  calm(): void {
    this.#isCalm = true;
  }

  #poll(): void {
    this.#world.after(this.#world.ticks(this.#prng.int(3, 8)), () => {
      this.#look();
      this.#poll();
    });
  }

  #look(): void {
    const running = this.#world.running();
    const { configuration } = this.#world.checks.membership.newest;
    for (const host of running) {
      if (isMember(configuration, host.id)) this.#members.add(host);
      else if (this.#members.has(host) && !this.#isCalm) this.#retire(host);
    }
    const leaders = running.filter((host) => host.isIdle && host.raft.role === "leader");
    if (leaders.length > 0) this.#lead(this.#prng.pick(leaders));
  }

  /** A removed instance goes on for a while, as a process does that nobody told. */
  #retire(host: Host): void {
    if (!this.#prng.chance(0.1) || !this.#world.survivesWithout([host])) return;
    this.#world.tally.count("removed instances stopped");
    host.stop();
  }

  #lead(leader: Host): void {
    const { configuration } = leader.raft.status();
    if (isJoint(configuration)) {
      const leaves = !configuration.autoLeave && this.#prng.chance(0.5);
      if (leaves) this.#propose(leader, LEAVE_JOINT);
      return;
    }
    if (this.#isCalm) return;
    if (this.#careFor(leader, configuration)) return;
    if (this.#world.now < this.#churnAt) return;
    this.#churnAt += this.#prng.float() * 2 * this.#world.options.churnEveryMicros;
    this.#churn(leader, configuration);
  }

  /** Joins and replacements; true if something was proposed. */
  #careFor(leader: Host, configuration: Configuration): boolean {
    for (const host of this.#world.running()) {
      const joins = host.isAlive && !this.#members.has(host);
      if (joins && !isMember(configuration, host.id)) {
        if (this.#change(leader, [{ kind: "add-learner", node: host.id }])) return true;
      }
    }
    for (const id of configuration.learners) {
      const host = this.#world.hosts.get(id);
      if (host === undefined) continue;
      if (!host.isAlive) {
        if (this.#change(leader, [{ kind: "remove", node: id }])) return true;
        continue;
      }
      const predecessor = configuration.voters.find((voter) => this.#isAt(voter, host));
      const done =
        predecessor === undefined
          ? this.#prng.chance(0.1) && this.#change(leader, [{ kind: "add-voter", node: id }])
          : this.#replace(leader, predecessor, id);
      if (done) return true;
    }
    return false;
  }

  #isAt(id: string, host: Host): boolean {
    return this.#world.hosts.get(id)?.place === host.place;
  }

  #replace(leader: Host, predecessor: string, successor: string): boolean {
    const number = this.#world.requests.next();
    const outcome = leader.raft.proposeReplacement(number, { predecessor, successor });
    if (!this.#follow(leader, number, outcome)) return false;
    this.#world.tally.count("instances replaced");
    return true;
  }

  /** A change that nothing forces. */
  #churn(leader: Host, configuration: Configuration): void {
    const { voters, learners } = configuration;
    const voter = this.#prng.pick(voters);
    const learner = learners.length > 0 ? this.#prng.pick(learners) : undefined;
    switch (this.#prng.pick(["grow", "remove", "demote", "swap", "explicit"] as const)) {
      case "grow":
        this.#grow();
        return;
      case "remove":
        this.#change(leader, [{ kind: "remove", node: voter }]);
        return;
      case "demote":
        this.#change(leader, [{ kind: "add-learner", node: voter }]);
        return;
      case "swap":
        this.#change(leader, swapOf(voter, learner), "implicit");
        return;
      case "explicit":
        this.#change(leader, swapOf(voter, learner), "explicit");
        return;
    }
  }

  /** A place without a process gets one, which will join. */
  #grow(): void {
    const places = Array.from({ length: this.#world.options.places }, (_, place) => place);
    const taken = new Set(this.#world.running().map(({ place }) => place));
    const free = places.filter((place) => !taken.has(place));
    if (free.length > 0) this.#world.startInstance(this.#prng.pick(free));
  }

  /** Proposes steps whose result leaves a quorum of living voters; false if they are not due. */
  #change(
    leader: Host,
    steps: readonly ConfigChangeStep[],
    transition: ConfigChange["transition"] = "auto",
  ): boolean {
    return this.#propose(leader, { transition, steps, context: NO_DATA });
  }

  #propose(leader: Host, change: ConfigChange): boolean {
    const { configuration } = leader.raft.status();
    const changed = changeConfiguration(configuration, change);
    const alive = (id: string): boolean => this.#world.hosts.get(id)?.isAlive === true;
    if (!changed.ok || !isQuorum(changed.value, alive)) return false;
    const number = this.#world.requests.next();
    return this.#follow(leader, number, leader.raft.proposeConfigChange(number, change));
  }

  #follow(leader: Host, number: number, outcome: RequestOutcome): boolean {
    if (outcome.kind === "refused") return false;
    this.#world.requests.onPending(number, leader);
    this.#world.note(`${leader.id} is asked for a change, #${number}`, leader.number);
    leader.work();
    return true;
  }
}

/** A learner takes the place of a voter; without a learner the voter becomes one. */
function swapOf(voter: string, learner: string | undefined): ConfigChangeStep[] {
  if (learner === undefined) return [{ kind: "add-learner", node: voter }];
  return [
    { kind: "add-voter", node: learner },
    { kind: "remove", node: voter },
  ];
}
