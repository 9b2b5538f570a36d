/** Keys of records that may become the head next, given by the coordinators that made them (DESIGN section 8, step 2). */
import type { InstanceId, Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { PREPARES_MAX } from "../core/limits.ts";
import type { Secret } from "../crypto/index.ts";

/** One prepared record. */
interface Prepare {
  readonly record: Sha256;
  /** PKCS#8 of its mesh CA key. */
  readonly meshCaKey: Secret;
}

/**
 * Prepares on top of the record in force. One for each author: an instance makes its changes one at a time, and prepares
 * another one only once it knows that the one before it can't become true any more.
 */
export class Prepares {
  readonly #byAuthor = new Map<InstanceId, Prepare>();

  /**
   * Keeps a key that was checked to be the record's; takes over the secret.
   *
   * @throws QuorateError `resource-exhausted`
   */
  keep(author: InstanceId, prepare: Prepare): void {
    const earlier = this.#byAuthor.get(author);
    if (earlier === undefined && this.#byAuthor.size >= PREPARES_MAX) {
      prepare.meshCaKey.dispose();
      throw new QuorateError("resource-exhausted", "too many changes are prepared at once", {
        hint: "repeat the call once one of them is in force",
      });
    }
    earlier?.meshCaKey.dispose();
    this.#byAuthor.set(author, prepare);
  }

  /** The key of a record; `undefined` if it was not prepared here. Stays this object's. */
  keyOf(record: Sha256): Secret | undefined {
    for (const prepare of this.#byAuthor.values())
      if (prepare.record === record) return prepare.meshCaKey;
    return undefined;
  }

  /** The prepared records. */
  records(): readonly Sha256[] {
    return [...this.#byAuthor.values()].map(({ record }) => record);
  }

  /** The record that they are on top of is succeeded: none of them can become true any more, or one just did. */
  drop(): void {
    for (const { meshCaKey } of this.#byAuthor.values()) meshCaKey.dispose();
    this.#byAuthor.clear();
  }
}
