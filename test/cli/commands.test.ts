import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quorate } from "../integration/service/processes.ts";
import {
  ACCEPT_DEV,
  approval,
  manifest,
  PINS,
  type RunningCoordinator,
  World,
} from "../integration/service/world.ts";
import { builtModule } from "../integration/store/built.ts";

let world: World;
let coordinator: RunningCoordinator;
let fresh: RunningCoordinator;
let user: readonly string[];

beforeAll(async () => {
  world = await World.create();
  [coordinator, fresh] = await Promise.all([
    world.coordinator("store"),
    world.coordinator("empty-store"),
  ]);
  user = ["-c", coordinator.user, ACCEPT_DEV];
  await world.set("manifest.json", coordinator.user, "genesis");
  await world.verify(coordinator.user);
});
afterAll(() => world.close());

describe("every command that prints a result", () => {
  const HASH: unknown = expect.stringMatching(/^[0-9a-f]{64}$/);

  it("prints it as one JSON document: keys, policies and manifests", async () => {
    const owner = await world.json("keygen", "owner", "--out", "dave");
    expect(owner).toEqual({ secretKey: "dave.key.pem", publicKey: "dave.pub.pem", keyId: HASH });
    expect((await stat(world.file("dave.key.pem"))).mode & 0o777).toBe(0o600);
    await expect(world.json("keygen", "dev-platform", "--out", "p2")).resolves.toEqual({
      folder: "p2",
      developmentRoot: HASH,
    });
    await expect(world.json("policy", "coordinator", "--out", "c2.json")).resolves.toEqual({
      file: "c2.json",
      policyHash: HASH,
    });
    const valid = await world.json("manifest", "validate", "manifest.json");
    expect(valid).toMatchObject({ valid: true, hash: HASH });
    await world.batch(manifest("diff.json", ["web"]));
    const { changes } = await world.json("manifest", "diff", "manifest.json", "diff.json");
    expect(changes).toHaveLength(2);
  });

  it("prints it as one JSON document: approve, status, verify, get and history", async () => {
    const alice = approval("manifest.json", "alice", "verified");
    const file = await world.json(...alice.args);
    expect(file).toMatchObject({ file: alice.file, key: HASH, kind: "update", lineage: HASH });
    const status = await world.json("status", ...user);
    expect(status).toMatchObject({
      mode: "ready",
      name: "coordinator-0",
      head: { generation: 1, epoch: 1, recoveryCount: 0, manifest: file["manifest"] },
      recovery: null,
      suspended: "",
    });
    const verified = await world.verify(coordinator.user);
    expect(verified).toMatchObject({ mode: "ready", generation: 1, records: 1, firstVisit: false });
    const got = await world.json("get", "--out", "got.json", "--shares", "shares.json", ...user);
    expect(got).toMatchObject({ file: "got.json", manifest: file["manifest"], generation: 1 });
    const set = await readFile(world.file("manifest.json"), "utf8");
    await expect(readFile(world.file("got.json"), "utf8")).resolves.toBe(set);
    await expect(world.ok("get", ...user)).resolves.toBe(set);
    const shares = JSON.parse(await readFile(world.file("shares.json"), "utf8")) as object;
    expect(shares).toMatchObject({ threshold: 2 });
    const history = await world.json("history", ...user);
    expect(history).toMatchObject({ records: [{ kind: "genesis", generation: 1, epoch: 1 }] });
  });
});

describe("exit code 3, unreachable,", () => {
  it("comes with a hint when nobody listens", async () => {
    const { code, stdout, stderr } = await world.run("status", "-c", "127.0.0.1:1");
    expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
    expect(stderr).toBe(
      "error: no coordinator answers at 127.0.0.1:1: the connection is refused\n" +
        "hint: check --coordinator, and that the coordinator runs\n",
    );
  });

  it("comes within the timeout when somebody listens but never answers", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    const started = Date.now();
    const { code, stderr } = await world.run(
      ...["status", "-c", `127.0.0.1:${port}`, "--timeout", "1s"],
    );
    expect(Date.now() - started).toBeLessThan(10_000);
    silent.close();
    expect(code).toBe(3);
    expect(stderr).toContain("did not answer in time\nhint: check --coordinator; --timeout waits");
  });

  it("comes for a port that speaks something else", async () => {
    const { code, stderr } = await world.run("status", "-c", coordinator.admin);
    expect(code).toBe(3);
    expect(stderr).toContain("does not speak the TLS of a coordinator");
  });

  it("comes for the wrong port of a coordinator, and says which one it is", async () => {
    const status = await world.run("status", "-c", coordinator.mesh);
    expect(status).toMatchObject({
      code: 3,
      stderr:
        `error: no userapi at ${coordinator.mesh}: the server does not take this kind of connection here\n` +
        "hint: check --coordinator: it takes the address of userapi, port 1313 unless the coordinator was told otherwise\n",
    });
    const sidecar = await world.run(
      ...world.sidecarArguments(coordinator.user, "web", "no-tls", "--once"),
    );
    expect(sidecar.code).toBe(3);
    expect(sidecar.stderr).toContain(
      `error: no meshapi at ${coordinator.user}: this is the port of userapi, not of meshapi\n` +
        "hint: check --mesh: it takes the address of meshapi, port 7777 unless the coordinator was told otherwise\n",
    );
  });
});

describe("exit code 4, not trusted,", () => {
  it("is that of simulated evidence that was not accepted by name", async () => {
    for (const args of [
      ["verify", "--out", "untouched", ...PINS],
      ["get"],
      ["recover", "--share-key", "bob-share.key.pem", "--verified", "verified"],
    ]) {
      const { code, stdout, stderr } = await world.run(...args, "-c", coordinator.user);
      expect({ args, code, stdout }).toEqual({ args, code: 4, stdout: "" });
      expect(stderr).toContain("development-not-allowed");
      expect(stderr).toContain("hint: for a trial with simulated evidence add --accept-insecure");
    }
    await expect(stat(world.file("untouched"))).rejects.toThrow("ENOENT");
  });

  it("stays what it is when the switch is off in the environment", async () => {
    const { code } = await quorate(world.folder, ["get", "-c", coordinator.user], {
      QUORATE_ACCEPT_INSECURE_DEV_ATTESTATION: "false",
    });
    expect(code).toBe(4);
  });
});

describe("exit code 5, not authorised,", () => {
  it("says which owners approved and which did not", async () => {
    const alice = approval("five.json", "alice", "verified");
    await world.batch(manifest("five.json", ["web"]), alice.args);
    const set = ["set", "five.json", "--policies", ".", ...user];
    // The same approval twice is one approval.
    const { code, stderr } = await world.run(
      ...set,
      "--approval",
      alice.file,
      "--approval",
      alice.file,
    );
    expect(code).toBe(5);
    expect(stderr).toContain("1 of the 2 needed owners approved; approved by alice");
    expect(stderr).toMatch(/^hint: /m);
  });

  it("is that of a first manifest bound by somebody who is no owner", async () => {
    await world.ok("keygen", "owner", "--out", "mallory");
    const args = await world.setArguments("manifest.json", fresh.user, "genesis");
    const forged = args.map((arg) => (arg === "alice.key.pem" ? "mallory.key.pem" : arg));
    expect(await world.run(...forged)).toMatchObject({ code: 5, stdout: "" });
  });
});

describe("exit code 6, conflict,", () => {
  it("is that of a key that exists already, which stays as it was", async () => {
    const before = await readFile(world.file("alice.key.pem"));
    expect(await world.run("keygen", "owner", "--out", "alice")).toMatchObject({ code: 6 });
    expect(await readFile(world.file("alice.key.pem"))).toEqual(before);
  });

  it("tells of a head that moved; a repeated set of what is in force succeeds", async () => {
    await cp(world.file("verified"), world.file("before"), { recursive: true });
    await world.batch(manifest("one.json", ["api"]), manifest("two.json", ["web"]));
    const one = await world.setArguments("one.json", coordinator.user, "before");
    const two = await world.setArguments("two.json", coordinator.user, "before");
    const { record } = await world.json(...one);
    await expect(world.json(...one)).resolves.toMatchObject({ record });
    const { code, stderr } = await world.run(...two);
    expect(code).toBe(6);
    expect(stderr).toContain(`its head is now ${String(record)}`);
    expect(stderr).toContain("hint: look at the new manifest (quorate verify)");
    expect(await world.json("status", ...user)).toMatchObject({ head: { record } });
  });
});

describe("exit code 7, not ready,", () => {
  it("is that of a coordinator without a manifest, with the way out", async () => {
    const at = ["-c", fresh.user, ACCEPT_DEV];
    const verify = await world.run("verify", "--out", "nothing", ...PINS, ...at);
    expect(verify).toMatchObject({ code: 7, stdout: "" });
    expect(verify.stderr).toContain("hint: set one with quorate set");
    const check = await world.run("status", "--check", "-o", "json", ...at);
    expect(check.code).toBe(7);
    expect(JSON.parse(check.stdout)).toMatchObject({ mode: "uninitialized", head: null });
    const sidecar = await world.run(...world.sidecarArguments(fresh.mesh, "web", "x", "--once"));
    expect(sidecar).toMatchObject({ code: 7, stdout: "" });
  });
});

describe("a reader or a person that goes away", () => {
  const shell = async (script: string): Promise<string> => {
    const child = spawn("bash", ["-c", script], {
      cwd: world.folder,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, QUORATE: `${process.execPath} ${builtModule("main.js")}` },
    });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await once(child, "close");
    return text.trim();
  };

  it("is no error of a command whose output is cut off", async () => {
    const first = `$QUORATE history ${user.join(" ")} 2>&1 | head -c 1; echo " \${PIPESTATUS[0]}"`;
    await expect(shell(first)).resolves.toBe("g 0");
    const none = `$QUORATE status --bogus 2>&1 >/dev/null | true; echo \${PIPESTATUS[0]}`;
    await expect(shell(none)).resolves.toBe("2");
  });

  it.each(["SIGINT", "SIGTERM"] as const)("ends a command that waits by %s", async (signal) => {
    const silent = createServer().listen(0, "127.0.0.1");
    const connected = once(silent, "connection");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    const waiting = world.start(["status", "-c", `127.0.0.1:${port}`]);
    await connected;
    waiting.signal(signal);
    expect(await waiting.ended).toBe(1);
    expect(waiting.lines).toEqual(["error: the call was cancelled"]);
    silent.close();
  });

  it("ends status --watch with code 0, however much longer than the timeout it went on", async () => {
    const watching = world.start(["status", "--watch", "--timeout", "3s", ...user]);
    await watching.printed(/((?:state:[^]*){5})/);
    watching.signal("SIGTERM");
    expect(await watching.ended).toBe(0);
    // No terminal: nothing to clear.
    expect(watching.stdout).not.toContain("\u001b");
  });

  it("prints one JSON document a line from status --watch -o json", async () => {
    const watching = world.start(["status", "--watch", "-o", "json", ...user]);
    const two = await watching.printed(/^((?:\{[^\n]*\}\n){2})/);
    watching.signal("SIGTERM");
    expect(await watching.ended).toBe(0);
    for (const line of two.trim().split("\n"))
      expect(JSON.parse(line)).toMatchObject({ mode: "ready", peers: [], lastRecovery: null });
  });
});
