/** Files that people name in flags: read with a bound, written whole or not at all. */
import { randomBytes } from "node:crypto";
import { open, mkdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { QuorateError } from "../core/errors.ts";

/**
 * The bytes of a file of at most `bytesMax`. `what` names it in errors ("manifest").
 *
 * @throws QuorateError `not-found`, `too-large`, `invalid-argument` (cannot be read)
 */
export async function readInputFile(
  file: string,
  what: string,
  bytesMax: number,
): Promise<Uint8Array> {
  try {
    const handle = await open(file, "r");
    try {
      // Read before asking for the size: a pipe or a file that grows has none that can be trusted.
      const buffer = Buffer.alloc(bytesMax + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
        length += bytesRead;
        if (bytesRead === 0 || length > bytesMax) break;
      }
      if (length > bytesMax)
        throw new QuorateError("too-large", `${what} ${file} is larger than ${bytesMax} bytes`);
      return new Uint8Array(buffer.subarray(0, length));
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw fileError(cause, `${what} ${file} cannot be read`);
  }
}

/** Text of a UTF-8 file; as {@link readInputFile}, and `invalid-argument` if it is not UTF-8. */
export async function readInputText(file: string, what: string, bytesMax: number): Promise<string> {
  const bytes = await readInputFile(file, what, bytesMax);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new QuorateError("invalid-argument", `${what} ${file} is not UTF-8 text`);
  }
}

/**
 * Creates a file that must not exist yet.
 *
 * **Security:** keys are written with mode 0600 from the first byte, and an existing key is never overwritten.
 * @throws QuorateError `already-exists`, `invalid-argument`
 */
export async function writeNewFile(
  file: string,
  bytes: Uint8Array | string,
  mode: number,
): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(file, "wx", mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw fileError(cause, `${file} cannot be written`);
  }
}

/**
 * Replaces a file in one step: a reader, or a crash, sees the old content or the new, never a part.
 *
 * @throws QuorateError `invalid-argument`
 */
export async function replaceFile(
  file: string,
  bytes: Uint8Array | string,
  mode: number,
): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw fileError(cause, `${file} cannot be written`);
  }
}

/** The bytes of a file that this program wrote earlier, or nothing if there is none. */
export async function readOwnFile(file: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return undefined;
    throw fileError(cause, `${file} cannot be read`);
  }
}

function fileError(cause: unknown, message: string): QuorateError {
  if (cause instanceof QuorateError) return cause;
  switch (errorCode(cause)) {
    case "ENOENT":
      return new QuorateError("not-found", `${message}: there is no such file`, { cause });
    case "EEXIST":
      return new QuorateError("already-exists", `${message}: it exists already`, {
        cause,
        hint: "choose another name, or move the old file away first",
      });
    case "EACCES":
    case "EPERM":
      return new QuorateError("invalid-argument", `${message}: permission denied`, { cause });
    case "EISDIR":
      return new QuorateError("invalid-argument", `${message}: it is a folder`, { cause });
    case "ENOSPC":
      return new QuorateError("invalid-argument", `${message}: the disk is full`, { cause });
    default:
      return new QuorateError(
        "invalid-argument",
        `${message}: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
  }
}

function errorCode(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
}
