/**
 * One process: a node of the production core, with a host around it that carries out its Readies in their order, slowly
 * if it is told to, and that can die between any two effects.
 */
import type { Prng } from "../../src/core/prng.ts";
import {
  RaftNode,
  type Message,
  type ProposalResult,
  type RaftLimits,
  type Ready,
  type Snapshot,
} from "../../src/core/raft/index.ts";
import type { GroupChecks } from "./checks/group-checks.ts";
import { Violation } from "./checks/violation.ts";
import { RegisterMachine } from "./register-machine.ts";
import type { Place } from "./virtual/network.ts";

/** What a process has to do: one tick, or one message. */
type Input = "tick" | Message;

/** What a host needs from the world around it. */
export interface Surroundings {
  /** Undefined for a process of another group, which nobody checks. */
  readonly checks: GroupChecks | undefined;
  send(host: Host, message: Message): void;
  /** Calls {@link Host.proceed} after the delay. */
  proceedLater(host: Host, delayMicros: number): void;
  /** What `ready` wants durable is so now; the checks have seen it. */
  onDurable(host: Host, ready: Ready): void;
  onProposal(host: Host, result: ProposalResult): void;
  onRead(host: Host, context: number, index: number | undefined): void;
  /** Entries were applied, or a snapshot loaded. */
  onApplied(host: Host): void;
  /** The process is gone. */
  onStopped(host: Host): void;
}

/** What a host is made from. */
export interface HostOptions {
  readonly id: string;
  /** A number for the trace's hash. */
  readonly number: number;
  readonly place: Place;
  readonly groupId: string;
  readonly prng: Prng;
  readonly initial: Snapshot | undefined;
  readonly electionTimeoutTicks: number;
  readonly heartbeatTicks: number;
  readonly limits: Partial<RaftLimits>;
  readonly surroundings: Surroundings;
}

/** Inputs that wait for a process that is busy or paused; more are lost, as in a socket's buffer. */
const INBOX_MAX = 10_000;

/** A process and its part of the world. */
export class Host {
  readonly id: string;
  readonly number: number;
  readonly place: Place;
  readonly raft: RaftNode;
  readonly machine = new RegisterMachine();
  state: "up" | "paused" | "stopped" = "up";
  /** Lives on, but has left its group for good. */
  isHalted = false;
  /** Told to leave: it stops as soon as it no longer leads. */
  isLeaving = false;
  applied: number;
  tickMicros = 0;
  /** Time that each input takes. */
  serviceMicros = 0;
  /** Time until something is durable. */
  journalMicros = 0;
  /** The process dies at the boundary that this many effects precede; undefined: it doesn't. */
  effectsLeft: number | undefined;
  readonly #around: Surroundings;
  readonly #inbox: Input[] = [];
  /** A Ready that is becoming durable. */
  #underWay: Ready | undefined;
  /** True while an input or a Ready takes its time. */
  #busy = false;
  /** True if that time ended during a pause. */
  #overdue = false;

  constructor(options: HostOptions) {
    const { id, initial, surroundings } = options;
    this.id = id;
    this.number = options.number;
    this.place = options.place;
    this.applied = initial?.index ?? 0;
    this.#around = surroundings;
    this.raft = new RaftNode({
      id,
      groupId: options.groupId,
      prng: options.prng,
      initial,
      electionTimeoutTicks: options.electionTimeoutTicks,
      heartbeatTicks: options.heartbeatTicks,
      limits: options.limits,
      snapshotData: () => this.machine.snapshot(),
    });
    surroundings.checks?.onStart(id, initial);
  }

  /** True if its clients and operators can reach it: its node may be called now. */
  get isIdle(): boolean {
    return this.state === "up" && !this.#busy && !this.isHalted;
  }

  /** True unless it is gone or going: what the group can count on. */
  get isAlive(): boolean {
    return (
      this.state !== "stopped" &&
      !this.isHalted &&
      !this.isLeaving &&
      this.effectsLeft === undefined
    );
  }

  /** True while a membership change is becoming durable, so that nobody else can know of it yet. */
  get hidesChange(): boolean {
    return this.#underWay?.entries.some(({ kind }) => kind === "config-change") ?? false;
  }

  /** One tick. One that falls into a pause is lost, as a timer's is. */
  tick(): void {
    if (this.state === "up") this.#take("tick");
  }

  /** A message arrives. */
  receive(message: Message): void {
    if (this.state !== "stopped") this.#take(message);
  }

  /** Carries on: what took its time is done. */
  proceed(): void {
    this.#overdue = this.state === "paused";
    if (this.#overdue) return;
    this.#busy = false;
    const ready = this.#underWay;
    this.#underWay = undefined;
    if (this.state === "stopped") return;
    if (ready !== undefined) this.#carryOut(ready);
    this.work();
    this.#drainInbox();
  }

  pause(): void {
    if (this.state === "up") this.state = "paused";
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.state = "up";
    if (this.#overdue) this.proceed();
    else if (!this.#busy) this.#drainInbox();
  }

  /** Leaves its group irrevocably; it must be idle. */
  halt(): void {
    this.isHalted = true;
    this.raft.halt();
    this.#around.checks?.onHalt(this.id);
    this.work();
  }

  /** Leaves in peace: hands over if it leads, then stops; it must be idle. */
  leave(): void {
    this.isLeaving = true;
    this.raft.shutdown();
    this.work();
  }

  /** Dies at once. */
  stop(): void {
    if (this.state === "stopped") return;
    this.state = "stopped";
    this.#inbox.length = 0;
    this.#around.onStopped(this);
  }

  /** Carries out every Ready, until there is none or one takes its time. To be called after any call on the node. */
  work(): void {
    while (this.state !== "stopped" && !this.#busy && this.raft.hasReady()) {
      if (this.#diesHere()) return;
      const ready = this.raft.ready();
      if (this.journalMicros > 0 && ready.mustSync) {
        this.#underWay = ready;
        this.#wait(this.journalMicros);
        return;
      }
      this.#carryOut(ready);
    }
    if (this.isLeaving && this.state === "up" && !this.#busy && this.raft.role !== "leader") {
      this.stop();
    }
  }

  #take(input: Input): void {
    if (this.state === "up" && !this.#busy) this.#process(input);
    else if (this.#inbox.length < INBOX_MAX) this.#inbox.push(input);
  }

  #drainInbox(): void {
    while (this.state === "up" && !this.#busy) {
      const input = this.#inbox.shift();
      if (input === undefined) return;
      this.#process(input);
    }
  }

  #process(input: Input): void {
    if (input === "tick") this.raft.tick();
    else this.#step(input);
    this.work();
    if (this.serviceMicros > 0 && !this.#busy) this.#wait(this.serviceMicros);
  }

  #step(message: Message): void {
    const { checks } = this.#around;
    const isRefusal =
      message.type === "append-refused" && this.raft.role === "leader" && checks !== undefined;
    const before = isRefusal ? this.#progressOf(message.from) : undefined;
    const stepped = this.raft.step(message);
    if (!stepped.ok) {
      throw new Violation("no node sends what none should", `${this.id}: ${stepped.error.message}`);
    }
    if (before !== undefined && message.type === "append-refused" && this.raft.role === "leader") {
      checks?.onRefusal(message.refused, before, this.#progressOf(message.from));
    }
  }

  #progressOf(id: string) {
    return this.raft.status().progress.find((one) => one.id === id);
  }

  #wait(micros: number): void {
    this.#busy = true;
    this.#around.proceedLater(this, micros);
  }

  /** The duties of a host in their order; it may die between any two. */
  #carryOut(ready: Ready): void {
    const { checks } = this.#around;
    if (this.#diesHere()) return;
    checks?.onDurable(this.id, ready);
    this.#around.onDurable(this, ready);
    for (const message of ready.messages) {
      if (this.#diesHere()) return;
      checks?.onSend(this.id, message);
      this.#around.send(this, message);
    }
    if (this.#diesHere()) return;
    this.#apply(ready);
    for (const { context, index } of ready.reads) this.#around.onRead(this, context, index);
    for (const result of ready.proposals) this.#around.onProposal(this, result);
    if (this.#diesHere()) return;
    this.raft.advance(ready);
    this.#tellConfiguration(ready);
  }

  #apply({ snapshot, committedEntries }: Ready): void {
    const { checks } = this.#around;
    if (snapshot !== undefined) {
      this.machine.restore(snapshot.data);
      this.applied = snapshot.index;
      checks?.onLoad(this.id, snapshot, this.machine.digest);
    }
    for (const entry of committedEntries) {
      this.machine.apply(entry);
      this.applied = entry.index;
      checks?.onApply(this.id, entry, this.machine.digest);
    }
    if (snapshot !== undefined || committedEntries.length > 0) this.#around.onApplied(this);
  }

  /** After several changes in one Ready only the last one's configuration can be seen. */
  #tellConfiguration({ committedEntries }: Ready): void {
    const { checks } = this.#around;
    if (checks === undefined || !committedEntries.some(({ kind }) => kind === "config-change")) {
      return;
    }
    const { configuration, configurationIndex } = this.raft.status();
    checks.onConfiguration(this.id, configurationIndex, configuration);
  }

  #diesHere(): boolean {
    if (this.effectsLeft === undefined) return false;
    if (this.effectsLeft-- > 0) return false;
    this.stop();
    return true;
  }
}
