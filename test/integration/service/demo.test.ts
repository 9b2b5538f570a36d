import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { eventually, killNow, processesIn, quorate, Running } from "./processes.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "quorate-test-"));
});
afterAll(async () => {
  const left = processesIn(folder);
  left.forEach(killNow);
  await rm(folder, { recursive: true, force: true });
  expect(left).toEqual([]);
});

describe("quorate demo", () => {
  it("tells the whole story, ends with code 0 and leaves no process and no folder", async () => {
    const { code, stdout, stderr } = await quorate(folder, ["demo"], { TMPDIR: folder });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.match(/^\d\. /gm)).toHaveLength(6);
    expect(stdout).toContain("mutual TLS: spiffe://demo.example/web ⇄ spiffe://demo.example/api");
    expect(stdout).toContain("policy-unknown: The manifest has no policy of this hash");
    expect(stdout).toContain("Recovered: the coordinator is ready under a new epoch.");
    expect(stdout).toMatch(/Done in \d+\.\d s\./);
    expect(await readdir(folder)).toEqual([]);
    expect(processesIn(folder)).toEqual([]);
  });

  it("ends with an error and cleans up as well when it is interrupted", async () => {
    const demo = new Running(folder, ["demo"], { TMPDIR: folder });
    await demo.printed(/state: (uninitialized)/);
    demo.signal("SIGINT");
    expect(await demo.ended).not.toBe(0);
    await eventually("an empty folder", async () => (await readdir(folder)).length === 0);
    await eventually("no process", () => processesIn(folder).length === 0);
  });
});

describe("quorate dev", () => {
  const start = async (): Promise<{ dev: Running; user: string }> => {
    const any = ["--user-address", "127.0.0.1:0", "--mesh-address", "127.0.0.1:0"];
    const dev = new Running(folder, ["dev", "--folder", "mesh", ...any]);
    const user = await dev.printed(/userapi (\S+), meshapi/);
    return { dev, user };
  };
  const status = async (user: string): Promise<unknown> => {
    const { stdout } = await quorate(folder, ["status", "-o", "json", "-c", user]);
    return JSON.parse(stdout);
  };

  it("leaves a ready coordinator, stops it on a signal, and recovers it by itself next time", async () => {
    const first = await start();
    expect(await status(first.user)).toMatchObject({ mode: "ready", head: { epoch: 1 } });
    first.dev.signal("SIGINT");
    expect(await first.dev.ended).toBe(0);
    expect(processesIn(folder)).toEqual([]);

    const second = await start();
    expect(await status(second.user)).toMatchObject({ mode: "ready", head: { epoch: 2 } });
    second.dev.signal("SIGTERM");
    expect(await second.dev.ended).toBe(0);
    expect(processesIn(folder)).toEqual([]);
  });

  it.each([
    ["a coordinator that runs", /(userapi) \S+, meshapi/],
    ["a coordinator that has just been started", /(quorate coordinator)/],
  ])("that is killed leaves nothing running: %s", async (_what, moment) => {
    const any = ["--user-address", "127.0.0.1:0", "--mesh-address", "127.0.0.1:0"];
    const dev = new Running(folder, ["dev", "--folder", "killed", ...any]);
    await eventually(String(moment), () => moment.test([dev.stdout, ...dev.lines].join("\n")));
    await eventually("the coordinator", () => processesIn(folder).length > 1);
    dev.signal("SIGKILL");
    await eventually("no process", () => processesIn(folder).length === 0);
  });

  it("touches no folder that is somebody else's", async () => {
    const { code, stderr } = await quorate(folder, ["dev", "--folder", "."]);
    expect(code).toBe(6);
    expect(stderr).toContain("hint: remove it, or choose another folder");
  });
});
