import { createPrivateKey, X509Certificate } from "node:crypto";
import { watch } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inProcess } from "../../cli/in-process.ts";
import { eventually, type Running } from "./processes.ts";
import { ACCEPT_DEV, manifest, PEOPLE, type RunningCoordinator, World } from "./world.ts";

const CRASHES = 10;
/** Kills in the middle of the work are this far apart. */
const STEP_MILLIS = 1;

let world: World;
let coordinator: RunningCoordinator;
let sidecars: readonly Running[];

beforeAll(async () => {
  world = await World.create();
  coordinator = await world.coordinator();
  await world.set("manifest.json", coordinator.user, "genesis");
  await world.batch(manifest("other.json", ["web"]));
  sidecars = ["live-1", "live-2"].map((out) =>
    world.start(world.sidecarArguments(coordinator.mesh, "web", out)),
  );
  await Promise.all(sidecars.map((sidecar) => sidecar.logged("credentials renewed")));
});
afterAll(() => world.close());

/** A command in this process: fast enough to aim at a moment within it. Files are absolute: there is no folder to be in. */
async function command(...args: readonly string[]): Promise<Record<string, unknown>> {
  const all = [...args, "-c", coordinator.user, ACCEPT_DEV, "-o", "json"];
  const { code, stdout, stderr } = await inProcess(all);
  if (code !== 0) throw new Error(`${args[0] ?? ""} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const verified = (): string => world.file("verified");

async function verify(): Promise<Record<string, unknown>> {
  const owners = Object.keys(PEOPLE).flatMap((name) => ["--owner", world.file(`${name}.pub.pem`)]);
  return command("verify", "--out", verified(), ...owners, "--threshold", "2");
}

/** Approves `file` as successor of what was verified last. @returns how to set it */
async function approved(file: string): Promise<string[]> {
  const set = ["set", world.file(file), "--policies", world.folder];
  for (const person of ["alice", "carol"]) {
    const out = world.file(`${person}.approval.json`);
    const key = world.file(`${person}.key.pem`);
    const approve = ["approve", world.file(file), "--verified", verified(), "--key", key];
    expect(await inProcess([...approve, "--out", out])).toMatchObject({ code: 0 });
    set.push("--approval", out);
  }
  return set;
}

async function restartAndRecover(): Promise<void> {
  coordinator = await world.coordinator("store", "--mesh-address", coordinator.mesh);
  expect(coordinator.mode).toBe("awaiting-recovery");
  for (const person of ["alice", "bob"]) {
    const key = world.file(`${person}-share.key.pem`);
    await command("recover", "--share-key", key, "--verified", verified());
  }
}

/** Fulfilled when something is first written to the folder after now. */
function firstWrite(folder: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(folder, () => {
      watcher.close();
      resolve();
    });
  });
}

/** The set of files that the folder shows now, which must belong together. */
async function requireWhole(folder: string): Promise<X509Certificate> {
  // Through one link, read once: files of two sets would be a mixture that no workload may see.
  const set = path.join(world.file(folder), await readlink(world.file(folder, "..current")));
  const leaf = new X509Certificate(await readFile(path.join(set, "tls.crt")));
  const key = createPrivateKey(await readFile(path.join(set, "tls.key")));
  expect(leaf.checkPrivateKey(key)).toBe(true);
  const ca = new X509Certificate(await readFile(path.join(set, "mesh-ca.pem")));
  expect(leaf.verify(ca.publicKey)).toBe(true);
  expect(await readFile(path.join(set, "secret"))).toHaveLength(32);
  return leaf;
}

describe("a coordinator that is killed in the middle of setting a manifest", () => {
  it("never loses what it acknowledged, and its history always verifies", async () => {
    await verify();
    const first = await command(...(await approved("other.json")));
    const acknowledged = [first["record"]];
    const secret = await readFile(world.file("live-1", "secret"));
    const outcomes = { acknowledged: 0, lost: 0, committedUnheard: 0 };

    let before = Number((await verify())["generation"]);

    for (let crash = 0; crash < CRASHES; crash += 1) {
      const set = await approved(crash % 2 === 0 ? "manifest.json" : "other.json");
      // In turn: while documents are written, a little later each time; when the head is; right after the answer.
      const moment = (["documents", "heads", "answer"] as const)[crash % 3] ?? "answer";
      const millis = moment === "documents" ? Math.round((crash + Math.random()) * STEP_MILLIS) : 0;
      const written = moment === "answer" ? undefined : firstWrite(world.file("store", moment));
      const answer = command(...set).catch(() => undefined);
      await Promise.race([written ?? answer, answer]);
      if (millis > 0) await new Promise((resolve) => setTimeout(resolve, millis));
      await coordinator.process.kill();
      const record = (await answer)?.["record"];
      await Promise.all([requireWhole("live-1"), requireWhole("live-2")]);

      await restartAndRecover();
      const generation = Number((await verify())["generation"]);
      const moved = generation - before;
      before = generation;
      const at = `crash ${crash}, ${millis} ms after ${moment}`;
      if (record === undefined) {
        expect([0, 1], at).toContain(moved);
        outcomes[moved === 1 ? "committedUnheard" : "lost"] += 1;
      } else {
        expect(moved, at).toBe(1);
        acknowledged.push(record);
        outcomes.acknowledged += 1;
      }
      const history = await command("history");
      const records = history["records"] as { record: string }[];
      expect(
        records.map((each) => each.record),
        at,
      ).toEqual(expect.arrayContaining(acknowledged));
    }

    // A battery whose kills all fell on one side of the answer would have shown nothing.
    expect(outcomes.acknowledged).toBeGreaterThan(0);
    expect(outcomes.lost + outcomes.committedUnheard).toBeGreaterThan(0);
    const status = await command("status");
    expect(status).toMatchObject({ mode: "ready", head: { recoveryCount: CRASHES } });

    // The sidecars lived through all of it, and hold certificates of the record in force.
    const { record } = await verify();
    for (const [index, sidecar] of sidecars.entries()) {
      await eventually("credentials of the record in force", () =>
        sidecar.entries("credentials renewed").some((entry) => entry["record"] === record),
      );
      const leaf = await requireWhole(`live-${index + 1}`);
      const ca = new X509Certificate(await readFile(world.file("verified", "mesh-ca.pem")));
      expect(leaf.verify(ca.publicKey)).toBe(true);
    }
    expect(await readFile(world.file("live-1", "secret"))).toEqual(secret);
  });
});

describe("a sidecar that is killed while it writes", () => {
  it("leaves one whole set, and the next run cleans up and goes on", async () => {
    const out = "killed";
    for (let kill = 0; kill < 5; kill += 1) {
      const sidecar = world.start(world.sidecarArguments(coordinator.mesh, "web", out));
      await eventually("a first file", () =>
        readdir(world.file(out)).then(
          (names) => names.length > 0,
          () => false,
        ),
      );
      await sidecar.kill();
      const names = await readdir(world.file(out));
      if (names.includes("..current")) await requireWhole(out);
    }
    await world.ok(...world.sidecarArguments(coordinator.mesh, "web", out, "--once"));
    await requireWhole(out);
    const sets = (await readdir(world.file(out))).filter((name) => name.startsWith("..set-"));
    expect(sets).toHaveLength(1);
  });
});
