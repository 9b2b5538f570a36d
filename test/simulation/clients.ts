/** Clients of the registers: each does one operation after the other, and everything they see goes into a history. */
import type { Prng } from "../../src/core/prng.ts";
import type { ProposalResult } from "../../src/core/raft/index.ts";
import type { Host } from "./host.ts";
import type { Action, Operation } from "./linearizability/history.ts";
import { encodeCommand, type Command } from "./register-machine.ts";
import type { World } from "./world.ts";

/** An operation that a client waits for. */
interface Attempt {
  readonly client: number;
  readonly host: Host;
  readonly calledAt: number;
  readonly register: number;
  /** Undefined for a read. */
  readonly command: Command | undefined;
  /** Of a read: the index from which it may be answered. */
  index: number | undefined;
  /** Told what became of it. */
  readonly done: (outcome: Outcome) => void;
}

/** `refused`: nothing happened. `unknown`: it may happen at any time. */
export type Outcome = "answered" | "refused" | "unknown";

/** Values are unique: a client's number above its operation's. */
const SEQUENCES_MAX = 1_000_000;

/** All clients of one world. */
export class Clients {
  readonly history: Operation[] = [];
  readonly #world: World;
  readonly #prng: Prng;
  /** By the number of the proposal or read. */
  readonly #attempts = new Map<number, Attempt>();
  /** Reads that wait until their host has applied enough. */
  readonly #waiting = new Map<Host, Set<number>>();
  readonly #sequences: number[];
  /** Values seen lately by register: what a swap may expect. */
  readonly #seen = new Map<number, number>();
  #moments = 0;
  #isStopped = false;

  constructor(world: World) {
    this.#world = world;
    this.#prng = world.prng.fork();
    this.#sequences = Array.from({ length: world.options.clients }, () => 0);
    for (const client of this.#sequences.keys()) this.#thinkOf(client);
  }

  /** No client begins anything any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Operations that a client still waits for. */
  get outstanding(): number {
    return this.#attempts.size;
  }

  /** Begins one operation at `host`, which must be idle; false if it was refused at once. */
  begin(
    client: number,
    host: Host,
    kind: "write" | "swap" | "read",
    done: Attempt["done"],
  ): boolean {
    const register = this.#prng.int(0, this.#world.options.registers - 1);
    const calledAt = ++this.#moments;
    const command = kind === "read" ? undefined : this.#command(client, register, kind);
    const attempt: Attempt = { client, host, calledAt, register, command, index: undefined, done };
    const number = this.#world.requests.next();
    const isPending =
      command === undefined ? this.#read(number, attempt) : this.#propose(number, attempt, command);
    // A single voter answers within the call.
    host.work();
    return isPending;
  }

  /** Everybody writes at once, `times` in all, if `host` is idle. */
  rush(host: Host, times: number): void {
    const ignore = (): void => undefined;
    for (let time = 0; time < times && host.isIdle; time++) {
      this.begin(time % this.#sequences.length, host, "write", ignore);
    }
  }

  onProposal(host: Host, result: ProposalResult): void {
    const attempt = this.#attempts.get(result.id);
    if (attempt?.command === undefined) return;
    const { client, sequence, value } = attempt.command;
    const { proposals } = this.#world.checks;
    switch (result.outcome) {
      case "committed":
        proposals.onCommitted(value, result.index);
        this.#end(result.id, attempt, host.machine.foundBy(client, sequence));
        return;
      case "not-proposed":
        proposals.onRefused(value);
        this.#forget(result.id, attempt, "refused");
        return;
      case "unknown":
        this.#end(result.id, attempt, undefined);
        return;
    }
  }

  onRead(host: Host, context: number, index: number | undefined): void {
    const attempt = this.#attempts.get(context);
    if (attempt === undefined || attempt.index !== undefined) return;
    if (index === undefined) {
      this.#forget(context, attempt, "refused");
      return;
    }
    attempt.index = index;
    const waiting = this.#waiting.get(host);
    if (waiting === undefined) this.#waiting.set(host, new Set([context]));
    else waiting.add(context);
    this.onApplied(host);
  }

  /** Answers the reads that waited for what `host` has applied. */
  onApplied(host: Host): void {
    const waiting = this.#waiting.get(host);
    if (waiting === undefined || waiting.size === 0) return;
    for (const number of waiting) {
      const attempt = this.#attempts.get(number);
      if (attempt?.index !== undefined && attempt.index > host.applied) continue;
      waiting.delete(number);
      if (attempt !== undefined) {
        this.#end(number, attempt, host.machine.read(attempt.register));
      }
    }
  }

  #thinkOf(client: number): void {
    const pause = -Math.log(1 - this.#prng.float()) * this.#world.options.thinkMicros;
    this.#world.after(Math.ceil(pause), () => {
      if (this.#isStopped) return;
      const host = this.#pickHost();
      const kind = this.#prng.pick(["write", "swap", "read", "read"] as const);
      const again = (): void => this.#thinkOf(client);
      if (host === undefined || !this.begin(client, host, kind, again)) again();
    });
  }

  #pickHost(): Host | undefined {
    const idle = [...this.#world.hosts.values()].filter((host) => host.isIdle);
    const leading = idle.filter((host) => host.raft.role === "leader");
    if (idle.length === 0) return undefined;
    return this.#prng.pick(leading.length > 0 && this.#prng.chance(0.6) ? leading : idle);
  }

  #command(client: number, register: number, kind: "write" | "swap"): Command {
    const sequence = (this.#sequences[client] ?? 0) + 1;
    this.#sequences[client] = sequence;
    const value = client * SEQUENCES_MAX + sequence;
    const expected = this.#seen.get(register) ?? 0;
    return { kind, register, client, sequence, value, expected };
  }

  #propose(number: number, attempt: Attempt, command: Command): boolean {
    const { host } = attempt;
    const size = this.#prng.int(0, this.#world.options.payloadBytesMax);
    const outcome = host.raft.propose(number, encodeCommand(command, size));
    if (outcome.kind === "refused") {
      this.#world.checks.proposals.onRefused(command.value);
      return false;
    }
    this.#world.requests.onPending(number, host);
    this.#await(number, attempt);
    return true;
  }

  #read(number: number, attempt: Attempt): boolean {
    this.#world.checks.reads.onCall(number, this.#world.checks.logs.commit);
    const outcome = attempt.host.raft.readIndex(number);
    if (outcome.kind === "refused") return false;
    this.#await(number, attempt);
    return true;
  }

  /** A client waits for a few election timeouts, then takes the outcome for unknown. */
  #await(number: number, attempt: Attempt): void {
    this.#attempts.set(number, attempt);
    const patience = this.#world.ticks(5 * this.#world.options.electionTimeoutTicks);
    this.#world.after(patience, () => {
      if (this.#attempts.get(number) === attempt) this.#end(number, attempt, undefined);
    });
  }

  /** The operation ends with the value that it found; undefined if that is unknown. */
  #end(number: number, attempt: Attempt, found: number | undefined): void {
    const { register, command, calledAt } = attempt;
    if (found !== undefined) this.#seen.set(register, found);
    if (command?.kind === "write" && found !== undefined) this.#seen.set(register, command.value);
    const action = actionOf(command, found);
    if (action !== undefined) {
      const returnedAt = found === undefined ? Infinity : ++this.#moments;
      this.history.push({ register, action, calledAt, returnedAt });
      this.#world.tally.count(found === undefined ? "operations unknown" : "operations answered");
    }
    this.#forget(number, attempt, found === undefined ? "unknown" : "answered");
  }

  #forget(number: number, attempt: Attempt, outcome: Outcome): void {
    this.#attempts.delete(number);
    attempt.done(outcome);
  }
}

/** What a client saw; undefined for a read without an answer, which says nothing. */
function actionOf(command: Command | undefined, found: number | undefined): Action | undefined {
  if (command === undefined) {
    return found === undefined ? undefined : { kind: "read", returned: found };
  }
  const { kind, value, expected } = command;
  if (kind === "write") return { kind: "write", value };
  if (found === undefined) return { kind: "swap-unanswered", expected, value };
  return { kind: "swap", expected, value, found };
}
