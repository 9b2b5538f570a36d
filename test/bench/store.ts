/** What the file store costs, next to a bare write, fsync and link. */
import { randomBytes } from "node:crypto";
import { link, mkdir, mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { openFileStore } from "../../src/store/file/file-store.ts";
import type { Head, Store } from "../../src/store/store.ts";
import type { BenchRow } from "./bench-row.ts";

const RECORD_BYTES = 1_000;
const WRITES = 100;
const READS = 2_000;

export async function bench(): Promise<BenchRow[]> {
  const folder = await mkdtemp(path.join(tmpdir(), "quorate-bench-"));
  const store = await openFileStore(path.join(folder, "store"));
  try {
    const swap = await medianMs(WRITES, swapper(store));
    const bare = path.join(folder, "bare");
    await mkdir(bare);
    const bareWrite = await medianMs(WRITES, (i) => writeAndLink(bare, i));
    const read = await medianMs(READS, () => store.readHead());
    const bareRead = await medianMs(READS, () => stat(bare));
    return [
      {
        ...{ name: "file store: swap", value: swap, unit: "ms" },
        floor: { name: "write, fsync, link, fsync of the folder", value: bareWrite },
        note: "p50; the store syncs two folders: document before head",
      },
      {
        ...{ name: "file store: linearizable head read", value: read * 1000, unit: "µs" },
        floor: { name: "one stat", value: bareRead * 1000 },
        note: "p50; two calls of stat at once",
      },
    ];
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
}

/** Writes as much as a swap at least has to: a file's bytes, its name, and the folder. */
async function writeAndLink(folder: string, index: number): Promise<void> {
  const file = path.join(folder, `temporary.${index}`);
  const handle = await open(file, "wx");
  await handle.writeFile(randomBytes(RECORD_BYTES));
  await handle.sync();
  await handle.close();
  await link(file, path.join(folder, `head.${index}`));
  const names = await open(folder);
  await names.sync();
  await names.close();
}

/** A swap from the head of the last one. */
function swapper(store: Store): () => Promise<void> {
  let head: Head | undefined;
  return async () => {
    head ??= await store.readHead();
    const swap = await store.swapHead(head, randomBytes(RECORD_BYTES));
    if (swap.outcome !== "committed")
      throw new Error(`a swap without rivals ended as ${swap.outcome}`);
    ({ head } = swap);
  };
}

/** Median duration of `count` runs, one after the other, after a tenth as many to warm up. */
async function medianMs(
  count: number,
  operation: (index: number) => Promise<unknown>,
): Promise<number> {
  const durations: number[] = [];
  for (let i = -Math.ceil(count / 10); i < count; i++) {
    const start = performance.now();
    await operation(i);
    if (i >= 0) durations.push(performance.now() - start);
  }
  durations.sort((a, b) => a - b);
  return durations[durations.length >> 1] ?? Number.NaN;
}
