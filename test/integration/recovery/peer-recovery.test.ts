/** Coordinators with their ports, over one store: what they do for each other by themselves. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Mode } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { MeshWorld, type ManifestChoices } from "../../fixtures/mesh.ts";
import { type Running, setOverApi, startCoordinator } from "../../fixtures/running.ts";
import { ScriptedStore } from "../../fixtures/scripted-store.ts";
import { choosePorts } from "../cluster/ports.ts";

const NAMES = ["coordinator-0", "coordinator-1", "coordinator-2"];
const FIRST: ManifestChoices = { coordinators: NAMES };

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
});
afterAll(() => world.close());

/** The peers' ports of three coordinators, and a way to start each of them. */
async function mesh() {
  const first = new ScriptedStore();
  const ports = await choosePorts(NAMES.length);
  const addresses = ports.map((port) => ({ host: "127.0.0.1", port }));
  const start = (index: number, options: Parameters<typeof startCoordinator>[2] = {}) =>
    startCoordinator(world, new ScriptedStore(first.backing), {
      name: NAMES[index] ?? "",
      ...(addresses[index] === undefined ? {} : { peerAddress: addresses[index] }),
      peers: addresses.filter((_, other) => other !== index),
      ...options,
    });
  return { start, backing: first.backing };
}

const modeOf = async ({ user }: Running) => (await user.getStatus({})).mode;
const isReady = (running: Running) =>
  vi.waitFor(async () => expect(await modeOf(running)).toBe(Mode.READY), { timeout: 10_000 });

describe("Coordinators that know of each other", () => {
  it("share the secrets of a genesis, and of every update, by themselves", async () => {
    const { start } = await mesh();
    const [a, b, c] = await Promise.all([start(0), start(1), start(2)]);
    const first = await setOverApi(a, world.manifest(FIRST));
    await Promise.all([b, c].map(isReady));
    const { lineage } = (await b.user.getStatus({})).head ?? { lineage: "" };
    const place = { lineage, previous: first.recordHash };
    const second = await setOverApi(b, world.manifest({ ...FIRST, workloads: ["db"] }), place);
    for (const each of [a, b, c]) {
      await vi.waitFor(async () =>
        expect((await each.user.getStatus({})).head?.recordHash).toBe(second.recordHash),
      );
      await isReady(each);
    }
    expect(a.audited.join()).toContain('"secrets-given"');
    // The update came with its prepare: nobody had to ask for it.
    expect([a, c].flatMap(({ audited }) => audited).join()).not.toContain("state-stale");
  });

  it("bring back one that has restarted, and show it in their status", async () => {
    const { start } = await mesh();
    const [a, b] = await Promise.all([start(0), start(1)]);
    await setOverApi(a, world.manifest(FIRST));
    await isReady(b);
    await b.coordinator.stop();
    const again = await start(1);
    await isReady(again);
    const status = await again.user.getStatus({});
    expect(status.lastRecovery).toMatchObject({ from: "coordinator-0" });
    expect(again.audited.join()).toContain('"recovered-from-peer"');
    await vi.waitFor(async () => {
      const { peers } = await a.user.getStatus({});
      const peer = peers.find(({ name }) => name === "coordinator-1");
      expect(peer).toMatchObject({ mode: Mode.READY, problem: "", generation: 1n });
      expect(peer?.instanceId).toBe(status.instance?.id);
    });
  });

  it("give nothing to a TEE that the manifest does not accept as a coordinator", async () => {
    const { start } = await mesh();
    const [a, b] = await Promise.all([start(0), start(1)]);
    await setOverApi(a, world.manifest(FIRST));
    await isReady(b);
    const stranger = await start(2, { quoter: world.quoter("coordinator", "changed") });
    await vi.waitFor(async () => {
      const { peers } = await stranger.user.getStatus({});
      expect(peers.map(({ problem }) => problem).join()).toContain("not a coordinator");
    });
    expect(await modeOf(stranger)).toBe(Mode.AWAITING_RECOVERY);
    expect(a.audited.join()).not.toContain('"peer":"coordinator-2"');
  });

  it("end the sessions of one that an update excludes", async () => {
    const { start } = await mesh();
    const [a, b, c] = await Promise.all([start(0), start(1), start(2)]);
    const first = await setOverApi(a, world.manifest(FIRST));
    await Promise.all([b, c].map(isReady));
    const { lineage } = (await a.user.getStatus({})).head ?? { lineage: "" };
    const next = world.manifest({ coordinators: NAMES.slice(0, 2) });
    await setOverApi(a, next, { lineage, previous: first.recordHash });
    await vi.waitFor(async () => expect(await modeOf(c)).toBe(Mode.STALE));
    expect(await modeOf(b)).toBe(Mode.READY);
  });

  it("put back what the store has lost under its head, so that one that restarts can read the history", async () => {
    const { start, backing } = await mesh();
    const [a, b] = await Promise.all([start(0), start(1)]);
    await setOverApi(a, world.manifest(FIRST));
    await isReady(b);
    await b.coordinator.stop();
    const before = new Map(backing.documents);
    backing.documents.clear();
    const again = await start(1);
    expect((await again.user.getStatus({})).hint).toContain("puts back what it has");
    await isReady(again);
    expect(new Map(backing.documents)).toEqual(before);
  });
});
