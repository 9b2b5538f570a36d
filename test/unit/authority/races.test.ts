/** The races that a single coordinator's changes can run into, each by name. */
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Enforced } from "../../../src/authority/enforced.ts";
import type { SwapOutcome } from "../../../src/store/store.ts";
import { ALICE, BOB, CAROL, failureOf, MeshWorld } from "../../fixtures/mesh.ts";
import { lostAnswer, ScriptedStore, unreachable } from "../../fixtures/scripted-store.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
  return () => world.close();
});

/** Lets the settling time of an ambiguous swap pass without waiting for it. */
async function withoutWaiting<T>(work: () => Promise<T>): Promise<T> {
  const clock = vi.spyOn(performance, "now");
  let elapsed = 0;
  clock.mockImplementation(() => (elapsed += 3_000));
  try {
    return await work();
  } finally {
    clock.mockRestore();
  }
}

/** A point that one side waits at until the other side lets it go. */
function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

describe("An own update and its watch event", () => {
  it.each(["before", "after"] as const)(
    "is activated once, whether the event comes %s the answer of the swap",
    async (when) => {
      const coordinator = await world.ready();
      const { store, authority } = coordinator;
      const states: (string | undefined)[] = [];
      authority.onChange(() => states.push(authority.state?.place.hash));
      if (when === "before") {
        store.onSwapHead = async (run) => {
          const outcome = await run();
          // The watch wakes its reader, which follows the head, before the swap's own answer is there.
          await expect.poll(() => authority.history?.record.generation).toBe(2);
          return outcome;
        };
      } else store.deaf = true;
      const state = await coordinator.update(world.manifest({ workloads: ["db"] }));
      if (when === "after") store.backing.setHead(store.backing.head?.value);
      await authority.refresh();
      expect(await authority.confirm()).toBe(state);
      expect(new Set(states)).toEqual(new Set([state.recordHash]));
      expect(coordinator.events("manifest-set")).toHaveLength(2);
      expect(coordinator.events("state-stale")).toHaveLength(0);
    },
  );
});

describe("Two quick updates", () => {
  it("of the same predecessor: one wins, the other one is told the new head", async () => {
    const coordinator = await world.ready();
    const requests = await Promise.all(
      ["db", "cache"].map((name) =>
        coordinator.updateRequest(world.manifest({ workloads: [name] })),
      ),
    );
    const [first, second] = await Promise.allSettled(requests.map((each) => coordinator.set(each)));
    expect(first?.status).toBe("fulfilled");
    expect(second).toMatchObject({
      status: "rejected",
      reason: { code: "head-moved", details: { head: coordinator.history.recordHash } },
    });
    expect(coordinator.history.record.generation).toBe(2);
  });

  it("that are the same: both succeed, and one record is made", async () => {
    const coordinator = await world.ready();
    const request = await coordinator.updateRequest(world.manifest({ workloads: ["db"] }));
    const [first, second] = await Promise.all([coordinator.set(request), coordinator.set(request)]);
    expect(first).toBe(second);
    expect(coordinator.history.record.generation).toBe(2);
  });

  it("one after the other become generations 2 and 3", async () => {
    const coordinator = await world.ready();
    await coordinator.update(world.manifest({ workloads: ["db"] }));
    const state = await coordinator.update(world.manifest({ workloads: ["web"] }));
    expect(state.history.record.generation).toBe(3);
    expect(await coordinator.authority.confirm()).toBe(state);
  });

  it("from two instances over one store: one is refused, and nothing is lost", async () => {
    const coordinator = await world.ready();
    const twin = await world.coordinator(coordinator.store);
    await twin.recover();
    // The old instance has not heard of the recovery yet.
    coordinator.store.deaf = true;
    const request = await coordinator.updateRequest(world.manifest({ workloads: ["db"] }));
    const error = await failureOf(coordinator.set(request));
    expect(error.code).toBe("recovery-needed");
    expect(coordinator.store.backing.head?.value).toEqual(twin.history.head.head.bytes);
  });
});

describe("An update during recovery", () => {
  it("is refused until the recovery is done, then succeeds", async () => {
    const first = await world.ready();
    const request = await first.updateRequest(world.manifest({ workloads: ["db"] }));
    const coordinator = await world.coordinator(first.store);
    await coordinator.submitShare(ALICE);
    expect(await failureOf(coordinator.set(request))).toMatchObject({ code: "recovery-needed" });
    let updating: Promise<Enforced> | undefined;
    coordinator.store.onSwapHead = (run) => {
      // It comes in the middle of the recovery, and waits for its turn.
      updating ??= coordinator.set(request);
      return run();
    };
    const recovered = await coordinator.submitShare(BOB);
    const updated = await updating!;
    expect(recovered.record).toBeDefined();
    expect(updated.history.record).toMatchObject({ generation: 2, epoch: 2 });
  });

  it("by the old instance makes the last share start over on the new head", async () => {
    const first = await world.ready();
    const coordinator = await world.coordinator(first.store);
    const verified = coordinator.history.recordHash;
    await coordinator.submitShare(ALICE);
    await first.update(world.manifest({ workloads: ["db"] }));
    await coordinator.submitShare(BOB, { verifiedRecord: verified });
    const { record } = (await coordinator.authority.confirm()).history;
    expect(record).toMatchObject({ kind: "recovery", generation: 2, epoch: 2 });
    await first.authority.refresh();
    expect(first.authority.lifecycle.kind).toBe("stale");
  });

  it("between the last share's read and its swap is a conflict that overwrites nothing", async () => {
    const first = await world.ready();
    const store = new ScriptedStore(first.store.backing);
    const coordinator = await world.coordinator(store);
    await coordinator.submitShare(ALICE);
    store.onSwapHead = async (run) => {
      store.onSwapHead = undefined;
      await first.update(world.manifest({ workloads: ["db"] }));
      return run();
    };
    const error = await failureOf(coordinator.submitShare(BOB));
    expect(error.code).toBe("head-moved");
    expect(store.backing.head?.value).toEqual(first.history.head.head.bytes);
    // Both shares are still there, and open the new head's seed too: the same call resumes.
    const progress = await coordinator.submitShare(BOB);
    expect(progress.record).toBeDefined();
    expect(coordinator.history.record).toMatchObject({ generation: 2, epoch: 2 });
  });
});

describe("A lost answer, then the same call again", () => {
  it("finds the change that took effect", async () => {
    const coordinator = await world.ready();
    const { store } = coordinator;
    const request = await coordinator.updateRequest(world.manifest({ workloads: ["db"] }));
    store.onSwapHead = async (run) => {
      const outcome = await run();
      // The confirming read fails, so that the caller gets no answer although the head has moved.
      store.onReadHead = unreachable;
      return outcome;
    };
    expect(await failureOf(coordinator.set(request))).toMatchObject({ code: "store-unavailable" });
    store.onReadHead = undefined;
    store.onSwapHead = undefined;
    const state = await coordinator.set(request);
    expect(state.history.record.generation).toBe(2);
    expect(store.calls.swapHead).toBe(2);
    expect(coordinator.events("manifest-set")).toHaveLength(2);
  });

  it("of a swap is settled within the first call if the store recovers in time", async () => {
    const coordinator = await world.ready();
    const { store } = coordinator;
    store.onSwapHead = async (run) => {
      store.onSwapHead = undefined;
      return lostAnswer(true)(run);
    };
    const state = await coordinator.update(world.manifest({ workloads: ["db"] }));
    expect(await coordinator.authority.confirm()).toBe(state);
  });

  it("of the first manifest finds it, keys included", async () => {
    const coordinator = await world.coordinator();
    const { store } = coordinator;
    store.deaf = true;
    const request = await coordinator.genesisRequest(world.manifest());
    store.onSwapHead = lostAnswer(true);
    expect(await failureOf(withoutWaiting(() => coordinator.set(request)))).toMatchObject({
      code: "unavailable",
    });
    store.onSwapHead = undefined;
    const state = await coordinator.set(request);
    expect(await coordinator.authority.confirm()).toBe(state);
    expect(state.history.record.generation).toBe(1);
    state.engine.workloadSecret("web").dispose();
  });

  it("of the last share answers as the first time, and forgets the shares", async () => {
    const first = await world.ready();
    const store = new ScriptedStore(first.store.backing);
    const coordinator = await world.coordinator(store);
    store.deaf = true;
    const verifiedRecord = coordinator.history.recordHash;
    await coordinator.submitShare(ALICE);
    store.onSwapHead = lostAnswer(true);
    expect(
      await failureOf(withoutWaiting(() => coordinator.submitShare(BOB, { verifiedRecord }))),
    ).toMatchObject({ code: "unavailable" });
    store.onSwapHead = undefined;
    const progress = await coordinator.submitShare(BOB, { verifiedRecord });
    expect(progress).toMatchObject({ received: 2, threshold: 2 });
    expect(progress.record).toEqual(coordinator.history.head.head.bytes);
    expect(coordinator.history.record.epoch).toBe(2);
    expect(coordinator.events("recovered")).toMatchObject([
      { shareOwners: [ALICE.shareKeyId, BOB.shareKeyId] },
    ]);
    // Nobody else's call counts as done.
    expect(await failureOf(coordinator.submitShare(CAROL))).toMatchObject({
      code: "not-ready",
    });
  });
});

describe("A swap whose answer is ambiguous", () => {
  /** Gives up waiting for the swap; `land` lets it take effect later. */
  async function pendingUpdate() {
    const coordinator = await world.ready();
    const { store } = coordinator;
    const before = await coordinator.authority.confirm();
    const request = await coordinator.updateRequest(world.manifest({ workloads: ["db"] }));
    let late: (() => Promise<SwapOutcome>) | undefined;
    store.onSwapHead = (run) => {
      late ??= run;
      return Promise.resolve({ outcome: "unknown", cause: new Error("no answer") });
    };
    const error = await failureOf(withoutWaiting(() => coordinator.set(request)));
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.hint).toContain("repeat");
    return { coordinator, store, request, before, land: () => late!() };
  }

  it("and that lands late is followed with the keys that were prepared", async () => {
    const { coordinator, store, before, land } = await pendingUpdate();
    expect(await coordinator.authority.confirm()).toBe(before);
    store.onSwapHead = undefined;
    await land();
    const state = await coordinator.authority.confirm();
    expect(state.history.record.generation).toBe(2);
    expect(coordinator.authority.lifecycle.kind).toBe("ready");
    expect(coordinator.events("manifest-set")).toHaveLength(2);
  });

  it("and that lands after its repetition failed for certain is still followed", async () => {
    const { coordinator, store, request, land } = await pendingUpdate();
    // The repeated call can't even put the documents: that says nothing about the first attempt.
    store.onPutDocument = unreachable;
    expect(await failureOf(coordinator.set(request))).toMatchObject({ code: "store-unavailable" });
    store.onPutDocument = undefined;
    store.onSwapHead = unreachable;
    expect(await failureOf(coordinator.set(request))).toMatchObject({ code: "store-unavailable" });
    store.onSwapHead = undefined;
    await land();
    const state = await coordinator.authority.confirm();
    expect(state.history.record.generation).toBe(2);
    expect(coordinator.authority.lifecycle.kind).toBe("ready");
    expect(await coordinator.set(request)).toBe(state);
  });

  it("and that never lands is made true by the repeated call", async () => {
    const { coordinator, store, request } = await pendingUpdate();
    store.onSwapHead = undefined;
    const state = await coordinator.set(request);
    expect(state.history.record.generation).toBe(2);
  });

  it("is settled before another change is computed", async () => {
    const { coordinator, store, request } = await pendingUpdate();
    store.onSwapHead = undefined;
    const other = await coordinator.updateRequest(world.manifest({ workloads: ["cache"] }));
    expect(await failureOf(coordinator.set(other))).toMatchObject({ code: "head-moved" });
    expect((await coordinator.set(request)).history.record.generation).toBe(2);
  });

  it("is given up once another record took its place", async () => {
    const { coordinator, store, request } = await pendingUpdate();
    store.onSwapHead = undefined;
    store.deaf = true;
    const twin = await world.coordinator(store);
    await twin.recover();
    expect(await failureOf(coordinator.set(request))).toMatchObject({ code: "recovery-needed" });
    expect(coordinator.history.recordHash).toBe(twin.history.recordHash);
  });

  it("is not forgotten while the store shows a fork", async () => {
    const { coordinator, store, request, land } = await pendingUpdate();
    const head = store.backing.head;
    store.deaf = true;
    store.backing.setHead((await world.ready()).store.backing.head?.value);
    expect(await failureOf(coordinator.set(request))).toMatchObject({ code: "fork" });
    store.backing.head = head;
    store.onSwapHead = undefined;
    await land();
    expect((await coordinator.authority.confirm()).history.record.generation).toBe(2);
  });
});

describe("A store that says committed and then shows the predecessor", () => {
  it("does not undo the change: the record is enforced, and put back", async () => {
    const coordinator = await world.ready();
    const { store, authority } = coordinator;
    store.deaf = true;
    const old = store.backing.head?.value;
    store.onSwapHead = async (run) => {
      store.onSwapHead = undefined;
      const outcome = await run();
      store.backing.setHead(old);
      return outcome;
    };
    const state = await coordinator.update(world.manifest({ workloads: ["db"] }));
    expect(await authority.confirm()).toBe(state);
    expect(store.backing.head?.value).toEqual(state.history.head.head.bytes);
    expect(coordinator.events("store-reasserted")).toMatchObject([{ shown: "rollback" }]);
  });
});

/** The next read of the head is made at once, and answered only when the function that this returns is called. */
function holdOneRead(store: ScriptedStore): () => void {
  const { open, opened } = gate();
  store.onReadHead = async (run) => {
    store.onReadHead = undefined;
    const head = await run();
    await opened;
    return head;
  };
  return open;
}

describe("A read that was slow", () => {
  it("does not answer an issuance that began after another instance took over", async () => {
    const coordinator = await world.ready();
    const { store, authority } = coordinator;
    store.deaf = true;
    const open = holdOneRead(store);
    const early = authority.confirm();
    await (await world.coordinator(new ScriptedStore(store.backing))).recover();
    const late = failureOf(authority.confirm());
    open();
    expect((await early).history.record.epoch).toBe(1);
    expect(await late).toMatchObject({ code: "recovery-needed" });
  });

  it("does not take a new record for a rollback", async () => {
    const coordinator = await world.ready();
    const { store, authority } = coordinator;
    store.deaf = true;
    const open = holdOneRead(store);
    const slow = authority.refresh();
    const updating = coordinator.update(world.manifest({ workloads: ["db"] }));
    open();
    const state = await updating;
    await slow;
    expect(await authority.confirm()).toBe(state);
    expect(coordinator.events("store-reasserted")).toHaveLength(0);
  });
});
