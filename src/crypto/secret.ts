/**
 * Bytes that must never be seen: seeds, private keys, shares, workload secrets.
 *
 * **Security:** JavaScript can't promise that no copy is left (the collector moves memory, native code copies), so
 * this is care, not proof: a secret can't be printed, serialized or cloned by accident, and it is zeroed when its
 * owner is done.
 */
import { inspect } from "node:util";
import { assert } from "../core/assert.ts";
import { randomBytes } from "./random.ts";

const REDACTED = "[redacted]";

/** Secret bytes behind a callback; every way of turning it into text gives `[redacted]`. */
export class Secret {
  readonly #bytes: Uint8Array;
  #uses = 0;
  #disposed = false;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Moves `bytes` into a secret: they are copied to memory of its own, and the source is **zeroed**. Works on views
   * into a larger (receive) buffer; only the view's bytes are zeroed.
   */
  static take(bytes: Uint8Array): Secret {
    const own = new Uint8Array(bytes);
    bytes.fill(0);
    return new Secret(own);
  }

  /** `length` fresh random bytes. */
  static random(length: number): Secret {
    return new Secret(randomBytes(length));
  }

  /** Number of bytes. */
  get length(): number {
    return this.#bytes.length;
  }

  /** True once {@link dispose} was called. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /**
   * Lends the bytes to `reader` and returns what it makes of them. If that is a promise, the bytes stay readable until
   * it settles, even when the secret is disposed meanwhile.
   *
   * **Security:** `reader` keeps no reference, changes nothing, and returns nothing that contains the bytes unless it
   * is itself protected.
   */
  use<T>(reader: (bytes: Uint8Array) => T): T {
    assert(!this.#disposed, "a secret is not used after it was disposed");
    this.#uses++;
    let result: T;
    try {
      result = reader(this.#bytes);
    } catch (error) {
      this.#endUse();
      throw error;
    }
    if (result instanceof Promise) {
      return result.finally(() => {
        this.#endUse();
      }) as T;
    }
    this.#endUse();
    return result;
  }

  /** Zeroes the bytes, at once or when the last running {@link use} ends. Idempotent; later uses are faults. */
  dispose(): void {
    this.#disposed = true;
    if (this.#uses === 0) this.#bytes.fill(0);
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }

  #endUse(): void {
    this.#uses--;
    if (this.#disposed && this.#uses === 0) this.#bytes.fill(0);
  }
}
