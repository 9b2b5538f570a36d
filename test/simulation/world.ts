/** One group in a virtual world: its places, processes, network and time, with the checks that watch it. */
import { Prng } from "../../src/core/prng.ts";
import {
  plainConfiguration,
  type Message,
  type ProposalResult,
  type Ready,
  type Snapshot,
} from "../../src/core/raft/index.ts";
import { GroupChecks } from "./checks/group-checks.ts";
import { describeMessage } from "./describe-message.ts";
import { Host, type Surroundings } from "./host.ts";
import type { SimulationOptions } from "./options.ts";
import { decodeCommand, mix, RegisterMachine } from "./register-machine.ts";
import { Requests } from "./requests.ts";
import { Tally } from "./tally.ts";
import { Trace } from "./trace.ts";
import { VirtualNetwork, type Place, type Transmission } from "./virtual/network.ts";
import { Schedule } from "./virtual/schedule.ts";

/** Everything that happens. */
type Event =
  | { readonly kind: "tick"; readonly host: Host }
  | { readonly kind: "arrive"; readonly transmission: Transmission<Message> }
  | { readonly kind: "proceed"; readonly host: Host }
  | { readonly kind: "call"; readonly call: () => void }
  | { readonly kind: "end" };

/** Who wants to know what happens at the hosts. */
export interface Listener {
  onProposal(host: Host, result: ProposalResult): void;
  onRead(host: Host, context: number, index: number | undefined): void;
  onApplied(host: Host): void;
  onStopped(host: Host): void;
  /** The host's node has begun to lead. */
  onLeader(host: Host): void;
}

const GROUP = "group";
const OLDER_GROUP = "older group";
/** Hosts are named by their place's letter and the number of the instance there. */
const LETTERS = "abcdefghijkl";

/** The world of one run. */
export class World {
  readonly options: SimulationOptions;
  readonly prng: Prng;
  readonly network: VirtualNetwork<Message>;
  readonly checks: GroupChecks;
  readonly requests = new Requests();
  readonly trace: Trace;
  readonly tally = new Tally();
  /** Every process that ever ran, members of the older group excluded; by id. */
  readonly hosts = new Map<string, Host>();
  listener: Listener | undefined;
  /** Events so far. */
  events = 0;
  readonly #schedule = new Schedule<Event>();
  readonly #strangers = new Map<string, Host>();
  readonly #instances: number[];
  #numbers = 0;

  /** @param traceLines number of last events to remember. */
  constructor(options: SimulationOptions, traceLines: number) {
    this.options = options;
    this.prng = new Prng(options.seed).fork();
    this.trace = new Trace(traceLines);
    this.#instances = Array.from({ length: options.places }, () => 0);
    this.network = new VirtualNetwork<Message>({
      places: options.places,
      prng: this.prng.fork(),
      quality: options.link,
      schedule: (delayMicros, transmission) =>
        this.#schedule.after(delayMicros, { kind: "arrive", transmission }),
    });
    const founders = Array.from({ length: options.founders }, (_, place) => this.#nextId(place));
    const initial: Snapshot = {
      index: 1,
      term: 0,
      configuration: plainConfiguration(founders),
      data: new RegisterMachine().snapshot(),
    };
    this.checks = new GroupChecks(initial, (entry) => decodeCommand(entry)?.value);
    for (const [place, id] of founders.entries()) this.#start(place, id, GROUP, initial);
    if (options.hasStranger) this.#startStranger(founders);
  }

  /** Virtual microseconds since the start. */
  get now(): number {
    return this.#schedule.now;
  }

  /** Microseconds of `ticks` ticks of a node without skew. */
  ticks(ticks: number): number {
    return ticks * this.options.tickMicros;
  }

  /** Calls `call` after the delay. */
  after(delayMicros: number, call: () => void): void {
    this.#schedule.after(delayMicros, { kind: "call", call });
  }

  /** Lets time pass. */
  runFor(micros: number): void {
    this.#schedule.after(micros, { kind: "end" });
    for (;;) {
      const event = this.#schedule.next();
      if (event === undefined || event.kind === "end") return;
      this.events++;
      this.#happen(event);
    }
  }

  /** Starts a new instance at `place`, which knows nothing yet. */
  startInstance(place: Place): Host {
    return this.#start(place, this.#nextId(place), GROUP, undefined);
  }

  /** The processes of the group that are not gone. */
  running(): Host[] {
    return [...this.hosts.values()].filter(({ state }) => state !== "stopped");
  }

  /** True if the group lives on when `lost` is gone too. */
  survivesWithout(lost: readonly Host[]): boolean {
    if (this.running().some((host) => host.hidesChange)) return false;
    return this.checks.survives((id) => {
      const host = this.hosts.get(id);
      return host?.isAlive === true && !lost.includes(host);
    });
  }

  /** Notes something in the trace and its hash. */
  note(text: string, who = 0): void {
    this.trace.hashOnly(this.now, 99, who, text.length);
    this.trace.add(this.now, () => text);
  }

  #nextId(place: Place): string {
    const instance = (this.#instances[place] ?? 0) + 1;
    this.#instances[place] = instance;
    return `${LETTERS[place] ?? "z"}${instance}`;
  }

  #start(place: Place, id: string, groupId: string, initial: Snapshot | undefined): Host {
    const { electionTimeoutTicks, heartbeatTicks, limits, tickMicros, tickSkew } = this.options;
    const isOurs = groupId === GROUP;
    const host = new Host({
      id,
      number: ++this.#numbers,
      place,
      groupId,
      prng: this.prng.fork(),
      initial,
      electionTimeoutTicks,
      heartbeatTicks,
      limits,
      surroundings: this.#surroundings(isOurs),
    });
    if (initial !== undefined) host.machine.restore(initial.data);
    host.tickMicros = skewed(tickMicros, tickSkew, this.prng);
    (isOurs ? this.hosts : this.#strangers).set(id, host);
    this.#schedule.after(this.prng.int(0, tickMicros), { kind: "tick", host });
    return host;
  }

  /** A process that still believes in a group of the same members under another id. */
  #startStranger(founders: readonly string[]): void {
    const id = "stranger";
    const configuration = plainConfiguration([...founders, id]);
    this.#start(0, id, OLDER_GROUP, { index: 1, term: 0, configuration, data: new Uint8Array(4) });
  }

  #surroundings(isOurs: boolean): Surroundings {
    const listener = isOurs
      ? (): Listener | undefined => this.listener
      : (): undefined => undefined;
    return {
      checks: isOurs ? this.checks : undefined,
      send: (host, message) => {
        const to = this.#find(message.to);
        if (to !== undefined) this.network.send(host.place, to.place, message);
      },
      proceedLater: (host, delayMicros) =>
        this.#schedule.after(delayMicros, { kind: "proceed", host }),
      onDurable: (host, ready) => this.#noteRole(host, ready),
      onProposal: (host, result) => {
        this.requests.onResult(result.id);
        listener()?.onProposal(host, result);
      },
      onRead: (host, context, index) => {
        if (isOurs && index !== undefined) this.checks.reads.onAnswer(context, index);
        listener()?.onRead(host, context, index);
      },
      onApplied: (host) => listener()?.onApplied(host),
      onStopped: (host) => {
        this.note(`${host.id} is gone`, host.number);
        this.tally.addNode(host.raft.status().counters);
        listener()?.onStopped(host);
      },
    };
  }

  #find(id: string): Host | undefined {
    return this.hosts.get(id) ?? this.#strangers.get(id);
  }

  #happen(event: Exclude<Event, { kind: "end" }>): void {
    switch (event.kind) {
      case "tick":
        this.#onTick(event, event.host);
        return;
      case "arrive":
        this.#onArrival(event.transmission);
        return;
      case "proceed":
        this.trace.hashOnly(this.now, 3, event.host.number, 0);
        event.host.proceed();
        return;
      case "call":
        event.call();
        return;
    }
  }

  #onTick(event: Event, host: Host): void {
    if (host.state === "stopped") return;
    this.trace.hashOnly(this.now, 1, host.number, host.machine.digest);
    host.tick();
    this.#schedule.after(host.tickMicros, event);
  }

  #onArrival(transmission: Transmission<Message>): void {
    const message = this.network.arrive(transmission);
    const host = this.#find(transmission.message.to);
    if (message === undefined || host === undefined || host.state === "stopped") return;
    this.trace.hashOnly(this.now, 2, host.number, summaryOf(message));
    this.trace.add(this.now, () => describeMessage(message));
    host.receive(message);
  }

  #noteRole(host: Host, { softState, hardState }: Ready): void {
    if (softState === undefined) return;
    const { role, leader } = softState;
    if (role === "leader" && this.hosts.has(host.id)) this.listener?.onLeader(host);
    this.trace.hashOnly(this.now, 4, host.number, hardState?.term ?? 0);
    this.trace.add(
      this.now,
      () => `${host.id} is ${role}${leader === undefined ? "" : ` under ${leader}`}`,
    );
  }
}

/** `micros`, longer or shorter by up to the fraction `skew`. */
export function skewed(micros: number, skew: number, prng: Prng): number {
  return Math.round(micros * (1 + skew * (2 * prng.float() - 1)));
}

/** A number that depends on what a message is and says. */
function summaryOf(message: Message): number {
  let hash = mix(message.type.length, message.type.charCodeAt(message.type.length - 3));
  hash = mix(mix(hash, message.term), message.from.charCodeAt(0));
  switch (message.type) {
    case "append":
      return mix(mix(mix(hash, message.previous.index), message.entries.length), message.commit);
    case "append-accepted":
      return mix(hash, message.index);
    case "append-refused":
      return mix(mix(hash, message.refused), message.hint.index);
    case "heartbeat":
      return mix(mix(hash, message.commit), message.readRound);
    case "heartbeat-answer":
      return mix(hash, message.readRound);
    default:
      return hash;
  }
}
