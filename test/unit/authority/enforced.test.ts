import { beforeAll, describe, expect, it } from "vitest";
import { trustBundle } from "../../../src/authority/enforced.ts";
import { MeshWorld } from "../../fixtures/mesh.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
  return () => world.close();
});

const LIFETIME = 600;

describe("The trust bundle", () => {
  it("holds root and mesh CA; after an update the old mesh CA is gone at once", async () => {
    const coordinator = await world.ready({ leafLifetimeSeconds: LIFETIME });
    const first = await coordinator.authority.confirm();
    const { root, meshCa } = first.meshCa.certificates;
    expect(trustBundle(first, world.now)).toEqual([root, meshCa.selfSigned]);
    const second = await coordinator.update(world.manifest({ leafLifetimeSeconds: LIFETIME }));
    expect(trustBundle(second, world.now)).toEqual([
      root,
      second.meshCa.certificates.meshCa.selfSigned,
    ]);
  });

  it("keeps the mesh CA before a recovery for one leaf lifetime", async () => {
    const before = await world.ready({ leafLifetimeSeconds: LIFETIME });
    const first = await before.authority.confirm();
    const coordinator = await world.coordinator(before.store);
    const recovered = await coordinator.recover();
    const { root, meshCa } = recovered.meshCa.certificates;
    const old = first.meshCa.certificates.meshCa.selfSigned;
    const end = Date.parse(recovered.history.record.createdAt) + LIFETIME * 1000;
    expect(trustBundle(recovered, end - 1)).toEqual([root, meshCa.selfSigned, old]);
    expect(trustBundle(recovered, end)).toEqual([root, meshCa.selfSigned]);
  });

  it("gives every mesh CA below several recoveries its own end, and drops all at the next update", async () => {
    const first = await world.ready({ leafLifetimeSeconds: LIFETIME });
    const states = [await first.authority.confirm()];
    const start = world.now;
    for (let recovery = 1; recovery <= 2; recovery++) {
      world.now = start + recovery * 100_000;
      states.push(await (await world.coordinator(first.store)).recover());
    }
    world.now = start;
    const [genesis, once, twice] = states.map(
      ({ meshCa }) => meshCa.certificates.meshCa.selfSigned,
    );
    const earlier = (now: number) => trustBundle(states[2]!, now).slice(1);
    expect(earlier(start + 200_000)).toEqual([twice, once, genesis]);
    expect(earlier(start + 100_000 + LIFETIME * 1000)).toEqual([twice, once]);
    expect(earlier(start + 200_000 + LIFETIME * 1000)).toEqual([twice]);

    const last = await world.coordinator(first.store);
    await last.recover();
    const updated = await last.update(world.manifest());
    expect(updated.earlierMeshCas).toEqual([]);
  });
});
