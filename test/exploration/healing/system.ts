/**
 * All processes, the network and the store as one state of small numbers. The README says what is folded, and why that
 * loses nothing.
 *
 * Equal processes, sets of messages and records are given one number each, so a state is a short vector of integers,
 * compared exactly, and each different step of a process runs the core only once.
 */
import { assert } from "../../../src/core/assert.ts";
import type { Sha256 } from "../../../src/core/brand.ts";
import type { Ledger } from "../../support/healing/ledger.ts";
import { hash } from "../../support/healing/ledger.ts";
import type { Assignment } from "./assignment.ts";
import { ledgerOf } from "./assignment.ts";
import { announcement, horizonOf, isHidden, withoutHidden } from "./folding.ts";
import { Interner } from "./interner.ts";
import { Judge } from "./judge.ts";
import type { Happening, Local, Sent } from "./local.ts";
import { Network } from "./network.ts";
import { Process } from "./process.ts";

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
  readonly sent: readonly Sent[];
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
  readonly judge: Judge;
  readonly #tail: number;
  readonly #locals = new Interner<Local>();
  readonly #records = new Interner<Sha256>();
  readonly #network: Network;
  readonly #changes = new Map<string, Change | undefined>();
  readonly #saturated = new Map<string, readonly Change[]>();

  constructor(assignment: Assignment) {
    this.assignment = assignment;
    this.ledger = ledgerOf(assignment);
    this.processes = assignment.members.map(
      (member) => new Process(assignment, member, this.ledger),
    );
    this.judge = new Judge(assignment, this.ledger);
    this.#network = new Network(this.processes.map(({ name }) => name));
    this.#tail = PER_PROCESS * this.processes.length;
    this.width = this.#tail + 3;
    this.#records.number(hash("none"));
  }

  initial(): Vector {
    const vector = new Uint32Array(this.width);
    this.processes.forEach((process, at) => {
      const { local, sent } = process.initial();
      vector[PER_PROCESS * at + LOCAL] = this.#locals.number(local);
      vector[PER_PROCESS * at + OUTBOX] = this.#network.with(0, sent);
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
    return this.processes.flatMap((_, process) =>
      this.#network.members(vector[PER_PROCESS * process + OUTBOX] ?? 0).map(([, sent]) => sent),
    );
  }

  sizes(): { readonly locals: number; readonly messages: number } {
    return { locals: this.#locals.size, messages: this.#network.size };
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
      for (const [id, sent] of this.#network.members(vector[PER_PROCESS * other + OUTBOX] ?? 0)) {
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
      this.judge.see("joined late");
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
    this.judge.see(happening.kind);
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
      const opener = actor.peer(local);
      const locals = this.processes.map((_, other) => this.local(vector, other));
      this.judge.acceptance(local, opener, locals, this.head(vector));
      next[this.#tail + HEAD] = recordId;
      next[PER_PROCESS * process + ANSWER] = 2 * recordId;
    } else {
      const head = vector[this.#tail + HEAD] ?? 0;
      next[PER_PROCESS * process + ANSWER] = 2 * head + (head === recordId ? 0 : 1);
    }
    visit(next, () => this.#text(vector, process, `the store takes the swap to ${record}`));
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
    next[at + OUTBOX] = this.#outboxAfter(vector, process, change);
    this.#announce(next, local);
    this.#prune(next);
    this.judge.step(this.local(vector, process), local, this.network(vector));
    this.judge.broken.push(...change.broken);
    if (change.opened !== undefined) this.judge.opening(change.opened, this.head(vector));
    if (change.broken.length === 0 && next.every((word, i) => word === vector[i])) return;
    visit(next, () => change.texts.map((text) => this.#text(vector, process, text)).join("; "));
  }

  #isLive(vector: Vector, process: number): boolean {
    return isLive(this.local(vector, process));
  }

  /** A live member has an answer for everybody, until it goes on to something else. */
  #outboxAfter(vector: Vector, process: number, change: Change): number {
    const box = vector[PER_PROCESS * process + OUTBOX] ?? 0;
    if (!this.#isLive(vector, process)) return this.#network.with(box, change.sent);
    if (isLive(this.#locals.value(change.local))) return box;
    const attempts = this.processes.map((_, other) => this.local(vector, other).state.attempt);
    return this.#network.with(this.#network.silenced(box, attempts), change.sent);
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
    for (let process = 0; process < this.processes.length; process++) {
      const at = PER_PROCESS * process + OUTBOX;
      next[at] = this.#network.pruned(next[at] ?? 0, process, horizons);
    }
  }

  /** One step of one process, worked out once. `undefined`: it changes nothing. */
  #change(process: number, id: number, { key, happening, text }: Offer): Change | undefined {
    const at = `${process}.${id}.${key}`;
    if (this.#changes.has(at)) return this.#changes.get(at);
    const outcome = this.#process(process).happen(this.#locals.value(id), happening);
    const local = this.#locals.number(outcome.local);
    const { sent, requested, broken, seen } = outcome;
    for (const name of seen) this.judge.see(name);
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

  #process(process: number): Process {
    const found = this.processes[process];
    assert(found !== undefined, "the process exists");
    return found;
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

/** Whether a process is a member of a group that has a leader. */
function isLive({ state: { phase, local } }: Local): boolean {
  return phase.kind === "watching" && local.group?.live === true;
}

/** Whether a process waits for the store. */
function awaits({ state: { phase, check } }: Local): boolean {
  const isBusy = phase.kind === "reading" || phase.kind === "opening";
  return check !== undefined || (isBusy && phase.request !== undefined);
}

function describe({ from, message }: Sent): string {
  const { attempt, base } = message.header;
  return `hears the ${message.kind} of ${from.instance} in attempt ${attempt} on ${base.hash}`;
}
