import { beforeAll, describe, expect, it, vi } from "vitest";
import { AuditLog } from "../../../src/observability/audit.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { Metrics } from "../../../src/observability/metrics.ts";
import { meshService } from "../../../src/services/mesh-api.ts";
import { Wakeups } from "../../../src/recovery/wakeups.ts";
import { MeshWorld, type TestCoordinator } from "../../fixtures/mesh.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
  return () => world.close();
});

/** The handler itself, for a workload that is judged by `identityUnder`. */
function watch(coordinator: TestCoordinator, identityUnder: () => unknown, signal: AbortSignal) {
  const now = () => world.now;
  const { authority } = coordinator;
  const audit = new AuditLog(undefined, now);
  const { implementation } = meshService({ authority, audit, metrics: new Metrics(), now });
  const session = {
    kind: "attested",
    remote: "test",
    peer: { proof: "fresh-quote", claims: { identityUnder } },
  };
  const handler = implementation["watchTrust"] as (
    request: unknown,
    context: unknown,
  ) => AsyncGenerator<{ recordHash: string }>;
  return handler({}, { session, signal });
}

/** Counts the listeners that `authority` has. */
function listeners({ authority }: TestCoordinator): () => number {
  let count = 0;
  const listen = authority.onChange.bind(authority);
  vi.spyOn(authority, "onChange").mockImplementation((listener) => {
    const forget = listen(listener);
    count++;
    return () => {
      count--;
      forget();
    };
  });
  return () => count;
}

describe("WatchTrust", () => {
  it.each([
    [
      "fails",
      async (coordinator: TestCoordinator) => {
        const excluded = () => {
          throw new QuorateError("attestation-failed", "excluded");
        };
        const stream = watch(coordinator, excluded, new AbortController().signal);
        await expect(stream.next()).rejects.toMatchObject({ code: "attestation-failed" });
      },
    ],
    [
      "is given up by its reader",
      async (coordinator: TestCoordinator) => {
        const stream = watch(coordinator, () => undefined, new AbortController().signal);
        expect((await stream.next()).value).toMatchObject({ generation: 1n });
        await stream.return(undefined);
      },
    ],
    [
      "is cancelled",
      async (coordinator: TestCoordinator) => {
        const abort = new AbortController();
        const stream = watch(coordinator, () => undefined, abort.signal);
        await stream.next();
        const end = stream.next();
        abort.abort();
        expect((await end).done).toBe(true);
      },
    ],
  ])("leaves no listener behind when it %s", async (_name, end) => {
    const coordinator = await world.ready();
    const count = listeners(coordinator);
    await end(coordinator);
    expect(count()).toBe(0);
  });

  it("tells what changed while its reader was busy, once", async () => {
    const coordinator = await world.ready();
    const abort = new AbortController();
    const stream = watch(coordinator, () => undefined, abort.signal);
    await stream.next();
    await coordinator.update(world.manifest({ workloads: ["db"] }));
    const { recordHash } = await coordinator.update(world.manifest());
    expect((await stream.next()).value).toMatchObject({ recordHash, generation: 3n });
    const end = stream.next();
    abort.abort();
    expect((await end).done).toBe(true);
  });
});

describe("Wakeups", () => {
  it("remember one that came before the sleep, and only one", async () => {
    const abort = new AbortController();
    const wakeups = new Wakeups(abort.signal);
    wakeups.wake();
    wakeups.wake();
    await wakeups.next();
    let woken = false;
    const sleeping = wakeups.next().then(() => (woken = true));
    await Promise.resolve();
    expect(woken).toBe(false);
    abort.abort();
    await sleeping;
    await wakeups.next();
  });
});
