/** What the stores cost: the file store next to a bare write, fsync and link; etcd next to a bare client. */
import { randomBytes } from "node:crypto";
import { link, mkdir, mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Etcd3 } from "etcd3";
import { EtcdStore } from "../../src/store/etcd/etcd-store.ts";
import { openFileStore } from "../../src/store/file/file-store.ts";
import type { Head, Store } from "../../src/store/store.ts";
import { EtcdCluster, etcdMissing } from "../integration/store/etcd-process.ts";
import type { BenchRow } from "./bench-row.ts";

const RECORD_BYTES = 1_000;
const WRITES = 100;
const READS = 2_000;

/** All rows of the stores; those of etcd only where etcd is installed. */
export async function bench(): Promise<BenchRow[]> {
  return [...(await benchFile()), ...(etcdMissing() ? [] : await benchEtcd())];
}

async function benchFile(): Promise<BenchRow[]> {
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

async function benchEtcd(): Promise<BenchRow[]> {
  const cluster = await EtcdCluster.start(1);
  const { endpoints } = cluster;
  const store = new EtcdStore({ endpoints }, "bench");
  const bare = new Etcd3({ hosts: `http://${endpoints[0] ?? ""}` });
  try {
    const swap = await medianMs(WRITES, swapper(store));
    const bareSwap = await medianMs(WRITES, bareSwapper(bare));
    const read = await medianMs(READS, () => store.readHead());
    const bareRead = await medianMs(READS, () => bare.get("bench/1/head").buffer());
    const watch = await watchLatencyMs(store);
    const bareWatch = await bareWatchLatencyMs(bare);
    return [
      {
        ...{ name: "etcd store: swap", value: swap, unit: "ms" },
        floor: { name: "bare transaction of one put", value: bareSwap },
        note: "p50; reads the head, then writes head and document in one transaction",
      },
      {
        ...{ name: "etcd store: linearizable head read", value: read, unit: "ms" },
        floor: { name: "bare linearizable get", value: bareRead },
        note: "p50",
      },
      {
        ...{ name: "etcd store: swap answered and watch woken", value: watch, unit: "ms" },
        floor: { name: "bare put answered and watch event received", value: bareWatch },
        note: "p50",
      },
    ];
  } finally {
    await store.close();
    bare.close();
    await cluster.stop();
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

/** The least that a compare-and-swap in etcd costs. */
function bareSwapper(client: Etcd3): () => Promise<void> {
  let revision = "0";
  return async () => {
    const { succeeded, header } = await client
      .if("bare", "Mod", "==", revision)
      .then(client.put("bare").value(randomBytes(RECORD_BYTES)))
      .commit();
    if (!succeeded) throw new Error("a transaction without rivals failed");
    ({ revision } = header);
  };
}

async function watchLatencyMs(store: Store): Promise<number> {
  let notice: () => void = () => undefined;
  const watch = await store.watchHead(() => notice());
  const swap = swapper(store);
  await swap();
  // The calls that belong to the start of the watch and to the first swap.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const latency = await medianMs(WRITES, async () => {
    const woken = new Promise<void>((resolve) => (notice = resolve));
    await Promise.all([swap(), woken]);
  });
  await watch.close();
  return latency;
}

async function bareWatchLatencyMs(client: Etcd3): Promise<number> {
  const watcher = await client.watch().key("bare").create();
  const latency = await medianMs(WRITES, async () => {
    const woken = new Promise((resolve) => watcher.once("put", resolve));
    await Promise.all([client.put("bare").value("x"), woken]);
  });
  await watcher.cancel();
  return latency;
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
