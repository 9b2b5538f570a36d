/** The commands of docs/operating.md, pasted into a shell one section after the other. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, killNow, processesIn } from "../integration/service/processes.ts";
import { World } from "../integration/service/world.ts";
import { builtModule } from "../integration/store/built.ts";
import { etcdMissing } from "../integration/store/etcd-process.ts";

const PAGE = await readFile(path.join(import.meta.dirname, "../../docs/operating.md"), "utf8");
const COMMANDS = [...PAGE.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block]) => block ?? "");

let world: World;
beforeAll(async () => {
  world = await World.empty();
  await writeFile(
    world.file("quorate"),
    `#!/bin/sh\nexec "${process.execPath}" "${builtModule("main.js")}" "$@"\n`,
  );
  await chmod(world.file("quorate"), 0o755);
});
afterAll(async () => {
  processesIn(world.folder).forEach(killNow);
  await nothingRuns();
  await world.close();
});

const nothingRuns = () => eventually("no process", () => processesIn(world.folder).length === 0);

describe.skipIf(etcdMissing())("docs/operating.md", () => {
  it("shows three coordinators on etcd that restart, are upgraded and are recovered, as it stands", async () => {
    expect(COMMANDS).toHaveLength(8);
    const script = ["set -eu", ...COMMANDS.map((block, at) => `echo "== ${at}"\n${block}`)];
    await writeFile(world.file("walk.sh"), script.join("\n"));
    // Files, not pipes: what the script leaves running would hold a pipe open.
    const log = world.file("walk.log");
    const shell = spawn("bash", ["-c", `exec bash walk.sh > walk.log 2>&1 < /dev/null`], {
      cwd: world.folder,
      env: { ...process.env, PATH: `${world.folder}:${process.env["PATH"] ?? ""}` },
      stdio: "ignore",
    });
    const [code] = (await once(shell, "exit")) as [number | null];
    const said = await readFile(log, "utf8");
    expect({ code, said: code === 0 ? "" : said }).toEqual({ code: 0, said: "" });

    const [, , , genesis = "", sidecar = "", restart = "", upgrade = "", recovery = ""] =
      said.split(/^== \d$/m);
    expect(genesis.match(/^coordinator-[12] +\S+ +ready +1\/1 /gm)).toHaveLength(2);
    expect(sidecar).toContain("credentials: web-tls");
    expect(restart).toMatch(/^recovered: +from coordinator-[02] in \d+ ms/m);
    expect(restart).toMatch(/^generation: +1, epoch 1, recoveries 0$/m);
    expect(upgrade).toContain("dev-coordinator, dev-v2");
    expect(upgrade).toContain("(generation 2, epoch 1)");
    expect(recovery).toMatch(/^state: +awaiting-recovery$/m);
    expect(recovery).toContain("2 of 2. Recovered");
    expect(recovery).toContain("(generation 2, epoch 2)");
    await nothingRuns();
  }, 300_000);
});
