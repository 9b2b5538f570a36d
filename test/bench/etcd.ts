/** What the etcd store costs, next to the bare client that it is built on. */
import { randomBytes } from "node:crypto";
import { Etcd3 } from "etcd3";
import { EtcdStore } from "../../src/store/etcd/etcd-store.ts";
import type { Head, Store } from "../../src/store/store.ts";
import type { EtcdCluster } from "../integration/store/etcd-process.ts";
import type { BenchRow } from "./bench-row.ts";
import { durations, latencyRows } from "./latency.ts";

const RECORD_BYTES = 1_000;
const WRITES = 200;
const READS = 2_000;
const PREFIX = "bench";
const HEAD_KEY = `${PREFIX}/1/head`;
const BARE_KEY = "bare";

/** Compare-and-swap, linearizable read and watch over a running etcd. */
export async function benchEtcd({ endpoints }: EtcdCluster): Promise<BenchRow[]> {
  const store = new EtcdStore({ endpoints }, PREFIX);
  const bare = bareClient(endpoints);
  try {
    return [
      ...latencyRows(
        "etcd store: compare-and-swap of the head",
        await durations(WRITES, swapper(store)),
        { name: "bare transaction of one put", times: await durations(WRITES, bareSwapper(bare)) },
        { note: "reads the head, then writes head and document in one transaction" },
      ),
      ...latencyRows(
        "etcd store: linearizable read of the head",
        await durations(READS, () => store.readHead()),
        { name: "bare get", times: await durations(READS, () => bare.get(HEAD_KEY).buffer()) },
      ),
      ...(await watchRows(store, bare)),
    ];
  } finally {
    await store.close();
    bare.close();
  }
}

/** The client library as it comes. */
export function bareClient(endpoints: readonly string[]): Etcd3 {
  return new Etcd3({ hosts: endpoints.map((each) => `http://${each}`) });
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
      .if(BARE_KEY, "Mod", "==", revision)
      .then(client.put(BARE_KEY).value(randomBytes(RECORD_BYTES)))
      .commit();
    if (!succeeded) throw new Error("a transaction without rivals failed");
    ({ revision } = header);
  };
}

/** Both watch the same change, which a third party makes: from when it is sent to when each has heard of it. */
async function watchRows(store: Store, client: Etcd3): Promise<BenchRow[]> {
  let wake: () => void = () => undefined;
  const watch = await store.watchHead(() => wake());
  const watcher = await client.watch().key(HEAD_KEY).create();
  const ours: number[] = [];
  const bare: number[] = [];
  const put = async (): Promise<void> => {
    const start = performance.now();
    const woken = new Promise<void>((resolve) => (wake = resolve));
    const heard = new Promise((resolve) => watcher.once("put", resolve));
    await Promise.all([
      client.put(HEAD_KEY).value(randomBytes(RECORD_BYTES)),
      woken.then(() => ours.push(performance.now() - start)),
      heard.then(() => bare.push(performance.now() - start)),
    ]);
  };
  await durations(WRITES, put);
  await watcher.cancel();
  await watch.close();
  // Without the warm-up, in which the calls fall that belong to the start of a watch.
  return latencyRows("etcd store: change sent to watch listener called", ours.slice(-WRITES), {
    name: "bare watch event",
    times: bare.slice(-WRITES),
  });
}
