import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXIT } from "../../src/cli/exit-codes.ts";
import { quorate, type Running } from "../integration/service/processes.ts";
import { World } from "../integration/service/world.ts";
import { commands, parseOnly } from "./in-process.ts";

const PAGE = await readFile(path.join(import.meta.dirname, "../../docs/cli.md"), "utf8");
const [WALK = "", REST = ""] = PAGE.split("## Commands");

/** The examples' command lines, as arguments. The page quotes one argument with spaces. */
function examples(text: string): string[][] {
  const blocks = [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block]) => block ?? "");
  return blocks
    .flatMap((block) =>
      block
        .replaceAll(/\\\n\s*/g, "")
        .trim()
        .split("\n"),
    )
    .filter((line) => line.startsWith("quorate "))
    .map((line) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([all, quoted]) => quoted ?? all))
    .map(([, ...args]) => args);
}

let world: World;
beforeAll(async () => {
  world = await World.empty();
});
afterAll(() => world.close());

describe("docs/cli.md", () => {
  it("shows a mesh from nothing that works as it stands", async () => {
    const any = "127.0.0.1:0";
    const listen = {
      QUORATE_USER_ADDRESS: any,
      QUORATE_MESH_ADDRESS: any,
      QUORATE_PEER_ADDRESS: any,
      QUORATE_ADMIN_ADDRESS: any,
    };
    let reach: Record<string, string> = {};
    let coordinator: Running | undefined;
    const walk = examples(WALK);
    expect(walk.length).toBeGreaterThan(25);
    for (const args of walk) {
      if (args.at(-1) === "&") {
        // The second one comes after a crash.
        await coordinator?.kill();
        coordinator = world.start([...args.slice(0, -1), "--log-format", "json"], listen);
        const { user, mesh } = await coordinator.logged("listening");
        reach = { QUORATE_COORDINATOR: String(user), QUORATE_MESH: String(mesh) };
        continue;
      }
      const { code, stderr } = await quorate(world.folder, args, reach);
      expect({ args, code, stderr: code === 0 ? "" : stderr }).toEqual({
        args,
        code: 0,
        stderr: "",
      });
    }
  });

  it("shows flags that exist in every other example", async () => {
    const others = examples(REST);
    expect(others.length).toBeGreaterThan(4);
    for (const args of others) await expect(parseOnly(args)).resolves.toBeUndefined();
    await expect(parseOnly(["version", "--bogus"])).rejects.toThrow("unknown option");
  });

  it("lists every command and every exit code", async () => {
    const listed = [...PAGE.matchAll(/^\| (`[a-z][^|]*`) +\|/gm)].flatMap(([, cell]) =>
      [...(cell ?? "").matchAll(/`([a-z -]+)`/g)].map(([, name]) => name),
    );
    const known = (await commands()).map(({ name }) => name);
    expect(listed).toEqual(expect.arrayContaining(known));
    const codes = [...PAGE.matchAll(/^\| (\d) +\|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });
});
