import { cp, readdir, readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CoordinatorClient } from "../../../src/cli/coordinator-client.ts";
import { parseAddress } from "../../../src/config/address.ts";
import { testIo } from "../../cli/in-process.ts";
import { eventually, PATIENCE_MILLIS } from "./processes.ts";
import { ACCEPT_DEV, manifest, PINS, type RunningCoordinator, World } from "./world.ts";

let world: World;
let coordinator: RunningCoordinator;

beforeAll(async () => {
  world = await World.create();
  coordinator = await world.coordinator();
  await world.set("manifest.json", coordinator.user, "genesis");
  await world.verify(coordinator.user);
  await world.ok(...world.sidecarArguments(coordinator.mesh, "web", "before", "--once"));
  // Copies of an early moment, for stores that go back and verifiers that do not know better.
  await cp(world.file("store"), world.file("early-store"), { recursive: true });
  await cp(world.file("verified"), world.file("early-verified"), { recursive: true });
  await world.batch(manifest("next.json", ["web"]));
  await world.set("next.json", coordinator.user, "verified");
  await world.verify(coordinator.user);
});
afterAll(() => world.close());

const at = (user: string): string[] => ["-c", user, ACCEPT_DEV];

async function modeOf({ user }: RunningCoordinator): Promise<unknown> {
  return (await world.json("status", ...at(user)))["mode"];
}

/** Submits something as a share for `instanceId`, which quorate recover would never do to another instance. */
async function submitTo(instanceId: string): Promise<unknown> {
  const client = new CoordinatorClient(testIo({}).io, {
    coordinator: parseAddress(coordinator.user, { host: "", port: 0 }),
    timeout: PATIENCE_MILLIS,
    acceptInsecureDevAttestation: true,
  });
  const hash = "ab".repeat(32);
  const share = { keyId: hash, verifiedRecord: hash, encryptedShare: new Uint8Array(64) };
  try {
    return await client.user.recover({ instanceId, ...share }, client.call);
  } finally {
    client.close();
  }
}

describe("a coordinator that was restarted", () => {
  it("serves nothing but its history until it is recovered", async () => {
    await coordinator.process.kill();
    coordinator = await world.coordinator();
    expect(coordinator.mode).toBe("awaiting-recovery");
    const status = await world.json("status", ...at(coordinator.user));
    expect(status).toMatchObject({
      mode: "awaiting-recovery",
      head: { generation: 2, epoch: 1 },
      recovery: { received: 0, threshold: 2, lastVerifiedGeneration: 2 },
      hint: expect.stringContaining("let share owners run quorate recover") as unknown,
    });
    const verified = await world.verify(coordinator.user, "seen-down");
    expect(verified).toMatchObject({ mode: "awaiting-recovery", generation: 2 });
    const sidecar = world.sidecarArguments(coordinator.mesh, "web", "down", "--once");
    expect(await world.run(...sidecar)).toMatchObject({ code: 7, stdout: "" });
    const set = await world.setArguments("manifest.json", coordinator.user, "verified");
    expect(await world.run(...set)).toMatchObject({ code: 7, stdout: "" });
  });

  it("takes no share from a wrong key, or from an owner who has verified nothing", async () => {
    const recover = (key: string, verified: string) =>
      world.run(
        ...["recover", "--share-key", key, "--verified", verified, ...at(coordinator.user)],
      );
    const owner = await recover("alice.key.pem", "verified");
    expect(owner.code).toBe(1);
    expect(owner.stderr).toContain("is not the key of a share owner of the enforced manifest");
    const nothing = await recover("alice-share.key.pem", "nowhere");
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toContain("hint: copy the folder of the last quorate verify here");
    expect(await world.json("status", ...at(coordinator.user))).toMatchObject({
      recovery: { received: 0 },
    });
  });

  it("counts each owner once, forgets shares with its process, and recovers with two of three", async () => {
    const { instance } = await world.json("status", ...at(coordinator.user));
    const first = await world.recover(coordinator.user, "alice");
    expect(JSON.parse(first.stdout)).toMatchObject({ received: 1, threshold: 2, recovered: false });
    const again = await world.recover(coordinator.user, "alice");
    expect(again).toMatchObject({ code: 6, stdout: "" });

    await coordinator.process.kill();
    coordinator = await world.coordinator();
    // A share on its way to the instance of before is of no use to this one, whoever passes it on.
    await expect(submitTo(String(instance))).rejects.toMatchObject({
      code: "not-found",
      hint: expect.stringContaining("has restarted since") as unknown,
    });
    const bob = await world.recover(coordinator.user, "bob");
    expect(JSON.parse(bob.stdout)).toMatchObject({ received: 1, recovered: false });
    const carol = await world.recover(coordinator.user, "carol");
    expect(JSON.parse(carol.stdout)).toMatchObject({ received: 2, recovered: true });
    expect(await modeOf(coordinator)).toBe("ready");
    const late = await world.recover(coordinator.user, "alice");
    expect(late).toMatchObject({ code: 7, stdout: "" });
    const after = await world.verify(coordinator.user);
    expect(after).toMatchObject({ mode: "ready", generation: 2, epoch: 2, firstVisit: false });
  });

  it("gives workloads the secret of before under a new mesh CA", async () => {
    await world.ok(...world.sidecarArguments(coordinator.mesh, "web", "after", "--once"));
    const read = (folder: string, file: string) => readFile(world.file(folder, file));
    expect(await read("after", "secret")).toEqual(await read("before", "secret"));
    expect(await read("after", "root-ca.pem")).toEqual(await read("before", "root-ca.pem"));
    expect(await read("after", "mesh-ca.pem")).not.toEqual(await read("before", "mesh-ca.pem"));
  });
});

describe("continuity", () => {
  it("exposes a store that went back, to verifiers and share owners, with code 4", async () => {
    const rolledBack = await world.coordinator("early-store");
    const before = await readFile(world.file("verified", "last-seen.json"));
    const verify = ["verify", "--out", "verified", ...PINS, ...at(rolledBack.user)];
    const verifier = await world.run(...verify);
    expect(verifier).toMatchObject({ code: 4, stdout: "" });
    expect(verifier.stderr).toContain("error: the history went back: last time it stood at");
    expect(await readFile(world.file("verified", "last-seen.json"))).toEqual(before);
    const owner = await world.recover(rolledBack.user, "alice");
    expect(owner.code).toBe(4);
    expect(owner.stderr).toContain("error: the history went back");

    // Those who saw no more than that store shows can bring it back: the branch that makes is no secret to the others.
    await world.recover(rolledBack.user, "alice", "early-verified");
    const forked = await world.recover(rolledBack.user, "bob", "early-verified");
    expect(JSON.parse(forked.stdout)).toMatchObject({ recovered: true });
    const fork = await world.run(...verify);
    expect(fork).toMatchObject({ code: 4, stdout: "" });
    await rolledBack.process.kill();
  });

  it("refuses another lineage with code 4, although the same owners founded it", async () => {
    const other = await world.coordinator("other-store");
    await world.set("manifest.json", other.user, "genesis");
    const verify = ["verify", "--out", "verified", ...PINS, ...at(other.user)];
    const verifier = await world.run(...verify);
    expect(verifier).toMatchObject({ code: 4, stdout: "" });
    expect(verifier.stderr).toContain("error: this coordinator serves another lineage");
    const { lineage } = await world.verify(coordinator.user);
    const pinned = ["verify", "--out", "pinned", "--lineage", String(lineage)];
    expect(await world.run(...pinned, ...at(other.user))).toMatchObject({ code: 4 });
    expect(await world.run(...pinned, ...at(coordinator.user))).toMatchObject({ code: 0 });
    await other.process.kill();
  });
});

describe("a second coordinator over the same store", () => {
  it("waits for recovery; once recovered, the first is stale and issues nothing more", async () => {
    const second = await world.coordinator();
    expect(second.mode).toBe("awaiting-recovery");
    expect(await modeOf(coordinator)).toBe("ready");
    await world.recover(second.user, "alice");
    await world.recover(second.user, "carol");
    expect(await modeOf(second)).toBe("ready");
    const web = (mesh: string) =>
      world.run(...world.sidecarArguments(mesh, "web", "two", "--once"));
    expect(await web(coordinator.mesh)).toMatchObject({ code: 7, stdout: "" });
    expect(await modeOf(coordinator)).toBe("stale");
    expect(await web(second.mesh)).toMatchObject({ code: 0 });
    expect(await world.verify(second.user)).toMatchObject({ epoch: 3 });
    await second.process.kill();
  });
});

describe("SIGTERM", () => {
  it("lets a running set finish, then ends the coordinator with code 0", async () => {
    const { process, user } = await world.coordinator("drained-store");
    const set = await world.setArguments("manifest.json", user, "genesis");
    const documents = (): Promise<number> =>
      readdir(world.file("drained-store"), { recursive: true }).then((names) => names.length);
    const empty = await documents();
    const setting = world.run(...set);
    await eventually("documents of the new record", async () => (await documents()) > empty);
    process.signal("SIGTERM");
    expect(await setting).toMatchObject({ code: 0 });
    expect(await process.ended).toBe(0);
    expect(process.entries("stopped")).toHaveLength(1);
    const again = await world.coordinator("drained-store");
    expect(again.mode).toBe("awaiting-recovery");
    await again.process.kill();
  });

  it("ends the sessions of sidecars, which keep their files and go on trying", async () => {
    const live = await world.coordinator("live-store");
    await world.set("manifest.json", live.user, "genesis");
    const sidecar = world.start(world.sidecarArguments(live.mesh, "web", "live"));
    await sidecar.logged("credentials renewed");
    live.process.signal("SIGTERM");
    expect(await live.process.ended).toBe(0);
    await sidecar.logged("watch failed");
    sidecar.signal("SIGTERM");
    expect(await sidecar.ended).toBe(0);
  });
});
