/**
 * The folder of a file store:
 *
 * ```
 * FORMAT              says that this is one, and of which version; written last when the folder is made
 * heads/head.<n>      the n-th head, n = 1, 2, …; the highest n is the head
 * documents/<sha256>
 * temporary/          files being written
 * ```
 */
import { constants } from "node:fs";
import { access, mkdir, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { utf8, equalBytes } from "../../core/bytes.ts";
import { QuorateError } from "../../core/errors.ts";
import {
  publish,
  readRegularFile,
  removeLeftovers,
  removeTemporary,
  syncFolder,
  writeTemporary,
} from "./durable.ts";
import { errnoOf, withFileErrors } from "./file-error.ts";

/** Absolute paths of the parts. */
export interface StoreFolder {
  readonly root: string;
  readonly heads: string;
  readonly documents: string;
  readonly temporary: string;
}

const FORMAT = utf8("quorate file store 1\n");
const FORMAT_PREFIX = "quorate file store ";
const PARTS = ["heads", "documents", "temporary"] as const;
/** A fresh ext4 volume has this folder at its root; a volume is often mounted for nothing but the store. */
const IGNORED = "lost+found";

/**
 * Opens the folder, or makes it if it is missing (its parent must exist) or empty, and removes leftovers of crashes.
 * Safe while other processes do the same.
 *
 * Fails with `store-foreign` (it holds something else), `store-permission` (others may write to it, or this user
 * may not), `store-corrupt` (a part is missing), `unsupported` (a newer format), `store-full`, `store-unavailable`.
 *
 * **Security:** nothing is trusted because it is in this folder. A folder that every user of the machine may write to
 * is refused nevertheless: it would let any of them stop the coordinator.
 */
export async function openFolder(root: string): Promise<StoreFolder> {
  const folder: StoreFolder = {
    root,
    heads: path.join(root, "heads"),
    documents: path.join(root, "documents"),
    temporary: path.join(root, "temporary"),
  };
  await withFileErrors("open the store's folder", root, async () => {
    await makeOrCheckRoot(root);
    if (!(await hasMarker(root))) await fill(folder);
    await checkParts(folder);
    // Whoever made the marker may have died before this.
    await syncFolder(root);
    await removeLeftovers(folder.temporary);
  });
  return folder;
}

async function makeOrCheckRoot(root: string): Promise<void> {
  const isNew = await makeFolder(root);
  try {
    // Also for an existing one: the process that made it may have died before this.
    await syncFolder(path.dirname(root));
  } catch (error) {
    // A parent that its owner lets nobody list was not made by a coordinator.
    if (isNew || errnoOf(error) !== "EACCES") throw error;
  }
  const stats = await stat(root);
  if (!stats.isDirectory())
    throw new QuorateError("store-foreign", `this is not a folder: ${root}`, {
      hint: "name a folder for the store, existing or not",
    });
  if ((stats.mode & constants.S_IWOTH) !== 0)
    throw new QuorateError("store-permission", `every user may write to this folder: ${root}`, {
      hint: `close it with: chmod o-w ${root}`,
    });
}

/** @returns false if it exists already. */
async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function hasMarker(root: string): Promise<boolean> {
  const file = path.join(root, "FORMAT");
  const found = await readRegularFile(file, 4096);
  if (found === undefined) return false;
  if (equalBytes(found.bytes, FORMAT)) return true;
  if (new TextDecoder().decode(found.bytes).startsWith(FORMAT_PREFIX))
    throw new QuorateError("unsupported", `a newer version made this store: ${root}`, {
      hint: "use that version of Quorate, or a newer one",
    });
  throw new QuorateError("store-foreign", `this does not mark a Quorate store: ${file}`, {
    hint: "name another folder, or restore the file from a backup if this is a damaged store",
  });
}

/** Makes the parts, then the marker: a crash in between leaves a folder that the next opening completes. */
async function fill(folder: StoreFolder): Promise<void> {
  await assertFillable(folder);
  for (const part of PARTS) await makeFolder(folder[part]);
  await syncFolder(folder.root);
  const temporary = await writeTemporary(folder.temporary, FORMAT);
  try {
    // Should another process have been faster, its marker is the same.
    await publish(temporary, path.join(folder.root, "FORMAT"));
  } finally {
    await removeTemporary(temporary);
  }
}

async function assertFillable(folder: StoreFolder): Promise<void> {
  const found = await readdir(folder.root);
  const known = new Set<string>([...PARTS, IGNORED, "FORMAT"]);
  if (!found.every((name) => known.has(name)))
    throw new QuorateError("store-foreign", `the folder holds something else: ${folder.root}`, {
      hint: "name an empty folder, or one that does not exist yet",
    });
  for (const part of ["heads", "documents"] as const) {
    const isUsed = found.includes(part) && (await readdir(folder[part])).length > 0;
    // Read the marker again: another process may have completed and used the folder since.
    if (isUsed && !(await hasMarker(folder.root)))
      throw new QuorateError(
        "store-corrupt",
        `the store has lost its file FORMAT: ${folder.root}`,
        {
          hint: `if it is a Quorate store, restore the file with: echo quorate file store 1 > ${path.join(folder.root, "FORMAT")}`,
        },
      );
  }
}

async function checkParts(folder: StoreFolder): Promise<void> {
  // Backups may well leave it out.
  await makeFolder(folder.temporary);
  const { R_OK, W_OK, X_OK } = constants;
  for (const part of PARTS) {
    const found = await stat(folder[part]).catch(() => undefined);
    if (found?.isDirectory() !== true)
      throw new QuorateError("store-corrupt", `a part of the store is missing: ${folder[part]}`, {
        hint: "restore the store's folder from a backup",
      });
    await access(folder[part], R_OK | W_OK | X_OK);
  }
}
