/**
 * Admission of strangers to a port: how many handshakes run at once, how fast new ones start, and how many places one
 * address takes. TLS handshakes run on the event loop that also carries heartbeats and certificates.
 */
import { setTimeout as delay } from "node:timers/promises";
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
  /** When the next handshake may start if the burst is used up, in milliseconds of `performance.now()`. */
  #nextStart = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
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
   * `handshakeBurstMax` come at once. The wait is at most `handshakesMax / handshakesPerSecondMax` seconds.
   */
  async turn(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const intervalMs = 1000 / this.#limits.handshakesPerSecondMax;
    this.#nextStart = Math.max(this.#nextStart, now) + intervalMs;
    const waitMs = this.#nextStart - this.#limits.handshakeBurstMax * intervalMs - now;
    if (waitMs <= 0) return;
    await delay(waitMs, undefined, { signal }).catch(() => {
      throw abortReason(signal);
    });
  }

  /** @internal Called by {@link Place.leave}. */
  free(group: string): void {
    const taken = this.#places.get(group);
    assert(taken !== undefined && taken > 0, "a place is freed once");
    if (taken === 1) this.#places.delete(group);
    else this.#places.set(group, taken - 1);
  }
}

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
