/** What an error of the file system means for the store. */
import { QuorateError, type ErrorCode } from "../../core/errors.ts";

/** The `code` of a Node.js system error, e.g. `ENOENT`; `undefined` for any other error. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}

const MEANINGS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ["store-full", "free space or inodes on the file system of the store"],
  EDQUOT: ["store-full", "raise the disk quota of the coordinator's user, or free space"],
  EFBIG: ["store-full", "raise the file size limit of the coordinator's process"],
  EMLINK: ["store-full", "use a file system that allows more hard links"],
  EACCES: ["store-permission", "give the coordinator's user read and write access to the folder"],
  EPERM: ["store-permission", "use a file system with hard links that the coordinator's user owns"],
  EROFS: ["store-permission", "mount the file system of the store read-write"],
  ELOOP: ["store-corrupt", "replace the symbolic link by what it stands for"],
  ENOTDIR: ["store-corrupt", "restore the store's folder from a backup"],
  EISDIR: ["store-corrupt", "remove the folder that stands where a file of the store belongs"],
};

/**
 * The typed error for a failed file operation; an error that is typed already stays as it is.
 *
 * @param doing completes "could not …", e.g. `read the head`.
 * @param path what was worked on.
 */
export function fileError(error: unknown, doing: string, path: string): QuorateError {
  if (error instanceof QuorateError) return error;
  const errno = errnoOf(error);
  const [code, hint] = (errno === undefined ? undefined : MEANINGS[errno]) ?? [
    "store-unavailable" as const,
    "check that the folder exists and its disk works",
  ];
  return new QuorateError(code, `could not ${doing} (${errno ?? String(error)}): ${path}`, {
    hint,
    cause: error,
    details: errno === undefined ? {} : { errno },
  });
}

/** Runs a file operation; its failure becomes {@link fileError}. */
export async function withFileErrors<T>(
  doing: string,
  path: string,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw fileError(error, doing, path);
  }
}
