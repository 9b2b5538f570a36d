/** Several coordinators over one store, in one process: everything but their sessions is real. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { enforceWithKey } from "../../../src/authority/enforced.ts";
import { unwrap } from "../../../src/core/result.ts";
import { SeedEngine } from "../../../src/crypto/index.ts";
import { ALICE, BOB, failureOf, MeshWorld, type TestCoordinator } from "../../fixtures/mesh.ts";
import { ScriptedStore } from "../../fixtures/scripted-store.ts";

const NAMES = ["coordinator-0", "coordinator-1", "coordinator-2"];
const FIRST = { coordinators: NAMES };
const SECOND = { coordinators: NAMES, workloads: ["web", "db"] };

let world: MeshWorld;
beforeEach(async () => {
  world = await MeshWorld.create();
});
afterEach(() => world.close());

/** Coordinators over stores that share one backing, none of them with a state. */
async function started(names = NAMES): Promise<TestCoordinator[]> {
  const first = new ScriptedStore();
  const stores = names.map((_, index) => (index === 0 ? first : new ScriptedStore(first.backing)));
  return Promise.all(names.map((name, index) => world.coordinator(stores[index], { name })));
}

/** Lets everybody that is in recovery mode recover from `giver`, as its driver does. */
function recovering(coordinators: readonly TestCoordinator[], giver: TestCoordinator): () => void {
  const forget = coordinators.map((each) =>
    each.authority.onChange(() => {
      if (!giver.reachable || !each.reachable) return;
      if (each.authority.lifecycle.kind === "ready") return;
      if (each.authority.history?.recordHash !== giver.authority.state?.place.hash) return;
      void each.recoverFrom(giver);
    }),
  );
  return () => {
    for (const each of forget) each();
  };
}

/** Three ready coordinators that enforce {@link FIRST}. */
async function ready(): Promise<[TestCoordinator, TestCoordinator, TestCoordinator]> {
  const [a, b, c] = await started();
  if (a === undefined || b === undefined || c === undefined) throw new Error("three were started");
  const stop = recovering([b, c], a);
  await a.genesis(world.manifest(FIRST));
  for (const each of [b, c]) await vi.waitFor(() => each.authority.confirm());
  stop();
  return [a, b, c];
}

const recordOf = ({ authority }: TestCoordinator) => authority.state?.place.hash;

describe("A genesis that names several coordinators", () => {
  it("answers once a majority holds its secrets, and all have the same mesh CA", async () => {
    const all = await ready();
    expect(new Set(all.map(recordOf)).size).toBe(1);
    expect(new Set(all.map(({ authority }) => authority.state?.payload.meshCa.keyId)).size).toBe(1);
  });

  it("is refused, with nothing done, while no majority is in reach", async () => {
    const [a] = await started(["coordinator-0"]);
    const error = await failureOf(a!.genesis(world.manifest(FIRST)));
    expect(error).toMatchObject({ code: "no-quorum" });
    expect(error.message).toContain("coordinator-1 (not connected)");
    expect(await a!.store.readHead()).toBeUndefined();
  });

  it("does not count a coordinator whose evidence the manifest does not accept", async () => {
    const store = new ScriptedStore();
    const a = await world.coordinator(store);
    const strange = { name: "coordinator-1", measurement: "changed" };
    await world.coordinator(new ScriptedStore(store.backing), strange);
    const error = await failureOf(a.genesis(world.manifest(FIRST)));
    expect(error).toMatchObject({ code: "no-quorum" });
    expect(error.message).toMatch(/coordinator-1 \(its evidence is not accepted: Other code/);
  });

  it("is refused if a coordinator in reach belongs to a mesh already", async () => {
    const [a, b] = await ready();
    const lost = await world.coordinator(new ScriptedStore(), { name: "coordinator-2" });
    const error = await failureOf(lost.genesis(world.manifest(FIRST)));
    expect(error).toMatchObject({ code: "already-exists" });
    expect(error.message).toContain(a.history.lineage);
    expect(recordOf(b)).toBe(recordOf(a));
  });

  it("is in force, and says that it is not durable, if nobody else gets the secrets in time", async () => {
    const [a, b, c] = await started();
    const error = await failureOf(a!.genesis(world.manifest(FIRST)));
    expect(error).toMatchObject({ code: "not-durable" });
    expect(error.message).toContain("1 of 3");
    expect(a!.authority.lifecycle.kind).toBe("ready");
    expect(a!.events("manifest-refused")).toEqual([]);
    await b!.authority.refresh();
    const again = a!.genesis(world.manifest(FIRST));
    expect(await b!.recoverFrom(a!)).toBe(true);
    expect((await again).recordHash).toBe(recordOf(a!));
    expect(c!.authority.lifecycle.kind).toBe("uninitialized");
  });
});

describe("A coordinator that recovers from a peer", () => {
  it("takes the secrets of the record that it verified, also if the store failed and was read again meanwhile", async () => {
    const [a, , c] = await ready();
    const again = await world.coordinator(new ScriptedStore(a.store.backing), {
      name: "coordinator-1",
    });
    const before = again.history;
    again.store.onReadHead = () => Promise.reject(new Error("away"));
    await expect(again.authority.refresh()).rejects.toThrow("away");
    again.store.onReadHead = undefined;
    await again.authority.refresh();
    const engine = new SeedEngine(c.authority.state!.payload.engine.exportSeedAndSalt());
    const key = c.authority.state!.payload.meshCa.exportPrivateKey();
    const state = unwrap(await enforceWithKey(before, engine, key, again));
    expect(again.authority.adopt(state)).toBe(true);
    expect((await again.authority.confirm()).recordHash).toBe(recordOf(a));
  });

  it("drops the secrets of a record that was succeeded meanwhile", async () => {
    const [a, b] = await ready();
    const again = await world.coordinator(new ScriptedStore(a.store.backing), {
      name: "coordinator-2",
    });
    const { engine, meshCa } = b.authority.state!.payload;
    const older = unwrap(
      await enforceWithKey(again.history, engine, meshCa.exportPrivateKey(), again),
    );
    await a.update(world.manifest(SECOND));
    await again.authority.refresh();
    expect(again.authority.adopt(older)).toBe(false);
    expect(again.authority.state).toBeUndefined();
  });
});

describe("An update at one of several coordinators", () => {
  it("is followed by the others with the key that it prepared with them, without asking for secrets", async () => {
    const [a, b, c] = await ready();
    const state = await b.update(world.manifest(SECOND));
    for (const each of [a, c]) {
      await vi.waitFor(() => expect(recordOf(each)).toBe(state.recordHash));
      expect(each.authority.state?.payload.meshCa.keyId).toBe(state.meshCa.keyId);
      expect(each.authority.lifecycle.kind).toBe("ready");
      expect(each.events("state-stale")).toEqual([]);
      expect(each.authority.prepares.records()).toEqual([]);
    }
  });

  it("survives the death of the coordinator that set it, right after the head has moved", async () => {
    const [a, b, c] = await ready();
    a.store.onSwapHead = async (run) => {
      const outcome = await run();
      a.reachable = false;
      return outcome;
    };
    void a.update(world.manifest(SECOND)).catch(() => undefined);
    for (const each of [b, c]) {
      await vi.waitFor(() => expect(each.authority.history?.record.generation).toBe(2));
      await each.authority.confirm();
      expect(each.authority.lifecycle.kind).toBe("ready");
    }
    expect(recordOf(b)).toBe(recordOf(c));
  });

  it("gives its key also to one that has not noticed the update before it", async () => {
    const [a, b, c] = await ready();
    c.store.deaf = true;
    await a.update(world.manifest(SECOND));
    b.reachable = false;
    const third = a.update(world.manifest(FIRST));
    await vi.waitFor(() => expect(a.history.record.generation).toBe(3));
    await c.authority.confirm();
    expect(recordOf(c)).toBe((await third).recordHash);
    expect(c.events("state-stale")).toEqual([]);
  });

  it("makes those stale that had no prepare, at the latest when somebody asks them for something", async () => {
    const [a, b, c] = await ready();
    c.reachable = false;
    c.store.deaf = true;
    const state = await a.update(world.manifest(SECOND));
    expect(recordOf(b)).toBe(state.recordHash);
    expect(await failureOf(c.authority.confirm())).toMatchObject({ code: "recovery-needed" });
    expect(c.authority.lifecycle.kind).toBe("stale");
    c.reachable = true;
    expect(await c.recoverFrom(b)).toBe(true);
    expect((await c.authority.confirm()).meshCa.keyId).toBe(state.meshCa.keyId);
  });

  it("wins alone if two are made of the same predecessor; the other one is told the new head", async () => {
    const [a, b, c] = await ready();
    const outcomes = await Promise.allSettled([
      a.update(world.manifest(SECOND)),
      b.update(world.manifest({ ...FIRST, workloads: ["web", "cache"] })),
    ]);
    const won = outcomes.filter((each) => each.status === "fulfilled");
    expect(won).toHaveLength(1);
    const lost = outcomes.find((each) => each.status === "rejected");
    const head = won[0]?.value.recordHash;
    expect(lost?.reason).toMatchObject({ code: "head-moved", details: { head } });
    for (const each of [a, b, c]) {
      await each.authority.refresh();
      expect(recordOf(each)).toBe(head);
      expect(each.authority.lifecycle.kind).toBe("ready");
    }
  });

  it("leaves a coordinator that it excludes without its secrets", async () => {
    const [a, b, c] = await ready();
    const state = await a.update(world.manifest({ coordinators: NAMES.slice(0, 2) }));
    await vi.waitFor(() => expect(c.authority.lifecycle.kind).toBe("stale"));
    expect(recordOf(b)).toBe(state.recordHash);
    expect(recordOf(c)).not.toBe(state.recordHash);
    // It does not wait for what never comes.
    const error = await failureOf(c.authority.confirm());
    expect(error).toMatchObject({ code: "recovery-needed" });
    expect(error.message).toContain("does not name this coordinator, coordinator-2");
  });

  it("is refused, with nothing done, while the others can't be reached", async () => {
    const [a, b, c] = await ready();
    b.reachable = false;
    c.reachable = false;
    const before = recordOf(a);
    expect(await failureOf(a.update(world.manifest(SECOND)))).toMatchObject({ code: "no-quorum" });
    expect((await a.authority.confirm()).recordHash).toBe(before);
  });
});

describe("A store that goes back under several coordinators", () => {
  it("is put right by a majority that agrees on the newest record", async () => {
    const [a, b, c] = await ready();
    const before = await a.store.readHead();
    const state = await a.update(world.manifest(SECOND));
    for (const each of [b, c])
      await vi.waitFor(() => expect(recordOf(each)).toBe(state.recordHash));
    a.store.backing.head = before;
    expect((await b.authority.confirm()).recordHash).toBe(state.recordHash);
    expect(b.events("store-reasserted")).toHaveLength(1);
  });

  it("is not overwritten by a coordinator that is alone: it issues nothing and says why", async () => {
    const [a, b, c] = await ready();
    const before = await a.store.readHead();
    const state = await a.update(world.manifest(SECOND));
    for (const each of [b, c])
      await vi.waitFor(() => expect(recordOf(each)).toBe(state.recordHash));
    b.reachable = false;
    c.reachable = false;
    a.store.backing.head = before;
    const error = await failureOf(a.authority.confirm());
    expect(error).toMatchObject({ code: "rollback" });
    expect(error.message).toContain("no majority of the coordinators confirms");
    expect((await a.store.readHead())?.version).toBe(before?.version);
    // It is asked about again and again, by the recheck and by every workload: the log says it once.
    const problems = () => a.logged.filter((line) => line.includes("not as it should be")).length;
    const said = problems();
    for (let i = 0; i < 3; i++) await a.authority.refresh();
    expect(problems()).toBe(said);
    b.reachable = true;
    expect((await a.authority.confirm()).recordHash).toBe(state.recordHash);
  });

  it("takes a record that a peer has only prepared for the newest one too", async () => {
    const [a, b, c] = await ready();
    const before = await a.store.readHead();
    for (const each of [b, c]) {
      each.store.deaf = true;
      each.store.onReadHead = () => Promise.resolve(before);
    }
    // Acknowledged by nobody yet: its swap went through, and the store forgets it.
    const outcome = a.update(world.manifest(SECOND)).catch(() => undefined);
    await vi.waitFor(() => expect(a.authority.state?.place.generation).toBe(2));
    a.store.backing.head = before;
    expect((await a.authority.confirm()).history.record.generation).toBe(2);
    for (const each of [b, c]) each.store.onReadHead = undefined;
    await Promise.all([b.authority.refresh(), c.authority.refresh()]);
    await outcome;
    expect(recordOf(b)).toBe(recordOf(a));
  });
});

describe("Recovery by share owners", () => {
  it("is refused while a ready coordinator can give the secrets, unless it is forced", async () => {
    const [a] = await ready();
    const restarted = await world.coordinator(new ScriptedStore(a.store.backing), {
      name: "coordinator-1",
    });
    const error = await failureOf(restarted.submitShare(ALICE));
    expect(error).toMatchObject({ code: "already-exists" });
    expect(error.message).toMatch(/coordinator-[02] is ready/);
    const stop = recovering(world.others(restarted), restarted);
    await restarted.submitShare(ALICE, { force: true });
    await restarted.submitShare(BOB, { force: true });
    const { history } = await restarted.authority.confirm();
    expect(history.record).toMatchObject({ kind: "recovery", epoch: 2 });
    // No two mesh CAs for one record, ever: the others follow.
    await vi.waitFor(() => expect(recordOf(a)).toBe(history.recordHash));
    expect(a.events("state-stale")).toHaveLength(1);
    stop();
  });

  it("is no refused share while nobody else holds the secrets yet: it waits on", async () => {
    const [a, b, c] = await ready();
    for (const each of [a, b, c]) each.reachable = false;
    const alone = await world.coordinator(new ScriptedStore(a.store.backing));
    await alone.submitShare(ALICE);
    const error = await failureOf(alone.submitShare(BOB));
    expect(error).toMatchObject({ code: "not-durable" });
    expect((await alone.authority.confirm()).history.record.kind).toBe("recovery");
    expect(alone.events("recovered")).toHaveLength(1);
    expect(alone.events("share-refused")).toEqual([]);
  });
});
