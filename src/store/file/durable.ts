/**
 * The few durable steps that the file store is made of. None of them overwrites a byte of an existing file, so that a
 * process that is killed between any two instructions leaves either all of a file or none of it.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, open, readdir, rename, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { TEMPORARY_FILE_AGE_MS } from "../../core/limits.ts";
import { errnoOf } from "./file-error.ts";

/** Waits until the names in `folder` are on the disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a new file in `folder`, readable by its owner only, and waits until its bytes are on the disk. */
export async function writeTemporary(folder: string, bytes: Uint8Array): Promise<string> {
  const file = path.join(folder, `${process.pid}.${randomBytes(12).toString("hex")}`);
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await removeTemporary(file);
    throw error;
  } finally {
    await handle.close();
  }
  return file;
}

/** Removes a temporary file. What can't be removed stays, as after a crash, for {@link removeLeftovers}. */
export async function removeTemporary(file: string): Promise<void> {
  await unlink(file).catch(() => undefined);
}

/**
 * Gives a finished temporary file a second, lasting name. Atomic and exclusive.
 *
 * @returns false if the name is taken.
 */
export async function publish(temporary: string, name: string): Promise<boolean> {
  try {
    await link(temporary, name);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Puts a copy of `bytes` in the place of the file `name`, atomically. */
export async function replace(folder: string, bytes: Uint8Array, name: string): Promise<void> {
  const temporary = await writeTemporary(folder, bytes);
  try {
    await rename(temporary, name);
  } catch (error) {
    await removeTemporary(temporary);
    throw error;
  }
}

/**
 * Removes temporary files that crashed processes left behind. Those of live writers are younger; should a stopped clock
 * or process make one look old all the same, its `publish` fails cleanly.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  const oldest = Date.now() - TEMPORARY_FILE_AGE_MS;
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    // Another process may be cleaning up at the same time.
    const found = await stat(file).catch(() => undefined);
    if (found?.isFile() === true && found.mtimeMs < oldest) await removeTemporary(file);
  }
}

/** A file's bytes, and what changes when another file, or other bytes, stand under its name. */
export interface FoundFile {
  readonly bytes: Uint8Array;
  readonly identity: string;
}

/**
 * Reads a regular file, at most its first `bytesMax` bytes; `undefined` if there is none. Follows no symbolic link and
 * does not wait on a pipe; anything but a regular file fails with `EISDIR`.
 */
export async function readRegularFile(
  file: string,
  bytesMax: number,
): Promise<FoundFile | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let handle;
  try {
    handle = await open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) throw Object.assign(new Error("not a regular file"), { code: "EISDIR" });
    const size = stats.size < BigInt(bytesMax) ? Number(stats.size) : bytesMax;
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return { bytes: bytes.subarray(0, filled), identity: identityOf(stats) };
  } finally {
    await handle.close();
  }
}

/** Differs between two files, and between two states of one. */
export function identityOf(stats: {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}`;
}
