/** The replicated state machine of the simulation: registers, with the last operation of every client remembered. */
import type { Entry } from "../../src/core/raft/index.ts";
import type { Value } from "./linearizability/history.ts";

/** A write, or a compare-and-swap, as it stands in the log. */
export interface Command {
  readonly kind: "write" | "swap";
  readonly register: number;
  readonly client: number;
  /** Grows with each operation of a client; one that is not above the last applied has no effect. */
  readonly sequence: number;
  readonly value: Value;
  /** Of a swap. */
  readonly expected: Value;
}

const FIELDS = 6;

/** The command's bytes, filled up to `sizeBytes`. */
export function encodeCommand(command: Command, sizeBytes: number): Uint8Array {
  const { kind, register, client, sequence, value, expected } = command;
  const bytes = new Uint8Array(Math.max(FIELDS * 4, sizeBytes));
  const fields = [kind === "write" ? 0 : 1, register, client, sequence, value, expected];
  new Int32Array(bytes.buffer, 0, FIELDS).set(fields);
  return bytes;
}

/** Undefined for an entry without a command: a leader's first, or a membership change. */
export function decodeCommand(entry: Entry): Command | undefined {
  if (entry.kind !== "normal" || entry.data.length === 0) return undefined;
  const [kind = 0, register = 0, client = 0, sequence = 0, value = 0, expected = 0] =
    new Int32Array(entry.data.buffer, entry.data.byteOffset, FIELDS);
  return { kind: kind === 0 ? "write" : "swap", register, client, sequence, value, expected };
}

interface Session {
  sequence: number;
  /** The register's value before the command took effect. */
  found: Value;
}

/** Registers at one node, or the reference outside of all nodes. */
export class RegisterMachine {
  #registers = new Map<number, Value>();
  #sessions = new Map<number, Session>();
  /** Depends on every entry applied so far and their order. */
  #digest = 0;

  get digest(): number {
    return this.#digest;
  }

  apply(entry: Entry): void {
    const command = decodeCommand(entry);
    this.#digest = mix(mix(this.#digest, entry.index), entry.term);
    if (command === undefined) return;
    const { kind, register, client, sequence, value, expected } = command;
    this.#digest = mix(mix(this.#digest, value), expected);
    const session = this.#sessions.get(client);
    // Its client gave up on it and went on.
    if (session !== undefined && sequence <= session.sequence) return;
    const found = this.read(register);
    this.#sessions.set(client, { sequence, found });
    if (kind === "write" || found === expected) this.#registers.set(register, value);
  }

  read(register: number): Value {
    return this.#registers.get(register) ?? 0;
  }

  /** What the client's command found, if it was the last of this client; else undefined. */
  foundBy(client: number, sequence: number): Value | undefined {
    const session = this.#sessions.get(client);
    return session?.sequence === sequence ? session.found : undefined;
  }

  snapshot(): Uint8Array {
    const numbers = [this.#digest, this.#registers.size];
    for (const [register, value] of this.#registers) numbers.push(register, value);
    for (const [client, { sequence, found }] of this.#sessions) {
      numbers.push(client, sequence, found);
    }
    return new Uint8Array(Int32Array.from(numbers).buffer);
  }

  restore(snapshot: Uint8Array): void {
    const numbers = new Int32Array(snapshot.slice().buffer);
    this.#digest = numbers[0] ?? 0;
    this.#registers = new Map();
    this.#sessions = new Map();
    let at = 2;
    for (let left = numbers[1] ?? 0; left > 0; left--, at += 2) {
      this.#registers.set(numbers[at]!, numbers[at + 1]!);
    }
    for (; at < numbers.length; at += 3) {
      this.#sessions.set(numbers[at]!, { sequence: numbers[at + 1]!, found: numbers[at + 2]! });
    }
  }
}

/** One step of a 32-bit hash (the finalizer of MurmurHash3 over a sum). */
export function mix(hash: number, value: number): number {
  let z = (Math.imul(hash, 31) + value) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
  return (z ^ (z >>> 13)) | 0;
}
