/** The few file operations that configfs-tsm needs (Linux, `Documentation/ABI/testing/configfs-tsm-report`). */
import { constants } from "node:fs";
import { mkdtemp, open, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";

/** Where the kernel shows its report entries. */
export const TSM_REPORT_FOLDER = "/sys/kernel/config/tsm/report";

/** Attributes of an entry. */
export type TsmAttribute = "provider" | "generation" | "inblob" | "outblob" | "auxblob";

/**
 * One report folder. Every method rejects with an `ErrnoException` that carries the kernel's code.
 *
 * Tests replace it by a state machine of the kernel's semantics.
 */
export interface ReportFiles {
  /** Makes an entry of a name that nobody else has, and returns its path. */
  makeEntry(): Promise<string>;
  /** The whole content of an attribute. Reading `outblob` may block for a minute. */
  read(entry: string, attribute: TsmAttribute): Promise<Uint8Array>;
  /** Hands `content` over in one write. The kernel takes it when the file is closed, and its error is lost there. */
  write(entry: string, attribute: "inblob", content: Uint8Array): Promise<void>;
  /** Removes an entry. */
  removeEntry(entry: string): Promise<void>;
}

/** The kernel's own files. */
export class KernelReportFiles implements ReportFiles {
  readonly #folder: string;

  /** @param folder @default TSM_REPORT_FOLDER */
  constructor(folder: string = TSM_REPORT_FOLDER) {
    this.#folder = folder;
  }

  makeEntry(): Promise<string> {
    return mkdtemp(join(this.#folder, "quorate-"));
  }

  async read(entry: string, attribute: TsmAttribute): Promise<Uint8Array> {
    return await readFile(join(entry, attribute));
  }

  async write(entry: string, attribute: "inblob", content: Uint8Array): Promise<void> {
    // Not `writeFile`: the attribute can neither be created nor truncated.
    const file = await open(join(entry, attribute), constants.O_WRONLY);
    try {
      const { bytesWritten } = await file.write(content);
      if (bytesWritten !== content.length) {
        throw Object.assign(new Error("a short write to inblob"), { code: "EIO" });
      }
    } finally {
      await file.close();
    }
  }

  removeEntry(entry: string): Promise<void> {
    return rmdir(entry);
  }
}
