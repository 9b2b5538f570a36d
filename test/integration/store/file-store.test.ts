import { spawnSync } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Prng } from "../../../src/core/prng.ts";
import { sha256 } from "../../../src/store/content.ts";
import { openFileStore } from "../../../src/store/file/file-store.ts";
import type { Sha256 } from "../../../src/core/brand.ts";
import { builtModule } from "./built.ts";
import { chainOf, noClaims, startSwapper } from "./swapper.ts";

const KILLS_FOR_MS = 12_000;

describe("a file store shared by real processes", () => {
  let openStoreModule: string;
  let parent: string;
  let folder: string;
  beforeAll(() => {
    openStoreModule = builtModule("store/open-store.js");
  });
  beforeEach(async () => {
    parent = await mkdtemp(path.join(tmpdir(), "quorate-processes-"));
    folder = path.join(parent, "store");
  });
  afterEach(() => rm(parent, { recursive: true }));

  it("lets exactly one process win each head, and never loses or doubles one", async () => {
    const claims = noClaims();
    const wanted = 40;
    const swappers = ["a", "b", "c", "d"].map((author) =>
      startSwapper(openStoreModule, `file:${folder}`, author, wanted, claims),
    );
    for (const swapper of swappers) expect(await swapper.ended).toEqual({ code: 0, errors: "" });

    const store = await openFileStore(folder);
    const chain = await chainOf(store);
    await store.close();
    expect(chain).toHaveLength(swappers.length * wanted);
    expect(new Set(chain)).toEqual(claims.committed);
    expect(claims.unknown).toBe(0);
    expect(claims.conflicts).toBeGreaterThan(10);
    expect(await readdir(path.join(folder, "temporary"))).toEqual([]);
  });

  it(
    "keeps every promise to processes that are killed at any moment",
    { timeout: KILLS_FOR_MS + 30_000 },
    async () => {
      const seed = Number(process.env["QUORATE_TEST_SEED"] ?? Date.now() % 1_000_000);
      const prng = new Prng(seed);
      const replay = `replay with QUORATE_TEST_SEED=${seed}`;
      const end = Date.now() + KILLS_FOR_MS;
      let verified: Sha256 | undefined;
      let kills = 0;
      let promises = 0;
      while (Date.now() < end) {
        const claims = noClaims();
        const swappers = ["a", "b"].map((author) =>
          startSwapper(openStoreModule, `file:${folder}`, `${author}${kills}`, 0, claims),
        );
        for (const swapper of swappers) {
          await Promise.race([swapper.ready, delay(prng.int(20, 200))]);
          await delay(prng.float() * 40);
          swapper.process.kill("SIGKILL");
          kills++;
        }
        for (const swapper of swappers) expect((await swapper.ended).errors, replay).toBe("");

        const store = await openFileStore(folder);
        const chain = await chainOf(store, verified);
        for (const hash of claims.committed) expect(chain, replay).toContain(hash);
        for (const hash of claims.documents)
          expect(await store.getDocument(hash), replay).toBeDefined();
        verified = chain[0] ?? verified;
        promises += claims.committed.size + claims.documents.size;
        await store.close();
      }
      await expectUnbrokenHeads(folder);
      expect(kills, replay).toBeGreaterThan(20);
      expect(promises, replay).toBeGreaterThan(50);
    },
  );

  it("refuses a folder that its user may not use, and changes nothing", async (context) => {
    context.skip(process.getuid?.() !== 0, "only root can become another user");
    const store = await openFileStore(folder);
    await store.swapHead(undefined, new Uint8Array([1]));
    await store.close();
    await chmod(parent, 0o755);
    expect(openAsNobody(openStoreModule, folder)).toBe("store-permission");
    for (const part of ["", "heads", "documents", "temporary"])
      await chmod(path.join(folder, part), 0o755);
    expect(openAsNobody(openStoreModule, folder)).toBe("store-permission");
    for (const name of ["", ...(await readdir(folder, { recursive: true }))])
      await chown(path.join(folder, name), 65534, 65534);
    expect(openAsNobody(openStoreModule, folder)).toBe("opened");
  });

  it("loses nothing on a full disk, and goes on when there is room", async (context) => {
    const disk = path.join(parent, "disk");
    await mkdir(disk);
    context.skip(mount(disk).status !== 0, "needs a user who may mount a small disk");
    try {
      const store = await openFileStore(path.join(disk, "store"));
      const first = await store.swapHead(undefined, new Uint8Array([1]));
      expect(first.outcome).toBe("committed");
      if (first.outcome !== "committed") return;
      const { head } = first;

      const kept: Sha256[] = [];
      const fill = async (): Promise<never> => {
        for (let i = 0; ; i++) kept.push(await store.putDocument(new Uint8Array(5000).fill(i)));
      };
      await expect(fill()).rejects.toMatchObject({ code: "store-full" });
      expect(kept.length).toBeGreaterThan(5);
      await expect(store.swapHead(head, new Uint8Array(10_000).fill(2))).rejects.toMatchObject({
        code: "store-full",
      });
      expect(await store.readHead()).toEqual(head);
      for (const hash of kept) expect(await store.getDocument(hash)).toBeDefined();
      expect(await readdir(path.join(disk, "store", "temporary"))).toEqual([]);

      await rm(path.join(disk, "store", "documents", kept[0]!));
      await rm(path.join(disk, "store", "documents", kept[1]!));
      await rm(path.join(disk, "store", "documents", kept[2]!));
      expect(await store.swapHead(head, new Uint8Array(10_000).fill(2))).toMatchObject({
        outcome: "committed",
      });
      await store.close();
    } finally {
      spawnSync("umount", [disk]);
    }
  });
});

/** Every head from 1 on is there, and each names the one before it. */
async function expectUnbrokenHeads(folder: string): Promise<void> {
  const count = (await readdir(path.join(folder, "heads"))).length;
  let predecessor: Sha256 | null = null;
  for (let number = 1; number <= count; number++) {
    const bytes = await readFile(path.join(folder, "heads", `head.${number}`));
    const record = JSON.parse(bytes.toString()) as { predecessor: Sha256 | null };
    expect(record.predecessor).toBe(predecessor);
    predecessor = sha256(bytes);
  }
}

/** Opens the store as a user without rights; returns the code of the error that this ended with, or `opened`. */
function openAsNobody(openStoreModule: string, folder: string): string {
  const script = `
    const { openStore } = await import(${JSON.stringify(openStoreModule)});
    process.setgroups([]);
    process.setgid(65534);
    process.setuid(65534);
    const result = await openStore(${JSON.stringify(`file:${folder}`)}).then(() => "opened", (e) => e.code);
    process.stdout.write(result);
  `;
  return spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" })
    .stdout;
}

function mount(place: string): { readonly status: number | null } {
  return spawnSync("mount", ["-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs", place]);
}
