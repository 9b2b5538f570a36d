/**
 * Admission of strangers to a port: how many handshakes run at once, how fast new ones start, and how many places one
 * address takes. TLS handshakes run on the event loop that also carries heartbeats and certificates.
 */
import { assert } from "../core/assert.ts";
import { toHex } from "../core/bytes.ts";
import { parseIpAddress } from "../core/manifest/ip-address.ts";
import { abortReason } from "./abort.ts";

/** Bounds of one port. */
export interface AdmissionLimits {
  readonly handshakesMax: number;
  readonly handshakesPerSecondMax: number;
  readonly handshakeBurstMax: number;
  readonly strangersPerAddressMax: number;
}

/** Why a connection was not let in. */
export type Rejection = "handshakes" | "address";

/** A stranger's place: one of its address's places until {@link leave}, and a handshake until {@link settle}. */
export class Place {
  readonly #admission: Admission;
  readonly #group: string;
  #handshaking = true;
  #left = false;

  /** @internal Made by {@link Admission.enter}. */
  constructor(admission: Admission, group: string) {
    this.#admission = admission;
    this.#group = group;
  }

  /** The handshake is over; the stranger stays. Idempotent. */
  settle(): void {
    if (!this.#handshaking) return;
    this.#handshaking = false;
    this.#admission.handshakes--;
  }

  /** The stranger has gone, or is none any more. Idempotent. */
  leave(): void {
    this.settle();
    if (this.#left) return;
    this.#left = true;
    this.#admission.free(this.#group);
  }
}

/** Counts strangers and paces their handshakes. */
export class Admission {
  /** Handshakes in progress. */
  handshakes = 0;
  readonly #limits: AdmissionLimits;
  readonly #places = new Map<string, number>();
  readonly #intervalMs: number;
  /** Handshakes that wait for their turn, in order; at most `handshakesMax`. */
  readonly #waiting = new Set<() => void>();
  /** When all turns given so far are paid for at the full rate, in milliseconds of `performance.now()`. */
  #paid = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
    this.#intervalMs = 1000 / limits.handshakesPerSecondMax;
  }

  /** A place for a connection from this IP address, or why there is none. */
  enter(address: string): Place | Rejection {
    if (this.handshakes >= this.#limits.handshakesMax) return "handshakes";
    const group = addressGroup(address);
    const taken = this.#places.get(group) ?? 0;
    if (taken >= this.#limits.strangersPerAddressMax) return "address";
    this.#places.set(group, taken + 1);
    this.handshakes++;
    return new Place(this, group);
  }

  /**
   * Waits for this handshake's turn. Turns are given in order, `handshakesPerSecondMax` a second; after a quiet time
   * `handshakeBurstMax` come at once. While the event loop is late, they come more slowly: strangers yield to what
   * this process has to do for others.
   *
   * @throws the signal's reason
   */
  async turn(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size === 0 && this.#nextTurn() <= performance.now()) {
      this.#pay(0);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(start);
        if (this.#waiting.size === 0) this.#unschedule();
        reject(abortReason(signal));
      };
      const start = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      if (signal.aborted) {
        abort();
        return;
      }
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.add(start);
      this.#schedule();
    });
  }

  /** @internal Called by {@link Place.leave}. */
  free(group: string): void {
    const taken = this.#places.get(group);
    assert(taken !== undefined && taken > 0, "a place is freed once");
    if (taken === 1) this.#places.delete(group);
    else this.#places.set(group, taken - 1);
  }

  #nextTurn(): number {
    return this.#paid - (this.#limits.handshakeBurstMax - 1) * this.#intervalMs;
  }

  #pay(extraMs: number): void {
    this.#paid = Math.max(this.#paid, performance.now()) + this.#intervalMs + extraMs;
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    const due = Math.max(this.#nextTurn(), performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const [start] = this.#waiting;
      assert(start !== undefined, "a turn is scheduled only while somebody waits");
      const lateMs = Math.max(0, performance.now() - due - TIMER_SLACK_MS);
      this.#pay(LATENESS_FACTOR * lateMs);
      this.#waiting.delete(start);
      start();
      if (this.#waiting.size > 0) this.#schedule();
    }, due - performance.now());
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** A timer's ordinary lateness. */
const TIMER_SLACK_MS = 2;
/** Each millisecond of lateness is paid for with so many of waiting: strangers get a quarter of a busy loop at most. */
const LATENESS_FACTOR = 3;

/**
 * The addresses that count as one: an IPv4 address (also in its IPv6 form), or an IPv6 network of 64 bits, which is
 * what one host usually has to choose from.
 */
export function addressGroup(address: string): string {
  const [text = ""] = address.split("%");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  const bytes = parseIpAddress(text);
  if (mapped !== undefined || bytes?.length !== IPV6_BYTES) return mapped ?? text;
  return `${toHex(bytes.subarray(0, IPV6_NETWORK_BYTES))}/64`;
}

const IPV6_BYTES = 16;
const IPV6_NETWORK_BYTES = 8;
