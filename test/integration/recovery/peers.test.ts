import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Address } from "../../../src/config/address.ts";
import { createLog } from "../../../src/observability/log.ts";
import { Discovery } from "../../../src/recovery/discovery.ts";
import { Peers } from "../../../src/recovery/peers.ts";
import {
  generateInstance,
  type InstanceIdentity,
} from "../../../src/transport/instance-identity.ts";
import { linesInto, MeshWorld } from "../../fixtures/mesh.ts";
import { eventually, linkPorts, startPeer } from "./fixture.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
});
afterAll(() => world.close());

/** All links to `peers`, where `names` are what DNS knows; closed with the test. */
async function openPeers(
  peers: readonly Address[],
  names: Record<string, readonly string[]> = {},
  instance?: InstanceIdentity,
) {
  const { ports } = await linkPorts(world, instance === undefined ? {} : { instance });
  const discovery = new Discovery({
    peers,
    log: createLog({ level: "silent", format: "json", destination: linesInto([]) }),
    lookup: (host) => Promise.resolve((names[host] ?? []).map((address) => ({ address }))),
    lookupMs: 5,
  });
  const all = new Peers(discovery, ports);
  onTestFinished(() => all.close());
  const connected = () =>
    all
      .list()
      .filter((link) => link.peer() !== undefined)
      .map(({ address }) => address);
  return { all, connected };
}

describe("the links to all peers", () => {
  it("come and go with the addresses, without a restart", async () => {
    const one = await startPeer(world, { name: "coordinator-1" });
    const two = await startPeer(world, { name: "coordinator-2" });
    const names: Record<string, readonly string[]> = { one: ["127.0.0.1"] };
    const { all, connected } = await openPeers(
      [
        { host: "one", port: one.port },
        { host: "two", port: two.port },
      ],
      names,
    );
    let changes = 0;
    const forget = all.onChange(() => (changes += 1));
    await eventually("the first", () => connected().join() === one.address);
    const [kept] = all.list();
    names["two"] = ["127.0.0.1"];
    await eventually("both", () => connected().join() === [one.address, two.address].join());
    expect(all.list()[0]).toBe(kept);
    expect(changes).toBeGreaterThanOrEqual(2);
    forget();
    const before = changes;
    names["one"] = [];
    await eventually("the second only", () => connected().join() === two.address);
    expect(changes).toBe(before);
    await eventually("the first's end", () => one.server.sessions().length === 0);
    expect(two.server.sessions()).toHaveLength(1);
  });

  it("leave out this very process", async () => {
    const instance = await generateInstance("coordinator-0");
    const own = await startPeer(world, { instance });
    const other = await startPeer(world);
    const { all, connected } = await openPeers(
      [own, other].map(({ port }) => ({ host: "127.0.0.1", port })),
      {},
      instance,
    );
    await eventually("the other", () => connected().join() === other.address);
    await eventually("oneself", () => all.list().length === 1);
    expect(all.list().map(({ address }) => address)).toEqual([other.address]);
  });

  it("keep an old and a new instance of one name apart", async () => {
    const ports = [await startPeer(world), await startPeer(world)];
    const { all, connected } = await openPeers(
      ports.map(({ port }) => ({ host: "127.0.0.1", port })),
    );
    await eventually("both", () => connected().length === 2);
    const instances = all.list().map((link) => link.peer()?.instance);
    expect(new Set(instances.map((each) => each?.name))).toEqual(new Set(["coordinator-1"]));
    expect(new Set(instances.map((each) => each?.id)).size).toBe(2);
  });

  it("end together, and stay ended", async () => {
    const peer = await startPeer(world);
    const { all, connected } = await openPeers([{ host: "127.0.0.1", port: peer.port }]);
    await eventually("the peer", () => connected().length === 1);
    const closed = all.close();
    expect(all.close()).toBe(closed);
    await closed;
    expect(all.list()).toEqual([]);
    await eventually("no session", () => peer.server.sessions().length === 0);
  });
});
