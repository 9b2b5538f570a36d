/** What a broken history in the store costs whoever reads its head again and again. */
import { beforeAll, describe, expect, it } from "vitest";
import { viewHead } from "../../../src/authority/observe-head.ts";
import type { Sha256 } from "../../../src/core/brand.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import {
  type HistoryRecord,
  recordSigningBytes,
  sealRecord,
} from "../../../src/core/history/index.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import type { VerifiedHistory } from "../../../src/history/verified-history.ts";
import { MemoryBacking } from "../../../src/store/memory-store.ts";
import { failureOf, MeshWorld, type TestCoordinator } from "../../fixtures/mesh.ts";
import { ScriptedStore, unreachable } from "../../fixtures/scripted-store.ts";

const GENERATIONS = 12;

let coordinator: TestCoordinator;
let history: VerifiedHistory;
beforeAll(async () => {
  const world = await MeshWorld.create();
  coordinator = await world.ready();
  for (let generation = 2; generation <= GENERATIONS; generation++)
    await coordinator.update(world.manifest({ workloads: [generation % 2 === 0 ? "db" : "web"] }));
  history = coordinator.history;
  return () => world.close();
});

/** A store with the same history, and what to look at it with. */
function copy() {
  const { documents, head } = coordinator.store.backing;
  const backing = new MemoryBacking();
  for (const [hash, bytes] of documents) backing.documents.set(hash, bytes);
  backing.setHead(head?.value);
  const store = new ScriptedStore(backing);
  return {
    ...{ store, backing },
    async look(known?: VerifiedHistory) {
      const before = store.calls.getDocument;
      const view = await viewHead(backing.head, store, { known });
      return { ...view, fetched: store.calls.getDocument - before };
    },
  };
}

/** Documents of whose lack a history breaks, by what they are. */
const LACKS: readonly (readonly [string, () => Sha256])[] = [
  ["a record", () => history.links[5]!.head.hash],
  ["the genesis", () => history.genesis.hash],
  ["a manifest", () => history.links[6]!.head.record.manifest],
  ["approvals", () => history.links[7]!.head.record.approvals!],
  ["a certificate of the head", () => history.record.meshCaCertificate],
];

describe("A broken history", () => {
  it.each(LACKS)("that lacks %s is walked once, and again when it is back", async (_what, of) => {
    const { backing, look } = copy();
    const hash = of();
    const bytes = backing.documents.get(hash)!;
    backing.documents.delete(hash);
    const first = await look();
    expect(first).toMatchObject({ observed: { kind: "unverified" }, history: undefined });
    expect(first.error?.code).toBe("verification-failed");
    expect(first.fetched).toBeGreaterThan(5);
    for (let reads = 0; reads < 20; reads++) expect(await look()).toEqual({ ...first, fetched: 1 });

    backing.documents.set(hash, utf8("other bytes"));
    expect((await look()).fetched).toBe(1);
    backing.documents.set(hash, bytes);
    const mended = await look();
    expect(mended.error).toBeUndefined();
    expect(mended.history?.recordHash).toBe(history.recordHash);
    expect((await look()).history?.recordHash).toBe(history.recordHash);
  });

  it("that nothing can mend is not read again at all", async () => {
    const { backing, look } = copy();
    const { engine } = coordinator.authority.state!.payload;
    const record: HistoryRecord = {
      ...history.record,
      generation: (GENERATIONS + 5) as HistoryRecord["generation"],
    };
    const signature = await engine.historyKey.sign(recordSigningBytes(record));
    backing.setHead(sealRecord(record, signature, sha256).bytes);
    const first = await look();
    expect(first.observed.kind).toBe("unverified");
    expect(first.fetched).toBeGreaterThan(0);
    expect(await look()).toEqual({ ...first, fetched: 0 });
  });

  it("is walked on from what is verified by now, and says what is wrong with another head", async () => {
    const { backing, look } = copy();
    backing.documents.delete(history.links[5]!.head.hash);
    await look();
    const known = history.upTo(history.links[8]!.head.hash);
    expect((await look(known)).history?.recordHash).toBe(history.recordHash);
    await look();
    backing.setHead(history.links[9]!.head.bytes);
    const other = await look();
    expect(other.observed).toMatchObject({ kind: "unverified", hash: history.links[9]!.head.hash });
    expect(other.fetched).toBeGreaterThan(1);
  });

  it("whose store finds the damage by itself is treated alike", async () => {
    const { store, look } = copy();
    const damaged = history.links[4]!.head.hash;
    const fail = () => Promise.reject(new QuorateError("store-corrupt", "the file is damaged"));
    store.onGetDocument = (hash) => (hash === damaged ? fail : (run) => run());
    const first = await look();
    expect(first.error).toMatchObject({ code: "store-corrupt", message: "the file is damaged" });
    expect(await look()).toEqual({ ...first, fetched: 1 });
    store.onGetDocument = undefined;
    expect((await look()).history?.recordHash).toBe(history.recordHash);
  });

  it("is no answer of a store that is out of reach", async () => {
    const { store, backing, look } = copy();
    backing.documents.delete(history.links[5]!.head.hash);
    await look();
    store.onGetDocument = () => unreachable;
    expect(await failureOf(look())).toMatchObject({ code: "store-unavailable" });
    store.onGetDocument = undefined;
    expect((await look()).fetched).toBe(1);
  });
});
