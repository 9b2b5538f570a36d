/**
 * The heads of a file store: immutable files `head.<n>`, of which the highest n is the head.
 *
 * A swap adds the file n + 1 by `link(2)`, which fails if another process was faster: that is the whole
 * compare-and-swap. It is sound only because no n is ever used twice, so old heads are never removed. They cost a name
 * each: their bytes are shared with the record's document.
 */
import { stat } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { QuorateError } from "../../core/errors.ts";
import { RECORD_BYTES_MAX } from "../../core/limits.ts";
import { headAt } from "../content.ts";
import type { Head } from "../store.ts";
import { identityOf, publish, readRegularFile, syncFolder } from "./durable.ts";
import { errnoOf } from "./file-error.ts";

/** A head and the file that it was found in. */
export interface NumberedHead {
  readonly number: number;
  readonly head: Head;
}

interface Found extends NumberedHead {
  readonly identity: string;
}

/** Attempts to read a head that vanishes between listing and opening: only someone who deletes heads causes that. */
const ATTEMPTS_MAX = 3;

export class Heads {
  readonly #folder: string;
  /** The last head found and known to be on the disk. */
  #last: Found | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The newest head, on the disk. Costs two `stat` calls while nothing changes: the known head is still there, and
   * its successor, whose name can be foretold, is not.
   */
  async read(): Promise<Head | undefined> {
    const last = this.#last;
    if (last !== undefined && (await this.#isNewest(last))) return last.head;
    return (await this.find())?.head;
  }

  /**
   * The newest head, on the disk, by listing the folder. Notices also what only someone who deletes heads can cause: a
   * higher number behind a gap.
   */
  async find(): Promise<NumberedHead | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const number = highest(await readdir(this.#folder));
      if (number === 0) return undefined;
      // One byte over the limit is enough to make what is too large no record.
      const file = await readRegularFile(this.#file(number), RECORD_BYTES_MAX + 1);
      if (file === undefined) continue;
      if (file.identity !== this.#last?.identity || number !== this.#last.number) {
        // The process that made it may have died before this: nobody may act on a head that a power cut could undo.
        await this.settle();
        this.#last = {
          number,
          identity: file.identity,
          head: headAt(String(number), file.bytes),
        };
      }
      return this.#last;
    }
    throw new QuorateError(
      "store-unavailable",
      `heads vanish while they are read: ${this.#folder}`,
      {
        hint: "stop whatever deletes files from the store",
      },
    );
  }

  /**
   * Makes the finished temporary file the head with this number. Not necessarily on the disk before {@link settle}.
   *
   * @returns false if another process was faster.
   */
  append(temporary: string, number: number): Promise<boolean> {
    return publish(temporary, this.#file(number));
  }

  /** Waits until every appended head is on the disk. */
  settle(): Promise<void> {
    return syncFolder(this.#folder);
  }

  async #isNewest(found: Found): Promise<boolean> {
    const [identity, successor] = await Promise.all([
      currentIdentity(this.#file(found.number)),
      currentIdentity(this.#file(found.number + 1)),
    ]);
    return identity === found.identity && successor === ABSENT;
  }

  #file(number: number): string {
    return path.join(this.#folder, `head.${number}`);
  }
}

function highest(names: readonly string[]): number {
  let number = 0;
  for (const name of names) {
    const digits = /^head\.([1-9][0-9]{0,14})$/.exec(name)?.[1];
    if (digits !== undefined) number = Math.max(number, Number(digits));
  }
  return number;
}

/** What {@link currentIdentity} says only of a file that is certainly not there. */
const ABSENT = "absent";

/** Any error but `ENOENT` gives a value that confirms nothing: {@link Heads.find} then says what is wrong. */
function currentIdentity(file: string): Promise<string> {
  return new Promise((resolve) => {
    stat(file, { bigint: true }, (error, stats) => {
      if (error === null) resolve(identityOf(stats));
      else resolve(errnoOf(error) === "ENOENT" ? ABSENT : "unknown");
    });
  });
}
