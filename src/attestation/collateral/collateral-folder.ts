/**
 * The collateral cache on disk: one file per piece, in the form of collateral files. So a cache folder can be copied
 * to a machine without a network, and `quorate evidence verify --collateral` takes it as it is.
 *
 * **Security:** the disk is the host's; what is read is as untrusted as what is fetched.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { QuorateError } from "../../core/errors.ts";
import { COLLATERAL_CACHE_ENTRIES_MAX, COLLATERAL_FILE_BYTES_MAX } from "../../core/limits.ts";
import type { Collateral } from "../verification.ts";
import { formatCollateralFile, parseCollateralFile } from "./collateral-file.ts";
import { type CollateralNeed, needName } from "./collateral-need.ts";
import { type CollateralPiece, pieceFor } from "./collateral-piece.ts";

/** A piece, and when it was stored. */
export interface StoredPiece extends CollateralPiece {
  /** Milliseconds since the Unix epoch, by the file's date. */
  readonly storedAt: number;
}

/** See the file's comment. At most `COLLATERAL_CACHE_ENTRIES_MAX` files; the oldest make room. */
export class CollateralFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** The piece for `need`. A file that cannot be read as one is removed, and counts as absent. Never rejects. */
  async load(need: CollateralNeed): Promise<StoredPiece | undefined> {
    const file = this.#fileOf(need);
    const found = await readBounded(file);
    if (found === undefined) return undefined;
    const parsed = found.bytes === undefined ? undefined : parseCollateralFile(found.bytes);
    const piece = parsed?.ok === true ? pieceFor(need, parsed.value) : undefined;
    if (piece?.ok === true) return { ...piece.value, storedAt: found.modifiedAt };
    // On a disk that takes no changes it stays, and counts as absent each time.
    await rm(file, { force: true, recursive: true }).catch(() => undefined);
    return undefined;
  }

  /** Stores a piece. A crash leaves the old file or the new one. Fails with `unavailable` if the disk refuses. */
  async store(need: CollateralNeed, collateral: Collateral): Promise<void> {
    const file = this.#fileOf(need);
    const temporary = `${file}.${randomBytes(8).toString("hex")}.tmp`;
    try {
      await mkdir(this.#path, { recursive: true, mode: 0o700 });
      await writeFile(temporary, formatCollateralFile(collateral), { flag: "wx", mode: 0o600 });
      await rename(temporary, file);
      await this.#makeRoom();
    } catch (cause) {
      // Whatever hindered the writing may hinder this; a leftover is removed as the oldest file one day.
      await rm(temporary, { force: true }).catch(() => undefined);
      throw new QuorateError("unavailable", `collateral cannot be kept in ${this.#path}`, {
        hint: "check that the folder can be written and its disk is not full; the service works without it",
        cause,
      });
    }
  }

  #fileOf(need: CollateralNeed): string {
    return join(this.#path, `${needName(need)}.json`);
  }

  async #makeRoom(): Promise<void> {
    const names = await readdir(this.#path);
    if (names.length <= COLLATERAL_CACHE_ENTRIES_MAX) return;
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#path, name);
        // Somebody else may have removed it meanwhile: then it is as old as can be.
        const modifiedAt = await stat(path).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        );
        return { path, modifiedAt };
      }),
    );
    files.sort((a, b) => a.modifiedAt - b.modifiedAt);
    const surplus = files.slice(0, files.length - COLLATERAL_CACHE_ENTRIES_MAX);
    await Promise.all(surplus.map(({ path }) => rm(path, { force: true, recursive: true })));
  }
}

/** A file's content and date; `bytes` is `undefined` if it is no regular file of acceptable size. */
async function readBounded(
  path: string,
): Promise<{ readonly bytes: Uint8Array | undefined; readonly modifiedAt: number } | undefined> {
  try {
    const handle = await open(path, "r");
    try {
      const stats = await handle.stat();
      const isAcceptable = stats.isFile() && stats.size <= COLLATERAL_FILE_BYTES_MAX;
      if (!isAcceptable) return { bytes: undefined, modifiedAt: stats.mtimeMs };
      const buffer = new Uint8Array(stats.size);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
      return { bytes: buffer.subarray(0, bytesRead), modifiedAt: stats.mtimeMs };
    } finally {
      await handle.close();
    }
  } catch {
    // Absent or unreadable: the cache just doesn't have it.
    return undefined;
  }
}
