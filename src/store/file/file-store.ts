/**
 * A store in a folder of a local file system, for one or several processes on one machine. It needs hard links and
 * `fsync`; a network file system that delays either is not supported.
 */
import path from "node:path";
import type { Sha256 } from "../../core/brand.ts";
import { equalBytes } from "../../core/bytes.ts";
import { QuorateError } from "../../core/errors.ts";
import { bounded, type Call } from "../bounded.ts";
import { assertDocumentFits, assertRecordFits, headAt, sha256 } from "../content.ts";
import type { CallOptions, Head, Store, SwapOutcome, Watch } from "../store.ts";
import { Documents } from "./documents.ts";
import { removeTemporary, writeTemporary } from "./durable.ts";
import { errnoOf, fileError, withFileErrors } from "./file-error.ts";
import { openFolder, type StoreFolder } from "./folder.ts";
import { watchFolder } from "./folder-watch.ts";
import { Heads } from "./heads.ts";

/** Opens the store in `folder` and makes it if there is none. Fails as {@link openFolder} does. */
export async function openFileStore(folder: string, options: CallOptions = {}): Promise<Store> {
  return bounded(
    "opening the store",
    options,
    async () => new FileStore(await openFolder(path.resolve(folder))),
  );
}

/** Errors of `link(2)` after which the new name certainly does not exist. */
const LINK_REFUSED: ReadonlySet<string | undefined> = new Set([
  ...["ENOSPC", "EDQUOT", "EMLINK", "EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR", "ELOOP"],
]);

class FileStore implements Store {
  readonly description: string;
  readonly #folder: StoreFolder;
  readonly #heads: Heads;
  readonly #documents: Documents;
  readonly #watches = new Set<Watch>();
  #closed = false;

  constructor(folder: StoreFolder) {
    this.description = `folder ${folder.root}`;
    this.#folder = folder;
    this.#heads = new Heads(folder.heads);
    this.#documents = new Documents(folder);
  }

  readHead(options: CallOptions = {}): Promise<Head | undefined> {
    return this.#run("read the head", this.#folder.heads, options, async () => {
      const head = await this.#heads.read();
      return head && { value: head.value.slice(), version: head.version };
    });
  }

  swapHead(
    expected: Head | undefined,
    next: Uint8Array,
    options: CallOptions = {},
  ): Promise<SwapOutcome> {
    // Set in the same turn that starts the one step which makes `next` the head.
    const progress = { mayHaveHappened: false };
    return this.#run(
      "swap the head",
      this.#folder.heads,
      options,
      (call) => this.#swap(call, expected, next.slice(), progress),
      (cause) => {
        if (!progress.mayHaveHappened) throw cause;
        return { outcome: "unknown", cause };
      },
    );
  }

  putDocument(bytes: Uint8Array, options: CallOptions = {}): Promise<Sha256> {
    return this.#run("keep a document", this.#folder.documents, options, async () => {
      assertDocumentFits(bytes);
      const kept = bytes.slice();
      const hash = sha256(kept);
      await this.#documents.put(hash, kept);
      return hash;
    });
  }

  getDocument(hash: Sha256, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    return this.#run("read a document", this.#folder.documents, options, () =>
      this.#documents.get(hash),
    );
  }

  watchHead(listener: () => void, options: CallOptions = {}): Promise<Watch> {
    return this.#run("watch the head", this.#folder.heads, options, async (call) => {
      const watching = await watchFolder(this.#folder.heads, () => this.#look(), listener);
      const watch: Watch = {
        close: () => {
          watching.close();
          this.#watches.delete(watch);
          return Promise.resolve();
        },
      };
      try {
        call.assertWaiting();
        this.#assertOpen();
      } catch (error) {
        watching.close();
        throw error;
      }
      this.#watches.add(watch);
      return watch;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#watches].map((watch) => watch.close()));
  }

  async #swap(
    call: Call,
    expected: Head | undefined,
    next: Uint8Array,
    progress: { mayHaveHappened: boolean },
  ): Promise<SwapOutcome> {
    assertRecordFits(next);
    const before = await this.#heads.find();
    if (before?.head.version !== expected?.version || isValue(before?.head, next))
      return settled(before?.head, next);

    const number = (before?.number ?? 0) + 1;
    const temporary = await writeTemporary(this.#folder.temporary, next);
    try {
      await this.#documents.adopt(temporary, sha256(next), next);
      call.assertWaiting();
      this.#assertOpen();
      progress.mayHaveHappened = true;
      if (await this.#append(temporary, number, progress))
        return { outcome: "committed", head: headAt(String(number), next) };
    } catch (error) {
      if (!progress.mayHaveHappened) throw error;
      return { outcome: "unknown", cause: fileError(error, "swap the head", this.#folder.heads) };
    } finally {
      await removeTemporary(temporary);
    }
    return settled((await this.#heads.find())?.head, next);
  }

  /** @returns false if another process was faster; otherwise the head is on the disk. */
  async #append(
    temporary: string,
    number: number,
    progress: { mayHaveHappened: boolean },
  ): Promise<boolean> {
    try {
      progress.mayHaveHappened = await this.#heads.append(temporary, number);
    } catch (error) {
      if (LINK_REFUSED.has(errnoOf(error))) progress.mayHaveHappened = false;
      throw error;
    }
    if (progress.mayHaveHappened) await this.#heads.settle();
    return progress.mayHaveHappened;
  }

  /** What a watch compares. */
  async #look(): Promise<string> {
    try {
      return (await this.#heads.find())?.head.version ?? "none";
    } catch (error) {
      return fileError(error, "look for the head", this.#folder.heads).message;
    }
  }

  #run<T>(
    doing: string,
    place: string,
    options: CallOptions,
    operation: (call: Call) => Promise<T>,
    whenLate?: (error: QuorateError) => T,
  ): Promise<T> {
    return bounded(
      `the attempt to ${doing}`,
      options,
      (call) =>
        withFileErrors(doing, place, () => {
          this.#assertOpen();
          return operation(call);
        }),
      whenLate,
    );
  }

  #assertOpen(): void {
    if (this.#closed) throw new QuorateError("store-unavailable", "the store is closed");
  }
}

function isValue(head: Head | undefined, value: Uint8Array): boolean {
  return head !== undefined && equalBytes(head.value, value);
}

/** The outcome when the head is known not to be the expected one. */
function settled(head: Head | undefined, next: Uint8Array): SwapOutcome {
  const copy = head && { value: head.value.slice(), version: head.version };
  return copy && isValue(copy, next)
    ? { outcome: "committed", head: copy }
    : { outcome: "conflict", head: copy };
}
