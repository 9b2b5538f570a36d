/** Breaks things, as the seed says: the network, the processes, their time and their hosts' reports. */
import type { Prng } from "../../src/core/prng.ts";
import type { Clients } from "./clients.ts";
import type { Host } from "./host.ts";
import { FAULT_KINDS, type FaultKind } from "./options.ts";
import { partition, PARTITION_SHAPES } from "./virtual/partition-shapes.ts";
import type { Direction, Place } from "./virtual/network.ts";
import { skewed, type World } from "./world.ts";

const MILLISECOND = 1_000;
const SECOND = 1_000_000;

/** Faults of one process; the others are the network's. */
type HostFault = Exclude<
  FaultKind,
  "partition" | "lost leader" | "flap" | "clog" | "loss burst" | "delay burst"
>;

/** Draws faults until it is told to calm down. */
export class Faults {
  readonly #world: World;
  readonly #clients: Clients;
  readonly #prng: Prng;
  /** Each kind as often as its weight. */
  readonly #lot: FaultKind[];
  /** New leaders that are still to be cut off. */
  #leadersToLose = 0;
  #isCalm = false;

  constructor(world: World, clients: Clients) {
    this.#world = world;
    this.#clients = clients;
    this.#prng = world.prng.fork();
    this.#lot = FAULT_KINDS.flatMap((kind) =>
      Array.from({ length: world.options.faultWeights[kind] }, () => kind),
    );
    if (this.#lot.length > 0) this.#next();
  }

  /** Ends every fault: the network carries, whoever lives goes on at a steady pace. */
  calm(): void {
    this.#isCalm = true;
    const { tickMicros } = this.#world.options;
    this.#world.network.calm(CALM_LINK);
    for (const host of this.#world.running()) {
      if (!host.isAlive) host.stop();
      host.serviceMicros = 0;
      host.journalMicros = 0;
      host.tickMicros = skewed(tickMicros, 0.01, this.#prng);
      host.resume();
    }
  }

  /** A process is gone: its place gets a new instance after a while, unless one runs there already. */
  onStopped({ place }: Host): void {
    this.#later(this.#prng.int(50, 4_000) * MILLISECOND, () => {
      const isTaken = this.#world.running().some((host) => host.place === place && host.isAlive);
      if (!isTaken) this.#world.startInstance(place);
    });
  }

  #next(): void {
    const pause = -Math.log(1 - this.#prng.float()) * this.#world.options.faultEveryMicros;
    this.#later(Math.ceil(pause), () => {
      this.#break(this.#prng.pick(this.#lot));
      this.#next();
    });
  }

  /** Calls `call` after the delay, unless everything is calm by then. */
  #later(delayMicros: number, call: () => void): void {
    this.#world.after(delayMicros, () => {
      if (!this.#isCalm) call();
    });
  }

  #break(kind: FaultKind): void {
    const { network, options } = this.#world;
    switch (kind) {
      case "partition": {
        const shape = this.#prng.pick(PARTITION_SHAPES);
        const cuts = partition(shape, options.places, this.#prng);
        this.#cutFor(this.#duration(), cuts);
        this.#note(`partition: ${shape}`);
        return;
      }
      case "lost leader":
        this.#loseLeaders();
        this.#note(kind);
        return;
      case "flap":
        this.#flap(this.#somePair(), this.#duration());
        this.#note(kind);
        return;
      case "clog": {
        const pair = this.#somePair().slice(0, this.#prng.int(1, 2));
        for (const direction of pair) network.clog(direction);
        this.#later(this.#duration(), () => pair.forEach((one) => network.unclog(one)));
        this.#note(kind);
        return;
      }
      case "loss burst":
        this.#worsen({ lossRate: this.#prng.pick([0.1, 0.3, 0.6]), duplicateRate: 0.2 });
        this.#note(kind);
        return;
      case "delay burst":
        this.#worsen({ delayMicros: this.#prng.int(5, 300) * MILLISECOND, detourRate: 0.2 });
        this.#note(kind);
        return;
      default:
        this.#breakHost(kind);
    }
  }

  #breakHost(kind: HostFault): void {
    const alive = this.#world.running().filter((one) => one.isAlive);
    if (alive.length === 0) return;
    const leaders = alive.filter(({ raft }) => raft.role === "leader");
    const host = this.#prng.pick(leaders.length > 0 && this.#prng.chance(0.4) ? leaders : alive);
    if (!this.#breakOne(kind, host)) return;
    this.#note(`${kind}: ${host.id}`);
  }

  /** False if it can't be done to this host now. */
  #breakOne(kind: HostFault, host: Host): boolean {
    switch (kind) {
      case "kill":
        if (!this.#world.survivesWithout([host])) return false;
        host.effectsLeft = this.#prng.int(0, 12);
        return true;
      case "shutdown":
        if (!host.isIdle || !this.#world.survivesWithout([host])) return false;
        host.leave();
        return true;
      case "halt":
        if (!host.isIdle || !this.#world.survivesWithout([host])) return false;
        host.halt();
        this.#later(this.#duration(), () => host.stop());
        return true;
      case "twin": {
        const running = this.#world.running().filter(({ place }) => place === host.place);
        if (running.length > 1) return false;
        this.#world.startInstance(host.place);
        return true;
      }
      case "pause":
        host.pause();
        this.#later(this.#duration(), () => host.resume());
        return true;
      case "slow node":
        host.serviceMicros = this.#prng.int(1, 20) * MILLISECOND;
        this.#later(this.#duration(), () => (host.serviceMicros = 0));
        return true;
      case "slow journal":
        host.journalMicros = this.#prng.int(1, 200) * MILLISECOND;
        this.#later(this.#duration(), () => (host.journalMicros = 0));
        return true;
      case "tick drift":
        host.tickMicros = skewed(this.#world.options.tickMicros, 0.3, this.#prng);
        return true;
      case "transfer":
        return this.#transfer(host);
      case "compaction":
        if (!host.isIdle) return false;
        host.raft.compact(host.applied - this.#prng.int(0, 20));
        return true;
      case "transport report":
        return this.#report(host);
    }
  }

  /** Asks `host`, leader or not, to make others lead; it may be nonsense. */
  #transfer(host: Host): boolean {
    for (let times = this.#prng.int(1, 4); times > 0; times--) {
      const target = this.#prng.pick(this.#world.running());
      if (!host.isIdle) return false;
      host.raft.transferLeadership(target.id);
      host.work();
    }
    return true;
  }

  /** What a transport may report, true or not. */
  #report(host: Host): boolean {
    const peer = this.#prng.pick(this.#world.running()).id;
    if (!host.isIdle) return false;
    switch (this.#prng.int(0, 4)) {
      case 0:
        host.raft.reportUnreachable(peer);
        break;
      case 1:
        host.raft.reportSnapshot(peer, "failed");
        break;
      case 2:
        host.raft.reportSnapshot(peer, "delivered");
        break;
      case 3:
        host.raft.reportProgress(peer);
        break;
      default:
        host.raft.forgetLeader();
    }
    host.work();
    return true;
  }

  /** A node has just begun to lead: while leaders are being lost, it will be the next one, hardly having said so. */
  onLeader(leader: Host): void {
    if (this.#leadersToLose === 0 || this.#isCalm) return;
    this.#leadersToLose--;
    const { delayMicros, jitterMicros } = this.#world.options.link;
    const messages = 6 * this.#prng.float();
    this.#later(Math.floor(messages * (delayMicros + jitterMicros)), () => this.#cutOff(leader));
  }

  /** Cuts the present leader off, and those that follow it: this leaves logs with different ends behind. */
  #loseLeaders(): void {
    this.#leadersToLose = this.#prng.int(1, 6);
    for (const host of this.#world.running()) {
      if (host.raft.role === "leader") this.#cutOff(host);
    }
  }

  /** Cuts a busy leader off, alone or with a few others, for about the time of an election. */
  #cutOff(leader: Host): void {
    const { network, options } = this.#world;
    const side = new Set([leader.place]);
    for (let place = 0; place < options.places; place++) {
      if (this.#prng.chance(0.25)) side.add(place);
    }
    const cuts = network.directions().filter(({ from, to }) => side.has(from) !== side.has(to));
    const timeout = this.#world.ticks(options.electionTimeoutTicks);
    this.#cutFor(Math.floor(timeout * (0.5 + 3 * this.#prng.float())), cuts);
    this.#clients.rush(leader, this.#prng.int(0, 6));
  }

  #cutFor(micros: number, cuts: readonly Direction[]): void {
    for (const direction of cuts) this.#world.network.cut(direction);
    this.#later(micros, () => cuts.forEach((one) => this.#world.network.mend(one)));
  }

  /** A link that comes and goes, `micros` long. */
  #flap(pair: readonly Direction[], micros: number): void {
    if (micros <= 0) return;
    const down = this.#prng.int(20, 500) * MILLISECOND;
    const up = this.#prng.int(20, 500) * MILLISECOND;
    this.#cutFor(down, pair);
    this.#later(down + up, () => this.#flap(pair, micros - down - up));
  }

  /** Makes some directions worse for a while. */
  #worsen(how: {
    lossRate?: number;
    duplicateRate?: number;
    delayMicros?: number;
    detourRate?: number;
  }): void {
    const { network, options } = this.#world;
    const share = this.#prng.pick([0.2, 0.5, 1]);
    const directions = network.directions().filter(() => this.#prng.chance(share));
    for (const one of directions) network.setQuality(one, { ...options.link, ...how });
    this.#later(this.#duration(), () => {
      for (const one of directions) network.setQuality(one, options.link);
    });
  }

  /** Both directions between two places. */
  #somePair(): Direction[] {
    const { places } = this.#world.options;
    const from: Place = this.#prng.int(0, places - 1);
    const to: Place = (from + this.#prng.int(1, Math.max(1, places - 1))) % places;
    return [
      { from, to },
      { from: to, to: from },
    ];
  }

  /** From less than an election timeout to many. */
  #duration(): number {
    return Math.floor(this.#prng.pick([0.2, 1, 3, 8]) * (0.5 + this.#prng.float()) * SECOND);
  }

  #note(what: string): void {
    this.#world.tally.countFault(what.split(": ")[0] === "partition" ? what : what.split(":")[0]!);
    this.#world.note(`fault: ${what}`);
  }
}

/** A local network that works. */
const CALM_LINK = {
  delayMicros: 500,
  jitterMicros: 500,
  lossRate: 0,
  duplicateRate: 0,
  detourRate: 0,
  detourMicros: 0,
};
