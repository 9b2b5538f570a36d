/** Collects every fault of an input, so that its author can mend all of them at once. */
import type { Fault } from "../errors.ts";
import { FAULTS_MAX } from "../limits.ts";

/** Characters of a key or value that a path or message quotes. A SHA-256 in hex fits. */
const QUOTED_MAX = 80;

/** A bounded list of faults in the order in which they were found. */
export class FaultSink {
  readonly #faults: Fault[] = [];
  #count = 0;

  /** Adds a fault. `message` reads on from the path: "must be …", "is missing". */
  add(path: string, message: string): void {
    this.#count += 1;
    if (this.#faults.length < FAULTS_MAX) this.#faults.push({ path, message });
  }

  /** How many faults were added, the unlisted ones included. */
  get count(): number {
    return this.#count;
  }

  /** The first {@link FAULTS_MAX} faults, and one more that counts the rest if there are any. */
  list(): readonly Fault[] {
    const unlisted = this.#count - this.#faults.length;
    if (unlisted === 0) return [...this.#faults];
    return [...this.#faults, { path: "$", message: `has ${unlisted} further faults` }];
  }
}

/** The JSON path of a member: `$.owners`, or `$.policies["0a1b…"]` for keys that are no plain, short words. */
export function memberPath(path: string, key: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]{0,31}$/.test(key) ? `${path}.${key}` : `${path}[${quote(key)}]`;
}

/** The JSON path of an array's item: `$.owners.keys[0]`. */
export function itemPath(path: string, index: number): string {
  return `${path}[${index}]`;
}

/** `text` in quotation marks for people: escaped, and cut if it is long. */
export function quote(text: string): string {
  const shown = text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}…` : text;
  // Control characters must not reach a terminal; JSON escapes those below U+0020 only.
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
