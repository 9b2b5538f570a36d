/**
 * A small seeded generator for the deterministic cores and their simulators: xoshiro128** 1.1 (Blackman and Vigna),
 * its state filled from the seed by SplitMix32. The same seed gives the same numbers on every platform.
 *
 * **Security:** predictable by design. Never for keys, serials or nonces.
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param seed any integer; its lowest 32 bits and the next 21 both count. */
  constructor(seed: number) {
    let state = (seed >>> 0) ^ Math.imul(Math.floor(Math.abs(seed) / 0x1_0000_0000), 0x9e37_79b9);
    const splitMix = (): number => {
      state = (state + 0x9e37_79b9) | 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    this.#a = splitMix();
    this.#b = splitMix();
    this.#c = splitMix();
    this.#d = splitMix();
  }

  /** An unsigned 32-bit integer. */
  next(): number {
    const out = Math.imul(rotl(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = rotl(this.#d, 11);
    return out;
  }

  /** A number in [0, 1). */
  float(): number {
    return this.next() / 0x1_0000_0000;
  }

  /** An integer in [low, high], both included. The bias (below 2⁻³² times the width) does not matter here. */
  int(low: number, high: number): number {
    return low + Math.floor(this.float() * (high - low + 1));
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.float() < p;
  }

  /** An element of a list that is not empty. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.int(0, items.length - 1)];
    if (item === undefined) throw new RangeError("pick needs a list that is not empty");
    return item;
  }

  /** An independent generator, its seed drawn from this one. */
  fork(): Prng {
    return new Prng(this.next());
  }
}

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}
