/** The documents of a file store: each a file named by the SHA-256 of its bytes. */
import path from "node:path";
import type { Sha256 } from "../../core/brand.ts";
import { equalBytes } from "../../core/bytes.ts";
import { DOCUMENT_BYTES_MAX } from "../../core/limits.ts";
import { verifiedDocument } from "../content.ts";
import {
  publish,
  readRegularFile,
  removeTemporary,
  replace,
  syncFolder,
  writeTemporary,
} from "./durable.ts";
import type { StoreFolder } from "./folder.ts";

export class Documents {
  readonly #folder: StoreFolder;

  constructor(folder: StoreFolder) {
    this.#folder = folder;
  }

  /** The document's verified bytes; `undefined` if there is no such file. Fails with `store-corrupt`. */
  async get(hash: Sha256): Promise<Uint8Array | undefined> {
    // One byte over the limit is enough to give what is too large another hash.
    const found = await readRegularFile(this.#file(hash), DOCUMENT_BYTES_MAX + 1);
    return found && verifiedDocument(hash, found.bytes);
  }

  /** Keeps `bytes`, whose hash this is. On the disk when it returns. */
  async put(hash: Sha256, bytes: Uint8Array): Promise<void> {
    if (await this.#holds(hash, bytes)) {
      // The process that put it may have died before this.
      await syncFolder(this.#folder.documents);
      return;
    }
    const temporary = await writeTemporary(this.#folder.temporary, bytes);
    try {
      await this.adopt(temporary, hash, bytes);
    } finally {
      await removeTemporary(temporary);
    }
  }

  /** Like {@link put}, for bytes that are in a finished temporary file already. */
  async adopt(temporary: string, hash: Sha256, bytes: Uint8Array): Promise<void> {
    const name = this.#file(hash);
    if (!(await publish(temporary, name)) && !(await this.#holds(hash, bytes)))
      await replace(this.#folder.temporary, bytes, name);
    await syncFolder(this.#folder.documents);
  }

  async #holds(hash: Sha256, bytes: Uint8Array): Promise<boolean> {
    const found = await readRegularFile(this.#file(hash), bytes.length + 1);
    return found !== undefined && equalBytes(found.bytes, bytes);
  }

  #file(hash: Sha256): string {
    return path.join(this.#folder.documents, hash);
  }
}
