/**
 * The second phase of a run: faults end, a majority is connected again, and what the group owes must happen in bounded
 * time: a leader, the same state everywhere, an answer to everything; then no further election.
 */
import type { Prng } from "../../src/core/prng.ts";
import { isMember, isVoter } from "../../src/core/raft/index.ts";
import { isQuorum } from "./checks/observed-node.ts";
import { Violation } from "./checks/violation.ts";
import type { Clients } from "./clients.ts";
import type { Host } from "./host.ts";
import type { Direction } from "./virtual/network.ts";
import type { World } from "./world.ts";

/** Election timeouts in which everything must come to rest. */
const REST_TIMEOUTS = 60;
/** Election timeouts without an election afterwards. */
const STABLE_TIMEOUTS = 10;
/** No message takes longer, but for its detour: above the worst delay burst with its jitter. */
const LONGEST_DELAY_MICROS = 500_000;

/** Demands of a world without faults, whose clients begin nothing by themselves. */
export class Liveness {
  readonly #world: World;
  readonly #clients: Clients;
  readonly #prng: Prng;
  /** Hosts that stay cut off: a minority. */
  readonly #cutOff: Host[] = [];

  constructor(world: World, clients: Clients) {
    this.#world = world;
    this.#clients = clients;
    this.#prng = world.prng.fork();
  }

  /** Throws a {@link Violation} if something does not happen in time. */
  demand(): void {
    this.#isolateMinority();
    this.#rest("after the faults");
    this.#answerEverywhere("write");
    this.#answerEverywhere("read");
    this.#rest("after requests to everybody");
    // A wish from before to hand over may still be under way, and is to be heeded when it arrives.
    this.#world.runFor(this.#world.options.link.detourMicros + LONGEST_DELAY_MICROS);
    this.#rest("after the last detours");
    this.#staysStable();
    this.#rest("after a lost link");
    if (!this.#handOver()) return;
    // Nothing is proposed from here on: a new leader must get on by itself.
    this.#rest("after a hand-over");
    this.#answerEverywhere("read");
  }

  /** Some stay cut off in a part of the runs: whom the group can do without. */
  #isolateMinority(): void {
    if (!this.#prng.chance(0.3)) return;
    const { network } = this.#world;
    const running = this.#world.running();
    for (const { place } of running) {
      const there = running.filter((host) => host.place === place && !this.#cutOff.includes(host));
      const lost = [...this.#cutOff, ...there];
      if (there.length === 0 || this.#prng.chance(0.5)) continue;
      if (!this.#world.survivesWithout(lost)) continue;
      const cuts = network.directions().filter(({ from, to }) => from === place || to === place);
      for (const one of cuts) network.cut(one);
      this.#cutOff.push(...there);
      this.#world.note(`${there.map(({ id }) => id).join(" ")} stays cut off`);
    }
  }

  /** Lets time pass until nothing is left to do, but not for ever. */
  #rest(when: string): void {
    const timeout = this.#world.ticks(this.#world.options.electionTimeoutTicks);
    let missing = "";
    for (let timeouts = 0; timeouts < REST_TIMEOUTS; timeouts++) {
      missing = this.#unrest();
      if (missing === "") return;
      this.#world.runFor(timeout);
    }
    throw new Violation("the group comes to rest", `${when}: ${missing}`);
  }

  /** What is still missing; empty if nothing is. */
  #unrest(): string {
    const leader = this.#leader();
    if (leader === undefined) return "nobody leads";
    const { last, configuration } = leader.raft.status();
    if (configuration.votersOutgoing.length > 0) return "the configuration is joint";
    for (const host of this.#connected()) {
      const status = host.raft.status();
      if (status.leader !== leader.id) return `${host.id} does not follow ${leader.id}`;
      if (status.applied !== last.index) {
        return `${host.id} applied ${status.applied} of ${last.index}`;
      }
      const owed = this.#world.requests.owedBy(host);
      if (owed.length > 0) return `${host.id} owes the result of proposal ${owed.join()}`;
    }
    const { outstanding } = this.#clients;
    return outstanding === 0 ? "" : `${outstanding} operations have no end`;
  }

  /** Everybody must answer; a request may be repeated, for who forwards it can't know that it will be refused. */
  #answerEverywhere(kind: "write" | "read"): void {
    const timeout = this.#world.ticks(this.#world.options.electionTimeoutTicks);
    for (const host of this.#connected()) {
      let answered = false;
      for (let tries = 0; tries < REST_TIMEOUTS && !answered; tries++) {
        this.#clients.begin(0, host, kind, (outcome) => (answered = outcome === "answered"));
        this.#world.runFor(tries === 0 ? this.#world.ticks(2) : timeout);
      }
      if (!answered) throw new Violation("everybody gets an answer", `no ${kind} at ${host.id}`);
    }
  }

  /** No election any more, even if one follower loses its link to the leader: the others hold on to it. */
  #staysStable(): void {
    const { network, options } = this.#world;
    const leader = this.#leader()!;
    const { term } = leader.raft;
    const cuts = this.#dispensableLink(leader);
    for (const one of cuts) network.cut(one);
    if (cuts.length > 0) this.#world.note(`cut between ${leader.id} and a follower`);
    this.#world.runFor(this.#world.ticks(STABLE_TIMEOUTS * options.electionTimeoutTicks));
    for (const one of cuts) network.mend(one);
    const changed = this.#connected().find(({ raft }) => raft.term !== term);
    if (changed === undefined && leader.raft.role === "leader") return;
    const { id, raft } = changed ?? leader;
    throw new Violation(
      "a healthy leader stays",
      `${leader.id} led term ${term}, ${id} is ${raft.role} in ${raft.term}`,
    );
  }

  /** The link to a follower that the leader's quorum can do without; nothing if there is none. */
  #dispensableLink(leader: Host): Direction[] {
    const hosts = this.#connected();
    const { configuration } = leader.raft.status();
    const candidates = hosts.filter(({ id, place }) => {
      const others = hosts.filter((host) => host.place !== place).map((host) => host.id);
      return (
        place !== leader.place &&
        isVoter(configuration, id) &&
        isQuorum(configuration, (voter) => others.includes(voter))
      );
    });
    if (candidates.length === 0 || this.#prng.chance(0.3)) return [];
    const { place } = this.#prng.pick(candidates);
    return [
      { from: leader.place, to: place },
      { from: place, to: leader.place },
    ];
  }

  /** Makes another voter lead, by a transfer or by the leader's end; false if there is none. */
  #handOver(): boolean {
    const leader = this.#leader()!;
    const { configuration } = leader.raft.status();
    const others = this.#connected().filter(
      ({ id }) => id !== leader.id && isVoter(configuration, id),
    );
    if (others.length === 0) return false;
    if (this.#prng.chance(0.5) && this.#world.survivesWithout([...this.#cutOff, leader])) {
      if (this.#prng.chance(0.5)) leader.leave();
      else leader.stop();
    } else {
      leader.raft.transferLeadership(this.#prng.pick(others).id);
      leader.work();
    }
    this.#world.note(`${leader.id} is to lead no longer`);
    this.#world.runFor(this.#world.ticks(2 * this.#world.options.electionTimeoutTicks));
    return true;
  }

  /** The members that are up and connected. */
  #connected(): Host[] {
    const { configuration } = this.#world.checks.membership.newest;
    return this.#world
      .running()
      .filter(
        (host) => isMember(configuration, host.id) && host.isAlive && !this.#cutOff.includes(host),
      );
  }

  #leader(): Host | undefined {
    const leading = this.#connected().filter(({ raft }) => raft.role === "leader");
    return leading.sort((a, b) => b.raft.term - a.raft.term)[0];
  }
}
