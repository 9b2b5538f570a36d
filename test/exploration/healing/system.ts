/**
 * All processes, the network and the store as one state of small numbers. The README says what is folded, and why that
 * loses nothing.
 *
 * Equal processes, sets of messages and records are given one number each, so a state is a short vector of integers,
 * compared exactly, and each different step of a process runs the core only once.
 */
import { assert } from "../../../src/core/assert.ts";
import type { InstanceId, Sha256 } from "../../../src/core/brand.ts";
import type { Ledger } from "../../support/healing/ledger.ts";
import { hash } from "../../support/healing/ledger.ts";
import type { Assignment } from "./assignment.ts";
import { ledgerOf } from "./assignment.ts";
import { Interner, NumberSets } from "./interner.ts";
import type { Happening, Local, Sent } from "./local.ts";
import { announcement, horizonOf, inAttempt, isHidden, Process, withoutHidden } from "./local.ts";
import { checkElection, checkRecord } from "./properties.ts";

/** For each process: its own number, the store answer that waits for it (0: none), the set of its messages. */
const PER_PROCESS = 3;
const LOCAL = 0;
const ANSWER = 1;
const OUTBOX = 2;
/** After the processes: newest opened epoch that anybody knows of, head, whether the old group has updated it. */
const ANNOUNCED = 0;
const HEAD = 1;
const UPDATED = 2;

/** A state. */
export type Vector = Uint32Array;

/** Called for each thing that can happen next. */
export type Visit = (next: Vector, text: () => string) => void;

/** One step of one process, or several of which only the last shows. */
interface Change {
  readonly local: number;
  readonly sent: readonly number[];
  readonly requested: boolean;
  readonly opened: Sha256 | undefined;
  readonly broken: readonly string[];
  readonly texts: readonly string[];
}

/** What a process may be given: a key that is the same for the same happening, and words. */
interface Offer {
  readonly key: string;
  readonly happening: Happening;
  readonly text: string;
}

export class System {
  readonly assignment: Assignment;
  readonly ledger: Ledger;
  readonly processes: readonly Process[];
  /** Words of a state. */
  readonly width: number;
  /** Properties found broken; a search stops at the first. */
  readonly broken: string[] = [];
  /** How often each thing was seen that must be reachable. */
  readonly seen = new Map<string, number>();
  readonly #tail: number;
  readonly #locals = new Interner<Local>();
  readonly #messages = new Interner<Sent>();
  readonly #records = new Interner<Sha256>();
  readonly #outboxes = new NumberSets();
  readonly #changes = new Map<string, Change | undefined>();
  readonly #saturated = new Map<string, readonly Change[]>();
  readonly #pruned = new Map<string, number>();

  constructor(assignment: Assignment) {
    this.assignment = assignment;
    this.ledger = ledgerOf(assignment);
    this.processes = assignment.members.map(
      (member) => new Process(assignment, member, this.ledger),
    );
    this.#tail = PER_PROCESS * this.processes.length;
    this.width = this.#tail + 3;
    this.#records.number(hash("none"));
  }

  initial(): Vector {
    const vector = new Uint32Array(this.width);
    this.processes.forEach((process, at) => {
      const { local, sent } = process.initial();
      vector[PER_PROCESS * at + LOCAL] = this.#locals.number(local);
      vector[PER_PROCESS * at + OUTBOX] = sent.reduce(
        (box, one) => this.#outboxes.with(box, this.#messages.number(one)),
        0,
      );
    });
    vector[this.#tail + HEAD] = this.#records.number(hash(`g${this.assignment.head}`));
    return vector;
  }

  local(vector: Vector, process: number): Local {
    return this.#locals.value(vector[PER_PROCESS * process + LOCAL] ?? 0);
  }

  head(vector: Vector): Sha256 {
    return this.#records.value(vector[this.#tail + HEAD] ?? 0);
  }

  /** Every message that still matters. */
  network(vector: Vector): readonly Sent[] {
    return this.processes.flatMap((_, process) => this.#outbox(vector, process));
  }

  sizes(): { readonly locals: number; readonly messages: number } {
    return { locals: this.#locals.size, messages: this.#messages.size };
  }

  /** Everything that can happen in a state and shows. */
  forEachMove(vector: Vector, visit: Visit): void {
    for (let process = 0; process < this.processes.length; process++) {
      this.#storeMoves(vector, process, visit);
      for (const change of this.#saturate(vector, process)) {
        this.#apply(vector, process, change, true, visit);
      }
    }
    this.#update(vector, visit);
  }

  #update(vector: Vector, visit: Visit): void {
    if (!this.assignment.update || vector[this.#tail + UPDATED] !== 0) return;
    const head = this.head(vector);
    if (this.ledger.get(head).epoch !== 1) return;
    const next = vector.slice();
    next[this.#tail + HEAD] = this.#records.number(this.ledger.update(head));
    next[this.#tail + UPDATED] = 1;
    visit(next, () => "the old group updates the head");
  }

  /**
   * The next step of a fair run in which only the processes of `alive` go on: first the store answers, then messages
   * are delivered, and time passes only when nothing else is left to do.
   *
   * @returns `undefined` if nothing can happen any more
   */
  fairMove(vector: Vector, alive: readonly number[]): Vector | undefined {
    let found: Vector | undefined;
    const take: Visit = (next) => (found ??= next);
    for (const process of alive) {
      this.#storeMoves(vector, process, take, true);
      if (found !== undefined) return found;
    }
    for (const process of alive) {
      for (const offer of this.#deliveries(vector, process)) {
        this.#offer(vector, process, offer, take);
        if (found !== undefined) return found;
      }
    }
    // Timers of one kind take turns: who is furthest behind comes first.
    const attemptOf = (process: number) => this.local(vector, process).state.attempt;
    const inTurn = [...alive].sort((a, b) => attemptOf(a) - attemptOf(b));
    // A fork lasts: asking again and again would leave no time for the others.
    const isForked = (process: number) => this.local(vector, process).state.waiting === "fork";
    for (const timer of ["retry", "heal", "failover", "attempt"]) {
      for (const process of inTurn) {
        if (timer === "retry" && isForked(process)) continue;
        const offer = this.#timers(vector, process, Infinity).find(({ key }) => key === timer);
        if (offer !== undefined) this.#offer(vector, process, offer, take);
        if (found !== undefined) return found;
      }
    }
    return found;
  }

  /** Steps of one process that show: those that begin with any number of hidden ones are put together. */
  #saturate(vector: Vector, process: number): readonly Change[] {
    const id = vector[PER_PROCESS * process + LOCAL] ?? 0;
    const boxes = this.processes.map((_, other) =>
      other === process ? "" : (vector[PER_PROCESS * other + OUTBOX] ?? 0),
    );
    const key = `${process}.${id}.${boxes.join(".")}.${vector[this.#tail + ANNOUNCED] ?? 0}`;
    const known = this.#saturated.get(key);
    if (known !== undefined) return known;
    const deliveries = this.#deliveries(vector, process);
    const changes: Change[] = [];
    const visited = new Set([id]);
    const stack: { at: number; texts: readonly string[] }[] = [{ at: id, texts: [] }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const here = vector.slice();
      here[PER_PROCESS * process + LOCAL] = top.at;
      const offers = [...deliveries, ...this.#timers(here, process, this.assignment.attempts)];
      for (const offer of offers) {
        const change = this.#change(process, top.at, offer);
        if (change === undefined) continue;
        const texts = [...top.texts, offer.text];
        const before = this.#locals.value(top.at);
        const after = this.#locals.value(change.local);
        const isQuiet =
          !change.requested && change.opened === undefined && change.broken.length === 0;
        if (isQuiet && isHidden(before, after)) {
          if (!visited.has(change.local)) stack.push({ at: change.local, texts });
          visited.add(change.local);
        } else {
          changes.push({ ...change, texts });
        }
      }
    }
    const distinct = new Map(changes.map((change) => [this.#folded(change), change]));
    const result = [...distinct.values()];
    this.#saturated.set(key, result);
    return result;
  }

  /** What a change comes to once hidden things are left out. */
  #folded(change: Change): string {
    const local = this.#locals.number(withoutHidden(this.#locals.value(change.local)));
    const { sent, requested, opened, broken } = change;
    return JSON.stringify([local, sent, requested, opened, broken]);
  }

  #deliveries(vector: Vector, process: number): Offer[] {
    const self = this.local(vector, process).state.local.instance;
    const offers: Offer[] = [];
    for (let other = 0; other < this.processes.length; other++) {
      if (other === process) continue;
      for (const id of this.#outboxes.members(vector[PER_PROCESS * other + OUTBOX] ?? 0)) {
        const sent = this.#messages.value(id);
        if (sent.to !== undefined && sent.to.instance !== self) continue;
        offers.push({ key: `m${id}`, happening: { kind: "message", sent }, text: describe(sent) });
      }
    }
    const announced = vector[this.#tail + ANNOUNCED] ?? 0;
    if (announced > 0) {
      const record = this.ledger.get(this.#records.value(announced));
      const sent = announcement(record);
      const text = `hears that ${record.hash} was opened`;
      offers.push({ key: `o${announced}`, happening: { kind: "message", sent }, text });
    }
    return offers;
  }

  /** Timers that may fire, and repetitions of store requests that failed. */
  #timers(vector: Vector, process: number, attempts: number): Offer[] {
    const { phase, deadlines, attempt } = this.local(vector, process).state;
    const timers = (["heal", "failover", "attempt"] as const).filter(
      (timer) => deadlines[timer] !== undefined && (timer !== "attempt" || attempt < attempts),
    );
    const isIdle =
      (phase.kind === "reading" || phase.kind === "opening") && phase.request === undefined;
    return [...timers, ...(isIdle ? (["retry"] as const) : [])].map((timer) => ({
      key: timer,
      happening: { kind: "timer", timer },
      text: timer === "retry" ? "tries the store again" : `the ${timer} timer fires`,
    }));
  }

  /** The store takes a request, answers it, or loses the answer; a member of the new group lets a joiner in. */
  #storeMoves(vector: Vector, process: number, visit: Visit, isFair = false): void {
    const { phase, check, attempt } = this.local(vector, process).state;
    const isReading = phase.kind === "reading" && phase.request !== undefined;
    const fails = this.assignment.failingReads && !isFair;
    if (isReading || check !== undefined) this.#readMoves(vector, process, fails, visit);
    if (phase.kind === "opening" && phase.request !== undefined) {
      this.#swapMoves(vector, process, visit);
      if (!isFair) {
        const offer = {
          key: "unknown",
          happening: { kind: "unknown" },
          text: "is told: unknown",
        } as const;
        this.#offer(vector, process, offer, visit);
      }
    }
    if (phase.kind === "joining" && this.#hasMember(vector, process, phase.target.hash)) {
      this.#see("joined late");
      this.#offer(vector, process, JOIN, visit);
    }
    if (this.#isOutdated(vector, process) && (isFair || attempt < this.assignment.attempts)) {
      this.#offer(vector, process, OUTDATED, visit);
    }
  }

  /** Whether a live member's own look at the store would make its state stale. */
  #isOutdated(vector: Vector, process: number): boolean {
    const { held } = this.local(vector, process).state.local;
    if (!this.#isLive(vector, process) || held === undefined) return false;
    const head = this.head(vector);
    return held.hash !== head && this.ledger.descends(head, held.hash);
  }

  #readMoves(vector: Vector, process: number, fails: boolean, visit: Visit): void {
    const answer = vector[PER_PROCESS * process + ANSWER] ?? 0;
    if (answer === 0) {
      const next = vector.slice();
      next[PER_PROCESS * process + ANSWER] = vector[this.#tail + HEAD] ?? 0;
      visit(next, () => this.#text(vector, process, "the store reads the head"));
    } else {
      const head = this.#records.value(answer);
      const text = `is told that the head is ${head}`;
      this.#offer(
        vector,
        process,
        { key: `h${answer}`, happening: { kind: "head", head }, text },
        visit,
      );
    }
    if (fails) {
      const text = "is told that the store did not answer";
      this.#offer(
        vector,
        process,
        { key: "fail", happening: { kind: "read-failed" }, text },
        visit,
      );
    }
  }

  /** Answers of a swap: even numbers say committed, odd ones conflict, with the head. */
  #swapMoves(vector: Vector, process: number, visit: Visit): void {
    const answer = vector[PER_PROCESS * process + ANSWER] ?? 0;
    if (answer === 0) {
      this.#takeSwap(vector, process, visit);
      return;
    }
    const known = this.#records.value(answer >> 1);
    const happening: Happening =
      answer % 2 === 0 ? { kind: "committed", record: known } : { kind: "conflict", head: known };
    this.#see(happening.kind);
    const text = `is told: ${happening.kind}, the head is ${known}`;
    this.#offer(vector, process, { key: `s${answer}`, happening, text }, visit);
  }

  #takeSwap(vector: Vector, process: number, visit: Visit): void {
    const local = this.local(vector, process);
    const { phase } = local.state;
    const actor = this.#process(process);
    assert(phase.kind === "opening", "only an opening one swaps");
    const record = actor.recordOf(local, phase.plan);
    const recordId = this.#records.number(record);
    const next = vector.slice();
    if (this.head(vector) === phase.plan.base.token) {
      this.#judge(vector, process);
      next[this.#tail + HEAD] = recordId;
      next[PER_PROCESS * process + ANSWER] = 2 * recordId;
    } else {
      const head = vector[this.#tail + HEAD] ?? 0;
      next[PER_PROCESS * process + ANSWER] = 2 * head + (head === recordId ? 0 : 1);
    }
    visit(next, () => this.#text(vector, process, `the store takes the swap to ${record}`));
  }

  #judge(vector: Vector, process: number): void {
    const local = this.local(vector, process);
    const { phase, attempt } = local.state;
    assert(phase.kind === "opening", "only an opening one swaps");
    const { plan } = phase;
    const opener = this.#process(process).peer(local);
    const broken = checkRecord({
      assignment: this.assignment,
      plan,
      opener,
      parent: this.ledger.get(plan.base.record.hash),
      halted: this.#haltedInstances(vector),
      groups: this.#groups(vector),
    });
    this.broken.push(...broken);
    this.#see(plan.path, plan.fenced ? "fenced" : "unfenced");
    if (attempt > 1) this.#see("opened in a later attempt");
    if (plan.base.record.epoch > 1) this.#see("opened on an opened epoch");
    if (plan.base.reasserted) this.#see("rolled back head re-asserted");
    if (plan.base.record.generation > this.assignment.head) this.#see("opened on an update");
  }

  #offer(vector: Vector, process: number, offer: Offer, visit: Visit): void {
    const change = this.#change(process, vector[PER_PROCESS * process + LOCAL] ?? 0, offer);
    if (change !== undefined) this.#apply(vector, process, change, false, visit);
  }

  /** Makes a change of one process in a state. `fold`: leave out what is hidden. */
  #apply(vector: Vector, process: number, change: Change, fold: boolean, visit: Visit): void {
    const at = PER_PROCESS * process;
    const next = vector.slice();
    const local = this.#locals.value(change.local);
    next[at + LOCAL] = fold ? this.#locals.number(withoutHidden(local)) : change.local;
    // The answer of the store was taken, has become worthless, or is still awaited.
    const wasAwaited = awaits(this.local(vector, process));
    if (change.requested || !awaits(local) || !wasAwaited) next[at + ANSWER] = 0;
    next[at + OUTBOX] = change.sent.reduce(
      (box, one) => this.#outboxes.with(box, one),
      this.#isLive(vector, process) ? this.#silenced(vector, process) : (vector[at + OUTBOX] ?? 0),
    );
    this.#announce(next, local);
    this.#prune(next);
    this.#seeYielding(this.local(vector, process), local);
    this.broken.push(...change.broken, ...this.#checkElection(vector, process, local));
    if (change.opened !== undefined) this.#checkOpened(vector, change.opened);
    if (change.broken.length === 0 && next.every((word, i) => word === vector[i])) return;
    visit(next, () => change.texts.map((text) => this.#text(vector, process, text)).join("; "));
  }

  #seeYielding({ state: before }: Local, { state: after }: Local): void {
    const isPolling = before.phase.kind === "gathering" || before.phase.kind === "voted";
    if (!isPolling || after.phase.kind !== "joining") return;
    if (after.phase.target.epoch === before.known?.epoch) this.#see("gave way to a live group");
  }

  #isLive(vector: Vector, process: number): boolean {
    const { phase, local } = this.local(vector, process).state;
    return phase.kind === "watching" && local.group?.live === true;
  }

  /** A live member goes on to something else: it has only answered in the attempts that there were so far. */
  #silenced(vector: Vector, process: number): number {
    const attempts = this.processes.map((_, other) => this.local(vector, other).state.attempt);
    const box = this.#outboxes.members(vector[PER_PROCESS * process + OUTBOX] ?? 0);
    const spoken = box.flatMap((id) => {
      const sent = this.#messages.value(id);
      if (!sent.standing) return [id];
      return attempts.map((attempt) => this.#messages.number(inAttempt(sent, attempt)));
    });
    return this.#outboxes.number([...new Set(spoken)]);
  }

  /** When a process comes to open, its votes and claims must bear it. */
  #checkElection(vector: Vector, process: number, after: Local): readonly string[] {
    const before = this.local(vector, process).state;
    const { phase, attempt } = after.state;
    if (phase.kind !== "opening" || !("own" in before.phase)) return [];
    return checkElection({
      plan: phase.plan,
      attempt,
      own: before.phase.own.claim,
      parent: this.ledger.get(phase.plan.base.record.hash),
      network: this.network(vector),
    });
  }

  /** A group may only be opened under the record that the store has for its epoch. */
  #checkOpened(vector: Vector, opened: Sha256): void {
    this.#see("opened");
    const isStored = this.ledger.has(opened) && this.ledger.descends(this.head(vector), opened);
    if (!isStored) this.broken.push("a group was opened that the store does not have");
  }

  /** Whoever knows of an opened epoch may tell everybody. */
  #announce(next: Vector, local: Local): void {
    const { known } = local.state;
    if (known === undefined || known.epoch === 1) return;
    const announced = next[this.#tail + ANNOUNCED] ?? 0;
    const epoch = announced === 0 ? 1 : this.ledger.get(this.#records.value(announced)).epoch;
    if (known.epoch > epoch && this.ledger.has(known.hash)) {
      next[this.#tail + ANNOUNCED] = this.#records.number(known.hash);
    }
  }

  /** Forgets messages that can't change anything any more. */
  #prune(next: Vector): void {
    const horizons = this.processes.map((_, process) => horizonOf(this.local(next, process)));
    const key = horizons.join(".");
    for (let process = 0; process < this.processes.length; process++) {
      const box = next[PER_PROCESS * process + OUTBOX] ?? 0;
      if (box === 0) continue;
      const at = `${process}.${box}.${key}`;
      let kept = this.#pruned.get(at);
      if (kept === undefined) {
        kept = this.#keep(process, box, horizons);
        this.#pruned.set(at, kept);
      }
      next[PER_PROCESS * process + OUTBOX] = kept;
    }
  }

  #keep(process: number, box: number, horizons: readonly number[]): number {
    const matters = (id: number): boolean => {
      const { message, to } = this.#messages.value(id);
      return horizons.some((horizon, other) => {
        if (other === process) return false;
        const isProof = message.kind === "claim" && message.claim.live;
        if (isProof) return horizon < Infinity;
        const isMine = to === undefined || to.name === this.#process(other).name;
        return isMine && message.header.attempt >= horizon;
      });
    };
    return this.#outboxes.number(this.#outboxes.members(box).filter(matters));
  }

  /** One step of one process, worked out once. `undefined`: it changes nothing. */
  #change(process: number, id: number, { key, happening, text }: Offer): Change | undefined {
    const at = `${process}.${id}.${key}`;
    if (this.#changes.has(at)) return this.#changes.get(at);
    const outcome = this.#process(process).happen(this.#locals.value(id), happening);
    const local = this.#locals.number(outcome.local);
    const sent = outcome.sent.map((one) => this.#messages.number(one));
    const { requested, broken, seen } = outcome;
    for (const name of seen) this.#see(name);
    const opened = outcome.opened?.hash;
    const isNothing =
      local === id &&
      !requested &&
      sent.length === 0 &&
      broken.length === 0 &&
      opened === undefined;
    const change = isNothing
      ? undefined
      : { local, sent, requested, opened, broken, texts: [text] };
    this.#changes.set(at, change);
    return change;
  }

  #hasMember(vector: Vector, joiner: number, record: Sha256): boolean {
    return this.processes.some((_, process) => {
      const { held } = this.local(vector, process).state.local;
      return process !== joiner && this.#isLive(vector, process) && held?.hash === record;
    });
  }

  #haltedInstances(vector: Vector): ReadonlySet<InstanceId> {
    const halted = new Set<InstanceId>();
    this.processes.forEach((_, process) => {
      for (const instance of this.local(vector, process).halted) halted.add(instance);
    });
    return halted;
  }

  /** The groups that heals have opened: at first the opener alone, as its new instance. */
  #groups(vector: Vector): ReadonlyMap<Sha256, readonly InstanceId[]> {
    const groups = new Map<Sha256, InstanceId[]>();
    for (let at: Sha256 | undefined = this.head(vector); at !== undefined;) {
      const record = this.ledger.get(at);
      if (record.epoch > 1 && record.group === at) {
        groups.set(at, [`${record.opener.instance}+` as InstanceId]);
      }
      at = record.parent;
    }
    return groups;
  }

  #outbox(vector: Vector, process: number): readonly Sent[] {
    const box = vector[PER_PROCESS * process + OUTBOX] ?? 0;
    return this.#outboxes.members(box).map((id) => this.#messages.value(id));
  }

  #process(process: number): Process {
    const found = this.processes[process];
    assert(found !== undefined, "the process exists");
    return found;
  }

  #see(...names: readonly string[]): void {
    for (const name of names) this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
  }

  #text(vector: Vector, process: number, what: string): string {
    return `${this.local(vector, process).state.local.instance} ${what}`;
  }
}

const JOIN: Offer = { key: "join", happening: { kind: "joined" }, text: "joins" };
const OUTDATED: Offer = {
  key: "outdated",
  happening: { kind: "outdated" },
  text: "sees that the store has moved past its state",
};

/** Whether a process waits for the store. */
function awaits({ state: { phase, check } }: Local): boolean {
  const isBusy = phase.kind === "reading" || phase.kind === "opening";
  return check !== undefined || (isBusy && phase.request !== undefined);
}

function describe({ from, message }: Sent): string {
  const { attempt, base } = message.header;
  return `hears the ${message.kind} of ${from.instance} in attempt ${attempt} on ${base.hash}`;
}
