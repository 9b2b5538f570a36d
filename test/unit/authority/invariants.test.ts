/** DESIGN section 12, invariants 4 and 6, against a schedule that a seeded adversary chooses. */
import { setImmediate as turn } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { Enforced } from "../../../src/authority/enforced.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { Prng } from "../../../src/core/prng.ts";
import { ALICE, BOB, MeshWorld, type TestCoordinator } from "../../fixtures/mesh.ts";
import { lostAnswer, ScriptedStore, unreachable } from "../../fixtures/scripted-store.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
  return () => world.close();
});

/** Some turns of the event loop, so that reads, swaps and their answers overtake each other. */
async function dawdle(turns: number): Promise<void> {
  for (let left = turns; left > 0; left--) await turn();
}

/** Delays everything by random turns, and lets some calls fail or lose their answer. */
function disturb({ store }: TestCoordinator, random: Prng): void {
  store.onReadHead = async (run) => {
    await dawdle(random.int(0, 3));
    if (random.chance(1 / 12)) return unreachable();
    const head = await run();
    await dawdle(random.int(0, 5));
    return head;
  };
  store.onSwapHead = async (run) => {
    await dawdle(random.int(0, 3));
    const lost = random.int(0, 5);
    const outcome = await (lost < 2 ? lostAnswer(lost === 0)(run) : run());
    await dawdle(random.int(0, 5));
    return outcome;
  };
}

/** Disturbances end in errors of the project, and in nothing else. */
function failed(cause: unknown): void {
  if (!(cause instanceof QuorateError)) throw cause;
}

async function until(work: () => Promise<unknown>): Promise<void> {
  while (!(await work().then(() => true, failed)));
}

/** What issuance does, and when it began. */
interface Issuance {
  /** Generation or epoch that had been acknowledged when it began. */
  readonly acknowledged: number;
  readonly issued: number;
}

describe("Invariant 4", () => {
  it.each([1, 2, 3, 4])(
    "no issuance that starts after an acknowledged update is answered under its predecessor (seed %i)",
    async (seed) => {
      const random = new Prng(seed);
      const coordinator = await world.ready();
      disturb(coordinator, random);
      let acknowledged = 1;
      let updating = true;
      const issuances: Issuance[] = [];
      let failures = 0;
      const issue = async (): Promise<void> => {
        while (updating) {
          const before = acknowledged;
          try {
            const state: Enforced = await coordinator.authority.confirm();
            issuances.push({ acknowledged: before, issued: state.history.record.generation });
          } catch (cause) {
            if (!(cause instanceof QuorateError)) throw cause;
            failures++;
          }
          await dawdle(random.int(0, 4));
        }
      };
      const update = async (): Promise<void> => {
        for (let generation = 2; generation <= 6; generation++) {
          const workloads = generation % 2 === 0 ? ["db"] : ["web"];
          const request = await coordinator.updateRequest(world.manifest({ workloads }));
          for (let done = false; !done;) {
            try {
              const state = await coordinator.set(request);
              expect(state.history.record.generation).toBe(generation);
              done = true;
            } catch (cause) {
              if (!(cause instanceof QuorateError)) throw cause;
              expect(["unavailable", "store-unavailable"]).toContain(cause.code);
            }
          }
          acknowledged = generation;
        }
        updating = false;
      };
      await Promise.all([update(), issue(), issue(), issue()]);
      for (const { acknowledged: at, issued } of issuances)
        expect(issued).toBeGreaterThanOrEqual(at);
      // The run proves something only if issuances met updates and disturbances.
      expect(new Set(issuances.map(({ issued }) => issued)).size).toBeGreaterThan(2);
      expect(failures).toBeGreaterThan(0);
      expect(coordinator.events("manifest-set")).toHaveLength(6);
      expect(coordinator.events("state-stale")).toHaveLength(0);
    },
    20_000,
  );
});

describe("Invariants 4 and 6", () => {
  it.each([21, 22, 23])(
    "hold where another instance takes over: the old one issues nothing that starts after it (seed %i)",
    async (seed) => {
      const random = new Prng(seed);
      const first = await world.ready();
      const { backing } = first.store;
      const instances = [first, await world.coordinator(new ScriptedStore(backing))];
      // Nobody is woken: only the read that belongs to each issuance can tell.
      for (const { store } of instances) store.deaf = true;
      for (const instance of instances) disturb(instance, random);
      let acknowledged = 1;
      let running = true;
      const issuances: Issuance[] = [];
      let refused = 0;
      const issue = async ({ authority }: TestCoordinator): Promise<void> => {
        while (running) {
          const before = acknowledged;
          await authority.confirm().then(
            ({ history }) => issuances.push({ acknowledged: before, issued: history.record.epoch }),
            () => refused++,
          );
          await dawdle(random.int(0, 4));
        }
      };
      const takeOver = async (): Promise<void> => {
        for (let epoch = 2; epoch <= 5; epoch++) {
          const next = instances[(epoch + 1) % 2]!;
          while (next.authority.history?.record.epoch !== epoch) {
            for (const person of [ALICE, BOB]) await next.submitShare(person).catch(failed);
          }
          await until(() => next.authority.confirm());
          acknowledged = epoch;
          await dawdle(20);
        }
        running = false;
      };
      await Promise.all([takeOver(), ...instances.map(issue), ...instances.map(issue)]);
      for (const { acknowledged: at, issued } of issuances)
        expect(issued).toBeGreaterThanOrEqual(at);
      expect(new Set(issuances.map(({ issued }) => issued)).size).toBeGreaterThan(2);
      expect(refused).toBeGreaterThan(10);
    },
    20_000,
  );
});

describe("Invariant 6", () => {
  it.each([11, 12])(
    "a stale state never becomes fresh, whatever the store shows (seed %i)",
    async (seed) => {
      const random = new Prng(seed);
      const coordinator = await world.ready();
      const { authority, store } = coordinator;
      store.deaf = true;
      const stale = await authority.confirm();
      const twin = await world.coordinator(store);
      await twin.recover();
      await expect(authority.confirm()).rejects.toMatchObject({ code: "recovery-needed" });
      const newest = store.backing.head?.value;
      const heads = [newest, stale.history.head.head.bytes, undefined, new Uint8Array([1])];
      const kinds = new Set<string>();
      for (let step = 0; step < 40; step++) {
        store.backing.setHead(heads[random.int(0, heads.length - 1)]);
        store.onReadHead = random.chance(1 / 5) ? unreachable : undefined;
        const outcome = await authority.confirm().then(
          () => "issued",
          (cause: unknown) => (cause instanceof QuorateError ? cause.code : "internal"),
        );
        kinds.add(outcome);
        expect(authority.lifecycle.kind).toBe("stale");
      }
      expect(kinds).toEqual(
        new Set(["recovery-needed", "rollback", "store-corrupt", "store-unavailable"]),
      );
      store.onReadHead = undefined;
      store.backing.setHead(newest);
      const recovered = await coordinator.recover();
      expect(recovered).not.toBe(stale);
      expect(recovered.history.record.epoch).toBe(3);
    },
  );
});
