/**
 * Coordinators that heal, in virtual time: the production core, a driver for each process, a network and a store with
 * faults to order. Everything that happens is written down, and what must never happen is checked as it does.
 */
import { assert } from "../../../src/core/assert.ts";
import type { InstanceId, Sha256, Ticks } from "../../../src/core/brand.ts";
import type {
  Effect,
  HealingOptions,
  HealingPolicy,
  HealingState,
  Input,
  LocalView,
  Message,
  OpenPlan,
  Peer,
  RecordView,
  Secrets,
} from "../../../src/core/healing/index.ts";
import { initialState, step } from "../../../src/core/healing/index.ts";
import type { Groups } from "./groups.ts";
import { hash, Ledger } from "./ledger.ts";

/** How a world behaves; times in ticks. */
export interface WorldOptions {
  readonly names: readonly string[];
  readonly policy?: HealingPolicy;
  readonly healDelayTicks?: number;
  readonly retryTicks?: number;
  readonly failoverTicks?: number;
  readonly attemptTicks?: number;
  /** Of each message; `undefined` loses it. @default always 1 */
  readonly delay?: () => number | undefined;
  /** Of each store request. @default always 1 */
  readonly storeDelay?: () => number;
  /** What becomes of a swap besides its answer. @default always "answered" */
  readonly swapFault?: () => SwapFault;
}

/** A swap is done and answered, done without an answer, or not done and not answered. */
export type SwapFault = "answered" | "answer-lost" | "lost";

/** What a process starts with. */
export interface Start {
  readonly held?: Sha256 | undefined;
  readonly secrets?: Secrets;
  /** The first generation whose manifest it doesn't satisfy. */
  readonly ineligibleFrom?: number;
}

interface Node {
  readonly name: string;
  readonly options: HealingOptions;
  instance: InstanceId;
  running: boolean;
  held: Sha256 | undefined;
  secrets: Secrets;
  stale: boolean;
  ineligibleFrom: number;
  state: HealingState;
  shown: string;
  /** What it recovers, and as which instance. */
  recovering: { readonly record: Sha256; readonly as: InstanceId } | undefined;
  /** New instances that it has made. */
  renewals: number;
}

const LINEAGE = hash("lineage");

export class World {
  readonly ledger: Ledger;
  /** The store's head; assign to make the store lie. */
  head: Sha256 = hash("g1");
  /** While false no request of the store is answered. */
  isStoreUp = true;
  time = 0;
  /** What happened, line by line. */
  readonly lines: string[] = [];
  /** How often what happened. */
  readonly counts = new Map<string, number>();
  /** Properties that were broken. */
  readonly broken: string[] = [];
  /** Every group that was opened, in order. */
  readonly opened: { readonly record: Sha256; readonly by: InstanceId }[] = [];
  /** The head that the processes of the other half see while the store is split. */
  otherHead: Sha256 | undefined;
  readonly #options: WorldOptions;
  readonly #groups: Groups;
  readonly #nodes: Node[] = [];
  readonly #cuts = new Set<string>();
  readonly #storeCuts = new Set<InstanceId>();
  readonly #otherHalf = new Set<InstanceId>();
  readonly #queue: { readonly at: number; readonly run: () => void }[] = [];
  readonly #votes = new Map<string, Sha256>();
  readonly #said = new Map<string, string>();

  constructor(options: WorldOptions, groups: (world: World) => Groups) {
    this.#options = options;
    this.ledger = new Ledger(options.names, options.policy ?? "survivors");
    this.#groups = groups(this);
  }

  /** Starts a process; the name is the letter of the instance. */
  start(instance: InstanceId, start: Start = {}): void {
    const name = instance.slice(0, 1);
    const {
      healDelayTicks = 10,
      retryTicks = 2,
      failoverTicks = 20,
      attemptTicks = 20,
    } = this.#options;
    const options: HealingOptions = {
      lineage: LINEAGE,
      name,
      healDelayTicks: healDelayTicks as Ticks,
      retryTicks: retryTicks as Ticks,
      failoverTicks: failoverTicks as Ticks,
      attemptTicks: attemptTicks as Ticks,
      digest: (bytes) => hash(new TextDecoder().decode(bytes)),
    };
    const { held, ineligibleFrom = Infinity } = start;
    const secrets = start.secrets ?? (held === undefined ? "none" : "memory");
    const rest = { running: true, stale: false, shown: "", recovering: undefined, renewals: 0 };
    const bare = { name, options, instance, held, secrets, ineligibleFrom, ...rest };
    const node: Node = { ...bare, state: initialState(this.#view(bare)) };
    this.#nodes.push(node);
    this.#give(node, { kind: "tick", now: this.time as Ticks });
    this.#observe(node);
  }

  crash(instance: InstanceId): void {
    const node = this.#running(instance);
    node.running = false;
    this.#note(`${node.instance} crashes`);
  }

  /** Cuts or mends the link between two instances, in both directions. */
  link(a: InstanceId, b: InstanceId, isUp: boolean): void {
    if (isUp) this.#cuts.delete(pair(a, b));
    else this.#cuts.add(pair(a, b));
  }

  /** Cuts or mends a process's link to the store. */
  storeLink(instance: InstanceId, isUp: boolean): void {
    if (isUp) this.#storeCuts.delete(origin(instance));
    else this.#storeCuts.add(origin(instance));
  }

  /** Splits the store: these processes see and move a head of their own from now on; none: it is whole again. */
  split(instances: readonly InstanceId[]): void {
    this.otherHead = instances.length === 0 ? undefined : this.head;
    this.#otherHalf.clear();
    for (const instance of instances) this.#otherHalf.add(origin(instance));
  }

  /** The head that a process is shown. */
  headOf(instance: InstanceId): Sha256 {
    return (this.#otherHalf.has(origin(instance)) ? this.otherHead : undefined) ?? this.head;
  }

  /** Moves the head that a process is shown, if it is `from` and the store answers. @returns whether it did */
  moveHead(instance: InstanceId, from: Sha256, to: Sha256): boolean {
    if (this.headOf(instance) !== from || !this.#reachesStore({ instance })) return false;
    this.#setHead(instance, to);
    return true;
  }

  /** A member's state machine has applied a record. */
  apply(instance: InstanceId, record: Sha256): void {
    const node = this.#nodes.find((one) => one.running && one.instance === instance);
    if (node?.held === undefined || node.stale) return;
    if (this.ledger.get(record).parent === node.held) this.#hold(node, record);
  }

  /** The record that a process holds. */
  heldBy(instance: InstanceId): Sha256 | undefined {
    return this.#running(instance).held;
  }

  /** Whether the processes of two instances run, and messages pass between them. */
  isLinked(a: InstanceId, b: InstanceId): boolean {
    const isUp = (one: InstanceId) =>
      this.#nodes.some((node) => node.running && origin(node.instance) === origin(one));
    return isUp(a) && isUp(b) && !this.#cuts.has(pair(a, b));
  }

  run(ticks: number): void {
    for (let end = this.time + ticks; this.time < end;) this.#tick();
  }

  /** Where each running process stands, one line each. */
  status(): string[] {
    return this.#nodes.filter(({ running }) => running).map((node) => this.#describe(node));
  }

  get running(): readonly InstanceId[] {
    return this.#nodes.filter(({ running }) => running).map(({ instance }) => instance);
  }

  stateOf(instance: InstanceId): HealingState {
    return this.#running(instance).state;
  }

  /** Epochs that were opened more than once: impossible while the store keeps one head. */
  epochsOpenedTwice(): readonly number[] {
    const epochs = this.opened.map(({ record }) => this.ledger.get(record).epoch);
    return epochs.filter((epoch, at) => epochs.indexOf(epoch) !== at);
  }

  /** Whether every running process works under the store's head, in a group with a leader. */
  isSettled(): boolean {
    return this.#nodes.every((node) => !node.running || this.#isSettled(node));
  }

  /** An update of the live group under the head: every linked, running member applies it. */
  update(names?: readonly string[]): void {
    this.head = this.ledger.update(this.head, names);
    this.#note(`the store's head moves to ${this.head}`);
  }

  #tick(): void {
    this.time++;
    for (;;) {
      const at = this.#queue.findIndex((event) => event.at <= this.time);
      if (at < 0) break;
      for (const { run } of this.#queue.splice(at, 1)) run();
    }
    this.#groups.tick();
    for (const node of this.#nodes) {
      if (!node.running) continue;
      this.#watchHead(node);
      this.#recover(node);
      this.#observe(node);
      this.#give(node, { kind: "tick", now: this.time as Ticks });
    }
  }

  /** The driver's own look at the store: a member follows within its epoch, and is stale beyond it. */
  #watchHead(node: Node): void {
    const { held, instance } = node;
    const head = this.headOf(instance);
    if (held === undefined || held === head || !this.#reachesStore(node)) return;
    if (!this.ledger.descends(head, held)) return;
    const isSameEpoch = this.ledger.get(head).epoch === this.ledger.get(held).epoch;
    if (isSameEpoch && this.#groups.view(instance)?.live === true) this.#hold(node, head);
    else node.stale = true;
  }

  #recover(node: Node): void {
    const { recovering } = node;
    if (recovering === undefined) return;
    const { record, as } = recovering;
    const { group, names } = this.ledger.get(record);
    if (!names.includes(node.name)) return;
    const helper = this.#nodes.find(
      (other) =>
        other !== node &&
        other.running &&
        other.held !== undefined &&
        this.isLinked(node.instance, other.instance) &&
        this.ledger.descends(other.held, record) &&
        (node.held === undefined || this.ledger.descends(other.held, node.held)) &&
        this.ledger.get(other.held).group === group &&
        this.#groups.view(other.instance)?.live === true,
    );
    if (helper === undefined) return;
    this.#groups.join(group, as);
    if (this.#groups.view(as)?.id !== group) return;
    this.#become(node, as, helper.held);
  }

  #become(node: Node, instance: InstanceId, held: Sha256 | undefined): void {
    const was = node.instance === instance ? "" : `, before ${node.instance}`;
    if (held !== undefined) this.#hold(node, held);
    Object.assign(node, { instance, stale: false, secrets: "memory", recovering: undefined });
    this.#note(`${instance} is a member under ${held ?? "nothing"}${was}`);
    this.#count("joined");
    this.#observe(node);
  }

  /** What a process holds never goes back, nor over to another branch. */
  #hold(node: Node, record: Sha256): void {
    if (node.held !== undefined && !this.ledger.descends(record, node.held)) {
      this.broken.push(`${node.instance} went from ${node.held} to ${record}`);
    }
    node.held = record;
  }

  #setHead(instance: InstanceId, to: Sha256): void {
    if (this.#otherHalf.has(origin(instance))) this.otherHead = to;
    else this.head = to;
    this.#note(`the store's head moves to ${to}`);
  }

  #renewed(node: Node): InstanceId {
    node.renewals++;
    return `${origin(node.instance)}${"+".repeat(node.renewals)}` as InstanceId;
  }

  /** Tells the core of its own process, if anything has changed. */
  #observe(node: Node): void {
    const local = this.#view(node);
    const shown = JSON.stringify(local);
    if (shown === node.shown) return;
    node.shown = shown;
    this.#give(node, { kind: "observed", local });
  }

  #view(node: Pick<Node, "instance" | "held" | "secrets" | "stale" | "ineligibleFrom">): LocalView {
    const { instance, held, secrets, stale } = node;
    return {
      instance,
      mode: held === undefined || stale ? "recovery" : "ready",
      held: held === undefined ? undefined : this.#record(node, held),
      secrets,
      group: this.#groups.view(instance),
    };
  }

  #record({ ineligibleFrom }: Pick<Node, "ineligibleFrom">, at: Sha256): RecordView {
    return this.ledger.view(at, this.ledger.get(at).generation < ineligibleFrom);
  }

  #give(node: Node, input: Input): void {
    if (!node.running) return;
    const before = node.state;
    const { state, effects } = step(node.options, before, input);
    node.state = state;
    if (before.phase.kind !== state.phase.kind) this.#notePhase(node);
    for (const effect of effects) this.#carryOut(node, effect);
  }

  #carryOut(node: Node, effect: Effect): void {
    switch (effect.kind) {
      case "send":
        this.#send(node, effect.to, effect.message);
        return;
      case "halt": {
        const remains = this.#groups.halt(node.instance);
        this.#give(node, { kind: "halted", remains });
        return;
      }
      case "read-head":
        this.#read(node, effect.request, effect.relativeTo);
        return;
      case "swap":
        this.#swap(node, effect.request, effect.plan);
        return;
      case "open": {
        const { hash: record, group } = effect.record;
        this.opened.push({ record, by: node.instance });
        const instance = this.#renewed(node);
        this.#groups.open(group, instance);
        this.#count("opened");
        this.#become(node, instance, record);
        return;
      }
      case "recover":
        if (effect.renew) this.#groups.halt(node.instance);
        node.recovering = {
          record: effect.record.hash,
          as: effect.renew ? this.#renewed(node) : node.instance,
        };
        return;
      case "stop-recovering":
        node.recovering = undefined;
        return;
      case "report":
        if (effect.event.kind === "waiting") {
          this.#note(`${node.instance} waits: ${effect.event.reason ?? "no more"}`);
        } else if (effect.event.kind !== "attempt") {
          this.#note(`${node.instance} reports ${effect.event.kind}`);
        }
        this.#count(effect.event.kind);
        return;
      case "end":
        this.#note(`${node.instance} ends: ${effect.error.message}`);
        this.#count("ended");
        return;
    }
  }

  #send(node: Node, to: { name: string; instance?: InstanceId }, message: Message): void {
    const from: Peer = { name: node.name, instance: node.instance };
    this.#checkVote(from, message);
    for (const other of this.#nodes) {
      if (other === node || other.name !== to.name) continue;
      if (to.instance !== undefined && to.instance !== other.instance) continue;
      this.#noteMessage(from, other, message);
      const delay = this.#options.delay === undefined ? 1 : this.#options.delay();
      if (delay === undefined || !this.isLinked(from.instance, other.instance)) {
        this.#count(`lost ${message.kind}`);
        continue;
      }
      this.#later(delay, () => this.#give(other, { kind: "message", from, message }));
    }
  }

  #checkVote(from: Peer, message: Message): void {
    if (message.kind !== "vote") return;
    const key = `${from.instance} ${message.header.attempt}`;
    const { candidate } = message.vote;
    if ((this.#votes.get(key) ?? candidate) !== candidate)
      this.broken.push("two votes in an attempt");
    this.#votes.set(key, candidate);
    if (this.#groups.view(from.instance)?.live === true) {
      this.broken.push("a voter works in its old group");
    }
  }

  #read(node: Node, request: number, relativeTo: Sha256 | undefined): void {
    this.#later(this.#storeDelay(), () => {
      const isEligible = (record: { generation: number }) =>
        record.generation < node.ineligibleFrom;
      const observation = this.#reachesStore(node)
        ? this.ledger.observe(this.headOf(node.instance), relativeTo, isEligible)
        : ({ kind: "unavailable" } as const);
      this.#later(this.#storeDelay(), () =>
        this.#give(node, { kind: "head", request, observation }),
      );
    });
  }

  #swap(node: Node, request: number, plan: OpenPlan): void {
    const record = this.ledger.heal(plan, { name: node.name, instance: node.instance });
    this.#later(this.#storeDelay(), () => {
      const fault = this.#options.swapFault?.() ?? "answered";
      if (!this.#reachesStore(node) || fault === "lost") {
        this.#count("swap lost");
        this.#give(node, { kind: "swapped", request, outcome: { kind: "unknown" } });
        return;
      }
      if (this.headOf(node.instance) === plan.base.token) this.#accept(node, record, plan);
      const outcome = this.#answer(node, record, plan, fault);
      this.#later(this.#storeDelay(), () =>
        this.#give(node, { kind: "swapped", request, outcome }),
      );
    });
  }

  #accept(node: Node, record: Sha256, plan: OpenPlan): void {
    this.#setHead(node.instance, record);
    this.#count(plan.path);
    this.#count(plan.fenced ? "fenced" : "unfenced");
    if (plan.fenced && this.#groups.canAct(plan.base.record.group)) {
      this.broken.push("fenced, and the old group can still act");
    }
  }

  #answer(node: Node, record: Sha256, plan: OpenPlan, fault: SwapFault) {
    if (fault === "answer-lost") {
      this.#count("answer lost");
      return { kind: "unknown" } as const;
    }
    const head = this.headOf(node.instance);
    if (head === record) {
      return { kind: "committed", record: this.#record(node, record) } as const;
    }
    this.#count("conflict");
    const isEligible = (found: { generation: number }) => found.generation < node.ineligibleFrom;
    const observation = this.ledger.observe(head, plan.base.record.hash, isEligible);
    return { kind: "conflict", observation } as const;
  }

  #reachesStore({ instance }: Pick<Node, "instance">): boolean {
    return this.isStoreUp && !this.#storeCuts.has(origin(instance));
  }

  #storeDelay(): number {
    return this.#options.storeDelay?.() ?? 1;
  }

  #later(ticks: number, run: () => void): void {
    if (ticks <= 0) run();
    else this.#queue.push({ at: this.time + ticks, run });
  }

  #running(instance: InstanceId): Node {
    const node = this.#nodes.find(
      (one) => one.running && origin(one.instance) === origin(instance),
    );
    assert(node !== undefined, `${instance} runs`);
    return node;
  }

  #isSettled({ held, instance, state }: Node): boolean {
    const isMember = held === this.headOf(instance) && this.#groups.view(instance)?.live === true;
    return state.phase.kind === "ended" || (state.phase.kind === "watching" && isMember);
  }

  #describe({ instance, state, held }: Node): string {
    const { phase, attempt, waiting } = state;
    const where = phase.kind === "watching" ? "" : `, attempt ${attempt}`;
    const wait = waiting === undefined ? "" : `, waits: ${waiting}`;
    const group = this.#groups.view(instance);
    const led = group === undefined ? "" : group.live ? ", led" : ", without a leader";
    return `${instance}: ${phase.kind}${where}${wait}, holds ${held ?? "nothing"}${led}`;
  }

  #notePhase(node: Node): void {
    const { phase, attempt } = node.state;
    if (phase.kind === "halting" || phase.kind === "ended") return;
    const of = phase.kind === "voted" ? ` for ${phase.candidate.claim.instance}` : "";
    const on = phase.kind === "gathering" ? ` on ${phase.base.record.hash}` : "";
    this.#note(`${node.instance} ${phase.kind}${of}${on}, attempt ${attempt}`);
    this.#count(phase.kind);
  }

  /** A message is written down when it is said for the first time. */
  #noteMessage(from: Peer, to: Node, message: Message): void {
    const { attempt, base } = message.header;
    const live = message.kind === "claim" && message.claim.live ? "live " : "";
    const text = `${live}${message.kind}, attempt ${attempt}, base ${base.hash}`;
    const key = `${from.instance} → ${to.instance}: ${text}`;
    if (this.#said.has(key)) return;
    this.#said.set(key, text);
    this.#note(key);
  }

  #note(text: string): void {
    this.lines.push(`${String(this.time).padStart(4)} ${text}`);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

/** A process keeps its place when it becomes a new instance. */
function origin(instance: InstanceId): InstanceId {
  return instance.replace(/\++$/, "") as InstanceId;
}

function pair(a: InstanceId, b: InstanceId): string {
  return [origin(a), origin(b)].sort().join(" ");
}
