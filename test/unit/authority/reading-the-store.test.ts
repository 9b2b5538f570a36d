/** DESIGN section 8, "Reading the store": every line of the table as a ready coordinator meets it. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import {
  type HistoryRecord,
  recordSigningBytes,
  type RecordDocument,
  sealRecord,
  updateRecord,
} from "../../../src/core/history/index.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { SeedEngine, sha256 } from "../../../src/crypto/index.ts";
import { failureOf, MeshWorld, type TestCoordinator } from "../../fixtures/mesh.ts";
import { ScriptedStore, unreachable } from "../../fixtures/scripted-store.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
  return () => world.close();
});

/** A coordinator at generation 3; `deaf`, so that only calls read the head. */
async function atGeneration3(): Promise<TestCoordinator> {
  const coordinator = await world.ready();
  await coordinator.update(world.manifest({ workloads: ["db"] }));
  await coordinator.update(world.manifest({ workloads: ["web", "db"] }));
  coordinator.store.deaf = true;
  return coordinator;
}

const headOf = ({ store }: TestCoordinator): Uint8Array | undefined => store.backing.head?.value;

/** A well-signed record of the coordinator's own lineage that it never made. */
async function forged(
  { authority }: TestCoordinator,
  record: HistoryRecord,
): Promise<RecordDocument> {
  const { engine } = authority.state!.payload;
  return sealRecord(record, await engine.historyKey.sign(recordSigningBytes(record)), sha256);
}

/** A second update of the second record: the branch that the group never committed. */
async function sibling(coordinator: TestCoordinator): Promise<RecordDocument> {
  const { links } = coordinator.history;
  const { record } = links[2]!.head;
  const branched = { ...record, meshCaKey: "ab".repeat(32) as Sha256 };
  return forged(coordinator, { ...branched, previous: links[1]!.head.hash });
}

/** Another epoch on an ancestor: somebody recovered an older history. */
async function otherEpoch(coordinator: TestCoordinator): Promise<RecordDocument> {
  const { record, hash } = coordinator.history.links[1]!.head;
  return forged(coordinator, {
    ...record,
    kind: "recovery",
    epoch: 2 as HistoryRecord["epoch"],
    previous: hash,
    approvals: null,
    recoveryCount: 1,
    fenced: false,
    meshCaKey: "cd".repeat(32) as Sha256,
  });
}

async function otherLineage(): Promise<TestCoordinator> {
  return world.ready();
}

describe("A ready coordinator re-asserts its record", () => {
  const lies: readonly (readonly [
    string,
    string,
    (coordinator: TestCoordinator) => Promise<Uint8Array | undefined> | undefined,
  ])[] = [
    ["the head is missing", "rollback", () => undefined],
    [
      "the head is its predecessor",
      "rollback",
      (coordinator) => Promise.resolve(coordinator.history.links[1]!.head.bytes),
    ],
    [
      "the head is the genesis",
      "rollback",
      (coordinator) => Promise.resolve(coordinator.history.links[0]!.head.bytes),
    ],
    ["the head is not a record", "corruption", () => Promise.resolve(utf8("garbage"))],
    [
      "the head is cut",
      "corruption",
      (coordinator) => Promise.resolve(headOf(coordinator)!.slice(0, -7)),
    ],
    [
      "the head is badly signed under its lineage",
      "corruption",
      async (coordinator) => {
        const { record } = coordinator.history.head.head;
        const stranger = SeedEngine.generate().historyKey;
        return sealRecord(record, await stranger.sign(recordSigningBytes(record)), sha256).bytes;
      },
    ],
    [
      "the head is another branch under the same epoch",
      "branch",
      async (coordinator) => {
        const branch = await sibling(coordinator);
        return branch.bytes;
      },
    ],
  ];

  it.each(lies)("when %s", async (_name, shown, lie) => {
    const coordinator = await atGeneration3();
    const state = await coordinator.authority.confirm();
    const { backing } = coordinator.store;
    const bytes = await lie(coordinator);
    backing.setHead(bytes);
    const lost = [...coordinator.history.documents.keys()].slice(0, 3);
    for (const hash of lost) backing.documents.delete(hash);

    expect(await coordinator.authority.confirm()).toBe(state);
    expect(headOf(coordinator)).toEqual(state.history.head.head.bytes);
    for (const hash of lost) expect(backing.documents.has(hash)).toBe(true);
    expect(coordinator.events("store-reasserted")).toMatchObject([{ shown }]);
    expect(coordinator.authority.problem).toBeUndefined();
    // A restart finds the whole history again.
    const successor = await world.coordinator(coordinator.store);
    expect(successor.history.recordHash).toBe(state.recordHash);
    expect(successor.authority.problem).toBeUndefined();
  });

  it("again, when the very same old head comes back", async () => {
    const coordinator = await atGeneration3();
    const { backing } = coordinator.store;
    backing.setHead(coordinator.history.links[1]!.head.bytes);
    const old = backing.head;
    await coordinator.authority.confirm();
    // A restored copy of the disk has the revision that it had before.
    backing.head = old;
    await coordinator.authority.confirm();
    expect(headOf(coordinator)).toEqual(coordinator.history.head.head.bytes);
    expect(coordinator.events("store-reasserted")).toHaveLength(2);
  });

  it("and issues nothing until that has succeeded", async () => {
    const coordinator = await atGeneration3();
    const { store } = coordinator;
    store.backing.setHead(undefined);
    store.onSwapHead = unreachable;
    expect(await failureOf(coordinator.authority.confirm())).toMatchObject({
      code: "store-unavailable",
    });
    expect(coordinator.authority.problem?.code).toBe("rollback");
    store.onSwapHead = undefined;
    const state = await coordinator.authority.confirm();
    expect(headOf(coordinator)).toEqual(state.history.head.head.bytes);
  });

  it("also while its documents can't be put: the head never points at nothing", async () => {
    const coordinator = await atGeneration3();
    const { store } = coordinator;
    store.backing.setHead(undefined);
    store.backing.documents.clear();
    store.onPutDocument = unreachable;
    await failureOf(coordinator.authority.confirm());
    expect(headOf(coordinator)).toBeUndefined();
  });
});

describe("A ready coordinator that sees a FORK", () => {
  const forks: readonly (readonly [
    string,
    string,
    (coordinator: TestCoordinator) => Promise<Uint8Array>,
  ])[] = [
    [
      "another lineage whose own chain verifies",
      "other-lineage",
      async (coordinator) => {
        const other = await otherLineage();
        for (const [hash, bytes] of other.store.backing.documents)
          coordinator.store.backing.documents.set(hash, bytes);
        return headOf(other)!;
      },
    ],
    [
      "another lineage without its documents",
      "unverified",
      async () => headOf(await otherLineage())!,
    ],
    [
      "another lineage's record, badly signed",
      "unverified",
      async () => {
        const { record } = (await otherLineage()).history.head.head;
        const stranger = SeedEngine.generate().historyKey;
        return sealRecord(record, await stranger.sign(recordSigningBytes(record)), sha256).bytes;
      },
    ],
    [
      "another epoch on an ancestor of its record",
      "other-history",
      async (coordinator) => {
        const fork = await otherEpoch(coordinator);
        coordinator.store.backing.documents.set(fork.hash, fork.bytes);
        return fork.bytes;
      },
    ],
    [
      "a successor without approvals",
      "unverified",
      async (coordinator) => {
        const { head } = coordinator.history.head;
        const { record } = head;
        const next = updateRecord(head, {
          ...record,
          approvals: "ef".repeat(32) as Sha256,
          meshCaKey: "ab".repeat(32) as Sha256,
        });
        return (await forged(coordinator, next)).bytes;
      },
    ],
  ];

  it.each(forks)("(%s) issues nothing and writes nothing", async (_name, shown, fork) => {
    const coordinator = await atGeneration3();
    const { store, authority } = coordinator;
    const state = await authority.confirm();
    const bytes = await fork(coordinator);
    store.backing.setHead(bytes);
    const writes = () => store.calls.swapHead + store.calls.putDocument;
    const before = writes();

    expect(await failureOf(authority.confirm())).toMatchObject({ code: "fork" });
    expect(authority.lifecycle.kind).toBe("ready");
    const request = await coordinator.updateRequest(world.manifest());
    expect(await failureOf(coordinator.set(request))).toMatchObject({ code: "fork" });
    // A rollback does not end it: this is no store to assert anything in.
    store.backing.setHead(state.history.links[0]!.head.bytes);
    expect(await failureOf(authority.confirm())).toMatchObject({ code: "fork" });
    store.backing.setHead(undefined);
    expect(await failureOf(authority.confirm())).toMatchObject({ code: "fork" });
    expect(writes()).toBe(before);
    expect(headOf(coordinator)).toBeUndefined();
    expect(coordinator.events("store-fork")).toMatchObject([{ shown }]);

    store.backing.setHead(state.history.head.head.bytes);
    expect(await authority.confirm()).toBe(state);
    await coordinator.set(request);
  });
});

describe("A ready coordinator whose head moved on", () => {
  it("becomes stale by an update that it did not make, and stays so when the store goes back", async () => {
    const coordinator = await atGeneration3();
    const twin = await world.coordinator(coordinator.store);
    await twin.recover();
    expect(await failureOf(coordinator.authority.confirm())).toMatchObject({
      code: "recovery-needed",
    });
    expect(coordinator.authority.lifecycle.kind).toBe("stale");
    expect(coordinator.events("state-stale")).toHaveLength(1);

    coordinator.store.backing.setHead(coordinator.authority.state!.payload.history.head.head.bytes);
    const error = await failureOf(coordinator.authority.confirm());
    expect(error.code).toBe("rollback");
    expect(coordinator.authority.lifecycle.kind).toBe("stale");
  });

  it("follows a prepared record only", async () => {
    const coordinator = await atGeneration3();
    const twin = await world.coordinator(coordinator.store);
    await twin.recover();
    await twin.update(world.manifest({ workloads: ["cache"] }));
    await failureOf(coordinator.authority.confirm());
    expect(coordinator.authority.lifecycle.kind).toBe("stale");
    expect(coordinator.history.recordHash).toBe(twin.history.recordHash);
    // It can be recovered like a restarted one.
    const state = await coordinator.recover();
    expect(state.history.record).toMatchObject({ epoch: 3, generation: 4, recoveryCount: 2 });
  });
});

describe("Errors of the store", () => {
  it("make nothing stale, suspend issuing, and end by themselves", async () => {
    const coordinator = await atGeneration3();
    const { store, authority } = coordinator;
    const state = await authority.confirm();
    store.onReadHead = unreachable;
    expect(await failureOf(authority.confirm())).toMatchObject({ code: "store-unavailable" });
    expect(authority.lifecycle.kind).toBe("ready");
    expect(authority.suspended?.code).toBe("store-unavailable");
    store.onReadHead = undefined;
    expect(await authority.confirm()).toBe(state);
    expect(authority.suspended).toBeUndefined();
  });

  it("while a new head's documents are read say nothing about that head", async () => {
    const coordinator = await atGeneration3();
    const { store, authority } = coordinator;
    const twin = await world.coordinator(store);
    await twin.recover();
    store.onGetDocument = () => unreachable;
    expect(await failureOf(authority.confirm())).toMatchObject({ code: "store-unavailable" });
    expect(authority.lifecycle.kind).toBe("ready");
    store.onGetDocument = undefined;
    expect(await failureOf(authority.confirm())).toMatchObject({ code: "recovery-needed" });
  });

  it("at the start are thrown, and leave no watch behind", async () => {
    const store = new ScriptedStore();
    store.onReadHead = unreachable;
    const error = await failureOf(world.coordinator(store));
    expect(error.code).toBe("store-unavailable");
    expect(store.backing.listeners.size).toBe(0);
  });

  it("are told apart from a foreign head over which nothing is ever set", async () => {
    const store = new ScriptedStore();
    store.backing.setHead(utf8("not a record"));
    const coordinator = await world.coordinator(store);
    const error = await failureOf(coordinator.genesis(world.manifest()));
    expect(error.code).toBe("store-corrupt");
    expect(store.backing.head?.value).toEqual(utf8("not a record"));
    expect(store.calls.swapHead + store.calls.putDocument).toBe(0);
  });
});
