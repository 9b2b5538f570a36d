/**
 * configfs-tsm as the kernel behaves (Linux `drivers/virt/coco/guest/report.c`): entries with a write generation
 * that counts committed writes, a report made lazily by the first read after a write, and write errors that are
 * lost at close. Faults are injected by operation; another user of the same entries acts between operations.
 */
import type {
  ReportFiles,
  TsmAttribute,
} from "../../../src/attestation/configfs-tsm/report-files.ts";

interface Entry {
  writeGeneration: number;
  readGeneration: number;
  inblob: Uint8Array | undefined;
  outblob: Uint8Array | undefined;
  auxblob: Uint8Array | undefined;
}

/** One operation, as faults and the other user see it. */
export type Operation = "makeEntry" | "removeEntry" | "write inblob" | `read ${TsmAttribute}`;

/** What the platform behind the kernel does. */
export interface SimulatedPlatform {
  readonly provider: string;
  /** Makes the report and, if the provider has such a file, the certificate table. */
  report(inblob: Uint8Array): { outblob: Uint8Array; auxblob: Uint8Array | undefined };
}

export class SimulatedTsm implements ReportFiles {
  readonly entries = new Map<string, Entry>();
  readonly operations: Operation[] = [];
  /** Reports that the platform really made. */
  reportsMade = 0;
  /** Called before each operation: throws a fault, or plays the other user. */
  before: (operation: Operation, entry: string | undefined) => void | Promise<void> = () =>
    undefined;
  platform: SimulatedPlatform;
  #count = 0;

  constructor(platform: SimulatedPlatform) {
    this.platform = platform;
  }

  async makeEntry(): Promise<string> {
    await this.#step("makeEntry", undefined);
    const name = `entry-${this.#count++}`;
    this.entries.set(name, {
      writeGeneration: 0,
      readGeneration: 0,
      inblob: undefined,
      outblob: undefined,
      auxblob: undefined,
    });
    return name;
  }

  async read(entry: string, attribute: TsmAttribute): Promise<Uint8Array> {
    await this.#step(`read ${attribute}`, entry);
    const state = this.#entry(entry);
    switch (attribute) {
      case "provider":
        return new TextEncoder().encode(`${this.platform.provider}\n`);
      case "generation":
        return new TextEncoder().encode(`${state.writeGeneration}\n`);
      case "inblob":
        throw errno("EACCES");
      case "outblob":
        this.#makeReport(state);
        return state.outblob ?? new Uint8Array(0);
      case "auxblob":
        if (this.platform.report(new Uint8Array(64)).auxblob === undefined) throw errno("ENOENT");
        this.#makeReport(state);
        return state.auxblob ?? new Uint8Array(0);
    }
  }

  async write(entry: string, _attribute: "inblob", content: Uint8Array): Promise<void> {
    await this.#step("write inblob", entry);
    this.commit(entry, content);
  }

  async removeEntry(entry: string): Promise<void> {
    await this.#step("removeEntry", entry);
    this.#entry(entry);
    this.entries.delete(entry);
  }

  /** The commit at close: what is too long or too late is lost without a word. */
  commit(name: string, content: Uint8Array): void {
    const entry = this.entries.get(name);
    if (entry === undefined || content.length === 0 || content.length > 64) return;
    // A write that would wrap the distance to the last read is refused; nobody sees it.
    entry.writeGeneration += 1;
    entry.inblob = content.slice();
  }

  async #step(operation: Operation, entry: string | undefined): Promise<void> {
    this.operations.push(operation);
    await this.before(operation, entry);
  }

  #entry(name: string): Entry {
    const entry = this.entries.get(name);
    if (entry === undefined) throw errno("ENOENT");
    return entry;
  }

  #makeReport(entry: Entry): void {
    if (entry.inblob === undefined) throw errno("EINVAL");
    if (entry.outblob !== undefined && entry.readGeneration === entry.writeGeneration) return;
    const made = this.platform.report(entry.inblob);
    this.reportsMade += 1;
    entry.outblob = made.outblob;
    entry.auxblob = made.auxblob;
    entry.readGeneration = entry.writeGeneration;
  }
}

/** An error as Node makes it from the kernel's. */
export function errno(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}
