/**
 * A set of integer vectors of one length with the predecessor of each, in typed arrays: about 40 bytes a state. The
 * hash only finds the place; vectors are compared whole, so no state is ever mistaken for another.
 */
export class StateTable {
  readonly #width: number;
  #words: Uint32Array;
  #parents: Int32Array;
  #slots: Int32Array;
  #size = 0;

  constructor(width: number) {
    this.#width = width;
    this.#words = new Uint32Array(width * 1024);
    this.#parents = new Int32Array(1024);
    this.#slots = new Int32Array(2048);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a vector unless it is there. @returns its index. */
  add(vector: Uint32Array, parent: number): number {
    let slot = this.#hash(vector, 0);
    for (;;) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0) break;
      if (this.#equals(found - 1, vector)) return found - 1;
      slot = (slot + 1) & (this.#slots.length - 1);
    }
    const index = this.#size++;
    if (this.#size > this.#parents.length) this.#growStates();
    this.#words.set(vector, index * this.#width);
    this.#parents[index] = parent;
    this.#slots[slot] = index + 1;
    if (this.#size * 2 > this.#slots.length) this.#growSlots();
    return index;
  }

  vector(index: number): Uint32Array {
    return this.#words.slice(index * this.#width, (index + 1) * this.#width);
  }

  /** The state from which this one was first reached, -1 for the first. */
  parent(index: number): number {
    return this.#parents[index] ?? -1;
  }

  #equals(index: number, vector: Uint32Array): boolean {
    const start = index * this.#width;
    for (let i = 0; i < this.#width; i++) if (this.#words[start + i] !== vector[i]) return false;
    return true;
  }

  #hash(words: Uint32Array, start: number): number {
    let h = 0x9e37_79b9;
    for (let i = 0; i < this.#width; i++) {
      h = Math.imul(h ^ (words[start + i] ?? 0), 0x85eb_ca6b);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0xc2b2_ae35);
    return (h ^ (h >>> 13)) & (this.#slots.length - 1);
  }

  #growStates(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    const parents = new Int32Array(this.#parents.length * 2);
    parents.set(this.#parents);
    this.#parents = parents;
  }

  #growSlots(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let index = 0; index < this.#size; index++) {
      let slot = this.#hash(this.#words, index * this.#width);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
      this.#slots[slot] = index + 1;
    }
  }
}
