/** Numbers for equal values, so that states can be vectors of small integers. */

/** Gives equal values (by their JSON) one number each, from 0. */
export class Interner<T> {
  readonly #numbers = new Map<string, number>();
  readonly #values: T[] = [];
  /** The same object is asked for again and again. */
  readonly #byIdentity = new Map<T, number>();

  number(value: T): number {
    const same = this.#byIdentity.get(value);
    if (same !== undefined) return same;
    const key = JSON.stringify(value);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#values.push(value) - 1;
      this.#numbers.set(key, number);
      this.#byIdentity.set(value, number);
    }
    return number;
  }

  value(number: number): T {
    const value = this.#values[number];
    if (value === undefined) throw new RangeError(`nothing has the number ${number}`);
    return value;
  }

  get size(): number {
    return this.#values.length;
  }
}

/** Sets of numbers, numbered themselves; set 0 is empty. */
export class NumberSets {
  readonly #sets = new Interner<readonly number[]>();

  constructor() {
    this.number([]);
  }

  number(members: readonly number[]): number {
    return this.#sets.number([...members].sort((a, b) => a - b));
  }

  /** The set with one more member. */
  with(set: number, member: number): number {
    const members = this.members(set);
    return members.includes(member) ? set : this.number([...members, member]);
  }

  members(set: number): readonly number[] {
    return this.#sets.value(set);
  }
}
