import { constants, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import type * as FilePromises from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isSha256, type Sha256 } from "../../../../src/core/brand.ts";
import { equalBytes, utf8 } from "../../../../src/core/bytes.ts";
import { Prng } from "../../../../src/core/prng.ts";
import { sha256 } from "../../../../src/store/content.ts";
import { openFileStore } from "../../../../src/store/file/file-store.ts";
import type { Head } from "../../../../src/store/store.ts";
import { commit } from "../../../compliance/store/store-compliance.ts";
import { materialise, type Step } from "./simulated-disk.ts";

/** The run being traced; nothing is while `root` is undefined. */
const trace = vi.hoisted(() => ({
  steps: [] as Step[],
  root: undefined as string | undefined,
  /** Number of steps after which the traced process is dead: nothing that it tries has an effect any more. */
  killAfter: Infinity,
}));

vi.mock("node:fs/promises", async (importActual) => {
  const actual = await importActual<typeof FilePromises>();
  const relative = (file: string): string => path.relative(trace.root ?? "/", file);
  const inodeOf = async (file: string): Promise<number> => (await actual.lstat(file)).ino;
  const traced = async <T>(
    file: string,
    operation: () => Promise<T>,
    describeStep: (result: T) => Promise<Step> | Step,
  ): Promise<T> => {
    if (trace.root === undefined || !file.startsWith(trace.root)) return operation();
    if (trace.steps.length >= trace.killAfter) throw new Error("killed");
    const result = await operation();
    trace.steps.push(await describeStep(result));
    return result;
  };

  return {
    ...actual,
    mkdir: (folder: string, options: object) =>
      traced(
        folder,
        () => actual.mkdir(folder, options),
        () => ({ kind: "folder", name: relative(folder) }),
      ),
    link: (from: string, to: string) =>
      traced(
        to,
        () => actual.link(from, to),
        async () => ({ kind: "link", inode: await inodeOf(to), name: relative(to) }),
      ),
    rename: (from: string, to: string) =>
      traced(
        to,
        () => actual.rename(from, to),
        async () => ({
          kind: "rename",
          inode: await inodeOf(to),
          from: relative(from),
          to: relative(to),
        }),
      ),
    unlink: (file: string) =>
      traced(
        file,
        () => actual.unlink(file),
        () => ({ kind: "unlink", name: relative(file) }),
      ),
    open: async (file: string, flags: string | number, mode?: number) => {
      const open = (): Promise<FileHandle> => actual.open(file, flags, mode);
      if (flags !== "wx") return tracedHandle(await open(), file);
      const created = await traced(file, open, async () => ({
        kind: "create",
        name: relative(file),
        inode: await inodeOf(file),
      }));
      return tracedHandle(created, file);
    },
  };

  function tracedHandle(handle: FileHandle, file: string): FileHandle {
    const { writeFile, sync } = handle;
    handle.writeFile = (bytes) =>
      traced(
        file,
        () => writeFile.call(handle, bytes),
        async () => ({
          kind: "write",
          inode: await inodeOf(file),
          bytes: (bytes as Uint8Array).slice(),
        }),
      );
    handle.sync = () =>
      traced(
        file,
        () => sync.call(handle),
        async () => {
          const { ino, ...stats } = await handle.stat();
          const isFolder = (stats.mode & constants.S_IFMT) === constants.S_IFDIR;
          return isFolder
            ? { kind: "sync-folder", name: relative(file) || "." }
            : { kind: "sync-file", inode: ino };
        },
      );
    return handle;
  }
});

const RECORDS = ["first", "second", "third"].map(utf8);
const SEEDS_PER_CUT = 2;
/** In memory where there is such a folder: the power cuts are simulated, so waiting for a real disk proves nothing. */
const FAST_FOLDER = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

describe("a file store after a power cut", () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(path.join(FAST_FOLDER, "quorate-power-"));
  });
  afterEach(() => {
    trace.root = undefined;
    rmSync(parent, { recursive: true });
  });

  it("shows every head and document that it had confirmed, whichever step the cut came behind", async () => {
    const steps = await tracedRun("traced");
    expect(promises(steps)).toEqual({ heads: 3, documents: 3 });
    expect(steps.filter(({ kind }) => kind === "sync-folder").length).toBeGreaterThan(9);

    const seen = { heads: 0, documents: 0 };
    for (let cut = 0; cut <= steps.length; cut++) {
      const promised = await cutPower(steps.slice(0, cut), `cut behind step ${cut}`);
      seen.heads += promised.heads;
      seen.documents += promised.documents;
    }
    expect(seen.heads).toBeGreaterThan(40);
    expect(seen.documents).toBeGreaterThan(40);
  });

  it("shows what a process confirmed that had gone on where a killed one left off", async () => {
    const whole = (await tracedRun("whole")).length;
    for (let kill = 0; kill < whole; kill++) {
      const killed = await tracedRun(`killed-${kill}`, { killAfter: kill });
      const steps = await tracedRun(`killed-${kill}`, { after: killed });
      expect(promises(steps).heads).toBeGreaterThanOrEqual(1);
      // Also right behind the first document, before a later step confirms it by chance.
      const document = steps.findIndex((step, i) => i >= killed.length && isDocument(step));
      await cutPower(steps.slice(0, document + 1), `killed after step ${kill}, first document`);
      await cutPower(steps, `killed after step ${kill}`);
    }
    expect(whole).toBeGreaterThan(40);
  });

  /** Lets a process open the store, confirm the head that it finds and add the records that are missing. */
  async function tracedRun(
    folder: string,
    { killAfter = Infinity, after = [] }: { killAfter?: number; after?: readonly Step[] } = {},
  ): Promise<readonly Step[]> {
    const root = path.join(parent, folder);
    mkdirSync(root, { recursive: true });
    Object.assign(trace, { root, killAfter, steps: [...after] });
    const claim = (text: string): void => {
      trace.steps.push({ kind: "claim", claim: text });
    };
    try {
      const store = await openFileStore(path.join(root, "store"));
      let head = await store.readHead();
      if (head !== undefined) claim(`head ${positionOf(head)}`);
      for (const record of RECORDS.slice(positionOf(head))) {
        claim(`document ${await store.putDocument(utf8(`document of ${String(record)}`))}`);
        head = await commit(store, head, record);
        claim(`head ${positionOf(head)}`);
      }
      await store.close();
    } catch (error) {
      if (trace.steps.length < killAfter) throw error;
    }
    trace.root = undefined;
    return trace.steps;
  }

  /** Checks what the store shows in some of the states that the disk may be in; returns what had been promised. */
  async function cutPower(
    done: readonly Step[],
    at: string,
  ): Promise<{ heads: number; documents: number }> {
    const survivors = [() => false, () => true];
    for (let seed = 0; seed < SEEDS_PER_CUT; seed++) {
      const prng = new Prng(done.length * SEEDS_PER_CUT + seed);
      survivors.push(() => prng.chance(0.5));
    }
    for (const [variant, luck] of survivors.entries()) {
      const disk = mkdtempSync(path.join(parent, "disk-"));
      materialise(done, luck, disk);
      await inspect(path.join(disk, "store"), done, `${at}, variant ${variant}`);
      rmSync(disk, { recursive: true });
    }
    return promises(done);
  }
});

/** Opens what the cut left, checks it against what was promised before, and uses it. */
async function inspect(folder: string, done: readonly Step[], at: string): Promise<void> {
  const store = await openFileStore(folder);
  const head = await store.readHead();
  const { heads } = promises(done);
  expect(positionOf(head), `${at}: the head is as new as promised`).toBeGreaterThanOrEqual(heads);
  for (const record of RECORDS.slice(0, positionOf(head)))
    expect(await store.getDocument(sha256(record)), `${at}: record of the chain`).toEqual(record);
  for (const hash of promisedDocuments(done))
    expect(await store.getDocument(hash), `${at}: promised document`).toBeDefined();
  await commit(store, head, utf8("after the cut"));
  await store.close();
}

function promises(done: readonly Step[]): { heads: number; documents: number } {
  const claims = done.flatMap((step) => (step.kind === "claim" ? [step.claim] : []));
  const heads = claims.filter((claim) => claim.startsWith("head ")).map((claim) => claim.slice(5));
  return { heads: Math.max(0, ...heads.map(Number)), documents: promisedDocuments(done).length };
}

function isDocument(step: Step): boolean {
  return step.kind === "claim" && step.claim.startsWith("document ");
}

function promisedDocuments(done: readonly Step[]): Sha256[] {
  return done
    .flatMap((step) => (step.kind === "claim" ? [step.claim.slice("document ".length)] : []))
    .filter(isSha256);
}

/** How many of the records the head covers; the head is one of them, whole, or there is none. */
function positionOf(head: Head | undefined): number {
  if (head === undefined) return 0;
  const index = RECORDS.findIndex((record) => equalBytes(record, head.value));
  expect(index, "the head is a whole record").toBeGreaterThanOrEqual(0);
  return index + 1;
}
