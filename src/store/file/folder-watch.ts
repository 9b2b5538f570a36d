/** Notices changes in a folder: at once if the operating system says so, otherwise by looking regularly. */
import { watch, type FSWatcher } from "node:fs";
import { FILE_STORE_POLL_MS } from "../../core/limits.ts";
import { wakeup } from "../wakeup.ts";

/** A running watch; `close` is idempotent. */
export interface FolderWatch {
  close(): void;
}

/**
 * Calls `listener` soon after the folder changed, or `look` gave another answer than before. Works, only slower, where
 * the operating system has no notifications left or loses one.
 *
 * @param look describes what is of interest in the folder, errors included; it does not throw.
 */
export async function watchFolder(
  folder: string,
  look: () => Promise<string>,
  listener: () => void,
): Promise<FolderWatch> {
  const target = wakeup(listener);
  let notifications = openNotifications(folder, target.wake);
  let seen = await look();
  let closed = false;
  let timer = setTimeout(() => void poll(), FILE_STORE_POLL_MS);

  const poll = async (): Promise<void> => {
    const found = await look();
    if (closed) return;
    if (found !== seen) {
      seen = found;
      target.wake();
      // The notifications may hang on a folder that was replaced, or may have ended with an error.
      notifications?.close();
      notifications = openNotifications(folder, target.wake);
    }
    timer = setTimeout(() => void poll(), FILE_STORE_POLL_MS);
  };

  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
      notifications?.close();
      target.close();
    },
  };
}

function openNotifications(folder: string, wake: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, wake);
    watcher.on("error", () => {
      watcher.close();
      wake();
    });
    return watcher;
  } catch {
    // No folder, or no notifications left on this machine: looking regularly has to do.
    return undefined;
  }
}
