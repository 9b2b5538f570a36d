import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "../../../src/store/content.ts";
import { EtcdStore, type EtcdAddress } from "../../../src/store/etcd/etcd-store.ts";
import type { Head, Store } from "../../../src/store/store.ts";
import { commit, eventually, uniqueRecord } from "../../compliance/store/store-compliance.ts";
import { makeEtcdCertificates } from "../../support/etcd-certificates.ts";
import { builtModule } from "./built.ts";
import { EtcdCluster, etcdMissing } from "./etcd-process.ts";
import { chainOf, noClaims, startSwapper } from "./swapper.ts";

const missing = etcdMissing();
const stores: Store[] = [];
let prefixes = 0;
function open(address: EtcdAddress, prefix = `faults/${prefixes++}`): Store {
  const store = new EtcdStore(address, prefix);
  stores.push(store);
  return store;
}
afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())));

describe.skipIf(missing)("an etcd store over three members", () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start(3);
  });
  afterAll(() => cluster.stop());
  const openHere = (prefix?: string): Store => open({ endpoints: cluster.endpoints }, prefix);

  it("goes on when any one member is killed, and when it is back", async () => {
    const store = openHere();
    let head: Head | undefined;
    for (const index of [0, 1, 2]) {
      await cluster.kill(index);
      for (let i = 0; i < 5; i++) head = await swapUntilSettled(store, head);
      expect(await store.readHead()).toEqual(head);
      cluster.startMember(index);
      await cluster.untilHealthy();
      head = await swapUntilSettled(store, head);
    }
  });

  it("goes on when the member that it talks to, or the leader, freezes", async () => {
    const store = openHere();
    let head: Head | undefined = await commit(store, undefined, uniqueRecord());
    for (const index of [0, 1, 2]) {
      cluster.pause(index);
      try {
        head = await swapUntilSettled(store, head);
        expect(await store.readHead()).toEqual(head);
      } finally {
        cluster.resume(index);
        await cluster.untilHealthy();
      }
    }
  });

  it(
    "wakes its watches after a change, whichever member is killed or frozen",
    { timeout: 60_000 },
    async () => {
      const prefix = `faults/${prefixes++}`;
      const reader = openHere(prefix);
      const writer = openHere(prefix);
      let seen: Head | undefined;
      let reading = Promise.resolve();
      await reader.watchHead(() => {
        reading = reading.then(async () => {
          seen = await reader.readHead().catch(() => seen);
        });
      });
      let head: Head | undefined;
      const faults = [0, 1, 2].flatMap((index) => [
        { begin: () => cluster.kill(index), end: () => cluster.startMember(index) },
        {
          begin: () => {
            cluster.pause(index);
            return Promise.resolve();
          },
          end: () => cluster.resume(index),
        },
      ]);
      for (const { begin, end } of faults) {
        await begin();
        try {
          head = await swapUntilSettled(writer, head);
          const { version } = head;
          await eventually("the watch led to the new head", () => seen?.version === version);
        } finally {
          end();
          await cluster.untilHealthy();
        }
      }
      await reading;
    },
  );

  it("wakes its watches after compaction under them", async () => {
    const prefix = `faults/${prefixes++}`;
    const store = openHere(prefix);
    let head = await commit(store, undefined, uniqueRecord());
    let woken = 0;
    await store.watchHead(() => woken++);
    for (let i = 0; i < 20; i++) head = await commit(store, head, uniqueRecord());
    const status = JSON.parse(cluster.etcdctl(0, "endpoint", "status", "--write-out=json")!) as [
      { Status: { header: { revision: number } } },
    ];
    const { revision } = status[0].Status.header;
    expect(cluster.etcdctl(0, "compact", String(revision))).toContain("compacted");
    await delay(100);
    woken = 0;
    head = await commit(store, head, uniqueRecord());
    await eventually("the watch noticed", () => woken > 0);
    expect(await store.readHead()).toEqual(head);
  });

  it("says that it is unavailable without a majority, changes nothing then, and recovers", async () => {
    const store = openHere();
    const head = await commit(store, undefined, uniqueRecord());
    await cluster.kill(0);
    await cluster.kill(1);
    const wait = { timeoutMs: 1500 };
    await expect(store.readHead(wait)).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(store.putDocument(uniqueRecord(), wait)).rejects.toMatchObject({
      code: "store-unavailable",
    });
    await expect(store.swapHead(head, uniqueRecord(), wait)).rejects.toMatchObject({
      code: "store-unavailable",
    });
    cluster.startMember(0);
    cluster.startMember(1);
    await cluster.untilHealthy();
    expect(await store.readHead()).toEqual(head);
    await commit(store, head, uniqueRecord());
  });

  it(
    "calls a swap unknown whose answer is lost, and committed or not once it is repeated",
    { timeout: 60_000 },
    async () => {
      const store = openHere();
      let head: Head | undefined;
      const outcomes = { committed: 0, conflict: 0, unknown: 0 };
      for (let round = 0; round < 12; round++) {
        const record = uniqueRecord();
        // Freeze the majority at some moment of the swap's few milliseconds.
        const swapping = store.swapHead(head, record, { timeoutMs: 400 }).catch(() => undefined);
        await delay((round % 6) * 0.7);
        cluster.pause(0);
        cluster.pause(1);
        const swap = await swapping;
        cluster.resume(0);
        cluster.resume(1);
        if (swap !== undefined) outcomes[swap.outcome]++;
        await cluster.untilHealthy();
        head = await swapUntilSettled(store, head, record);
        expect(await store.readHead()).toEqual(head);
      }
      expect(outcomes.conflict).toBe(0);
      expect(outcomes.unknown).toBeGreaterThan(0);
    },
  );

  it(
    "never loses or doubles a swap of racing processes while leaders are killed and frozen",
    { timeout: 90_000 },
    async () => {
      const prefix = `faults/${prefixes++}`;
      const claims = noClaims();
      const specification = `etcd://${cluster.endpoints.join(",")}/${prefix}`;
      const module = builtModule("store/open-store.js");
      const swappers = ["a", "b", "c"].map((author) =>
        startSwapper(module, specification, author, 0, claims),
      );
      await Promise.all(swappers.map(({ ready }) => ready));
      for (let round = 0; round < 2; round++) {
        await delay(500);
        const killed = cluster.leader();
        await cluster.kill(killed);
        await delay(2500);
        cluster.startMember(killed);
        await cluster.untilHealthy();
        const frozen = cluster.leader();
        cluster.pause(frozen);
        await delay(2500);
        cluster.resume(frozen);
        await cluster.untilHealthy();
      }
      for (const { process: child } of swappers) child.kill("SIGKILL");
      for (const swapper of swappers) expect((await swapper.ended).errors).toBe("");

      const chain = await chainOf(openHere(prefix));
      expect(new Set(chain).size).toBe(chain.length);
      for (const hash of claims.committed) expect(chain).toContain(hash);
      // What is in the chain without a claim was unknown, or won by a process that was killed before it could say so.
      expect(chain.length - claims.committed.size).toBeLessThanOrEqual(
        claims.unknown + swappers.length,
      );
      expect(claims.committed.size).toBeGreaterThan(50);
    },
  );
});

describe.skipIf(missing)("an etcd store over one member", () => {
  let cluster: EtcdCluster;
  beforeEach(async () => {
    cluster = await EtcdCluster.start(1);
  });
  afterEach(() => cluster.stop());

  it("tells a head from one that a restored snapshot put at the same revision", async () => {
    const address = { endpoints: cluster.endpoints };
    const store = open(address, "restored");
    const first = await commit(store, undefined, uniqueRecord());
    const snapshot = cluster.temporaryFile("snapshot");
    expect(cluster.etcdctl(0, "snapshot", "save", snapshot)).toBeDefined();
    const lost = await commit(store, first, uniqueRecord());

    await cluster.kill(0);
    cluster.restore(snapshot);
    cluster.startMember(0);
    await cluster.untilHealthy();
    expect(await store.readHead()).toEqual(first);
    const forked = await commit(store, first, uniqueRecord());
    // The very revision of the lost head, but not its version.
    expect(forked.version.split(":")[0]).toBe(lost.version.split(":")[0]);
    expect(await store.swapHead(lost, uniqueRecord())).toEqual({
      outcome: "conflict",
      head: forked,
    });
    expect(await store.getDocument(sha256(lost.value))).toBeUndefined();
  });

  it("reports a full etcd as full, changes nothing then, and goes on when there is room", async () => {
    await cluster.kill(0);
    cluster.startMember(0, "--quota-backend-bytes=2000000");
    await cluster.untilHealthy();
    const store = open({ endpoints: cluster.endpoints });
    const head = await commit(store, undefined, uniqueRecord());
    const fill = async (): Promise<never> => {
      for (let i = 0; ; i++) await store.putDocument(new Uint8Array(300_000).fill(i));
    };
    await expect(fill()).rejects.toMatchObject({ code: "store-full" });
    await expect(store.swapHead(head, uniqueRecord())).rejects.toMatchObject({
      code: "store-full",
    });
    expect(await store.readHead()).toEqual(head);

    await cluster.kill(0);
    cluster.startMember(0);
    await cluster.untilHealthy();
    expect(cluster.etcdctl(0, "alarm", "disarm")).toBeDefined();
    await commit(store, head, uniqueRecord());
  });

  it("reports a document that this etcd is set not to take as too large", async () => {
    await cluster.kill(0);
    cluster.startMember(0, "--max-request-bytes=10000");
    await cluster.untilHealthy();
    const store = open({ endpoints: cluster.endpoints });
    await expect(store.putDocument(new Uint8Array(50_000))).rejects.toMatchObject({
      code: "too-large",
    });
    await commit(store, undefined, uniqueRecord());
  });

  it("shows and replaces a head that is larger than any record", async () => {
    const store = open({ endpoints: cluster.endpoints }, "oversized");
    const args = ["put", "oversized/1/head", "x".repeat(100_000)];
    expect(cluster.etcdctl(0, ...args)).toBeDefined();
    const found = await store.readHead();
    expect(found?.value).toHaveLength(100_000);
    await commit(store, found, uniqueRecord());
  });

  it("logs in with a password, and says what a wrong or missing one or too small a role is", async () => {
    const run = (...args: readonly string[]): void => {
      expect(cluster.etcdctl(0, ...args), args.join(" ")).toBeDefined();
    };
    run("user", "add", "root:rootpass");
    run("user", "grant-role", "root", "root");
    run("user", "add", "quorate:secret");
    run("role", "add", "quorate");
    run("role", "grant-permission", "quorate", "--prefix=true", "readwrite", "mine/");
    run("user", "grant-role", "quorate", "quorate");
    run("auth", "enable");
    const { endpoints } = cluster;
    const login = { user: "quorate", password: "secret" };

    const store = open({ endpoints, login }, "mine");
    let woken = 0;
    await store.watchHead(() => woken++);
    woken = 0;
    const head = await commit(store, undefined, uniqueRecord());
    await eventually("the watch noticed", () => woken > 0);

    for (const [wrong, prefix] of [
      [{ endpoints, login }, "others"],
      [{ endpoints, login: { ...login, password: "wrong" } }, "mine"],
      [{ endpoints }, "mine"],
    ] as const) {
      const refused = open(wrong, prefix);
      await expect(refused.readHead()).rejects.toMatchObject({ code: "store-permission" });
      await expect(refused.watchHead(() => undefined)).rejects.toMatchObject({
        code: "store-permission",
      });
      await expect(refused.swapHead(undefined, uniqueRecord())).rejects.toMatchObject({
        code: "store-permission",
      });
    }

    // A restarted etcd has forgotten its tokens.
    await cluster.kill(0);
    cluster.startMember(0);
    const { version } = await eventuallyCommits(store, head);
    expect((await store.readHead())?.version).toBe(version);
  });

  it("wakes its watches when etcd comes back with another head", async () => {
    const store = open({ endpoints: cluster.endpoints });
    const first = await commit(store, undefined, uniqueRecord());
    const snapshot = cluster.temporaryFile("snapshot");
    expect(cluster.etcdctl(0, "snapshot", "save", snapshot)).toBeDefined();
    await commit(store, first, uniqueRecord());
    let seen: Head | undefined;
    await store.watchHead(() => {
      store.readHead().then(
        (head) => (seen = head),
        () => undefined,
      );
    });
    await cluster.kill(0);
    cluster.restore(snapshot);
    cluster.startMember(0);
    await eventually("the watch led to the restored head", () => seen?.version === first.version);
  });
});

describe.skipIf(missing)("an etcd store over TLS", () => {
  let folder: string;
  let cluster: EtcdCluster;
  const file = (name: string): string => path.join(folder, name);
  const text = (name: string): string => readFileSync(file(name), "utf8");
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "quorate-tls-"));
    makeEtcdCertificates(folder);
    cluster = await EtcdCluster.start(1, {
      authority: file("ca.pem"),
      certificate: file("etcd.pem"),
      privateKey: file("etcd.key"),
    });
  });
  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true });
  });

  it("shows its certificate, checks etcd's, and works", async () => {
    const tls = {
      certificateAuthorities: text("ca.pem"),
      client: { certificate: text("etcd.pem"), privateKey: text("etcd.key") },
    };
    const store = open({ endpoints: cluster.endpoints, tls: { ...tls, serverName: "etcd.test" } });
    let woken = 0;
    await store.watchHead(() => woken++);
    woken = 0;
    const head = await commit(store, undefined, uniqueRecord());
    await eventually("the watch noticed", () => woken > 0);
    expect(await store.readHead()).toEqual(head);
  });

  it("trusts no etcd of another authority or name, and is refused without a certificate", async () => {
    const client = { certificate: text("etcd.pem"), privateKey: text("etcd.key") };
    const { endpoints } = cluster;
    for (const tls of [
      { certificateAuthorities: text("other-ca.pem"), client, serverName: "etcd.test" },
      { certificateAuthorities: text("ca.pem"), client, serverName: "another.test" },
      { certificateAuthorities: text("ca.pem"), serverName: "etcd.test" },
    ]) {
      const store = open({ endpoints, tls });
      await expect(store.readHead({ timeoutMs: 1000 })).rejects.toMatchObject({
        code: "store-unavailable",
      });
    }
  });
});

/** Repeats a swap, as its caller has to, until it has a definite outcome, which must be that it committed. */
async function swapUntilSettled(
  store: Store,
  expected: Head | undefined,
  record = uniqueRecord(),
): Promise<Head> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const swap = await store.swapHead(expected, record);
    if (swap.outcome === "committed") return swap.head;
    expect(swap.outcome).toBe("unknown");
  }
  throw new Error("the swap stays unknown");
}

async function eventuallyCommits(store: Store, expected: Head): Promise<Head> {
  const record = uniqueRecord();
  let head: Head | undefined;
  await eventually("a swap is committed", async () => {
    const swap = await store.swapHead(expected, record).catch(() => undefined);
    if (swap?.outcome === "committed") ({ head } = swap);
    return head !== undefined;
  });
  return head!;
}
