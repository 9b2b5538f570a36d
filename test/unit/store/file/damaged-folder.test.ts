import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { RECORD_BYTES_MAX, TEMPORARY_FILE_AGE_MS } from "../../../../src/core/limits.ts";
import { sha256 } from "../../../../src/store/content.ts";
import { openFileStore } from "../../../../src/store/file/file-store.ts";
import type { Head, Store } from "../../../../src/store/store.ts";
import { commit, eventually, uniqueRecord } from "../../../compliance/store/store-compliance.ts";

describe("the folder of a file store", () => {
  let parent: string;
  let folder: string;
  const stores: Store[] = [];
  const open = async (): Promise<Store> => {
    const store = await openFileStore(folder);
    stores.push(store);
    return store;
  };
  const file = (...names: string[]): string => path.join(folder, ...names);
  /** Commits this many heads; returns all of them, oldest first. */
  const fill = async (store: Store, count: number): Promise<Head[]> => {
    const heads: Head[] = [];
    for (let i = 0; i < count; i++) heads.push(await commit(store, heads.at(-1), uniqueRecord()));
    return heads;
  };
  beforeEach(async () => {
    parent = await mkdtemp(path.join(tmpdir(), "quorate-folder-"));
    folder = path.join(parent, "store");
  });
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
    await rm(parent, { recursive: true });
  });

  describe("when opened", () => {
    it("is made where its parent exists, for its owner only", async () => {
      await open();
      const { mode } = await stat(folder);
      expect(mode & 0o777).toBe(0o700);
      expect((await readdir(folder)).sort()).toEqual(["FORMAT", "documents", "heads", "temporary"]);
    });

    it("is made in an empty folder, such as a fresh volume", async () => {
      await mkdir(file("lost+found"), { recursive: true });
      await fill(await open(), 1);
    });

    it("is not made where its parent is missing, which may be a slip of the pen", async () => {
      await expect(openFileStore(path.join(parent, "no", "store"))).rejects.toMatchObject({
        code: "store-unavailable",
      });
    });

    it("is made by several openers at once", async () => {
      const openers = await Promise.all(Array.from({ length: 8 }, open));
      const swaps = await Promise.all(openers.map((s) => s.swapHead(undefined, uniqueRecord())));
      expect(swaps.filter(({ outcome }) => outcome === "committed")).toHaveLength(1);
    });

    it.each([
      ["a file", () => writeFile(folder, "")],
      ["a folder of something else", () => mkdir(file("photos"), { recursive: true })],
      [
        "a folder whose marker says something else",
        async () => {
          await mkdir(folder);
          await writeFile(file("FORMAT"), "JPEG\n");
        },
      ],
    ])("is refused as foreign if it is %s", async (_, make) => {
      await make();
      await expect(open()).rejects.toMatchObject({ code: "store-foreign" });
    });

    it("is refused if a newer version made it", async () => {
      await open();
      await writeFile(file("FORMAT"), "quorate file store 2\n");
      await expect(open()).rejects.toMatchObject({ code: "unsupported" });
    });

    it("is refused as corrupt if it has heads but no marker, or a marker but no heads", async () => {
      await fill(await open(), 1);
      await rename(file("FORMAT"), path.join(parent, "FORMAT"));
      await expect(open()).rejects.toMatchObject({ code: "store-corrupt" });
      await rename(path.join(parent, "FORMAT"), file("FORMAT"));
      await rename(file("heads"), path.join(parent, "heads"));
      await expect(open()).rejects.toMatchObject({ code: "store-corrupt" });
      await rename(path.join(parent, "heads"), file("heads"));
      expect(await (await open()).readHead()).toBeDefined();
    });

    it("is refused if every user may write to it", async () => {
      await open();
      await chmod(folder, 0o707);
      await expect(open()).rejects.toMatchObject({ code: "store-permission" });
    });

    it("loses the temporary files of crashed processes, and only these", async () => {
      await open();
      await writeFile(file("temporary", "1.crashed"), "half");
      await writeFile(file("temporary", "2.living"), "half");
      const long = (Date.now() - TEMPORARY_FILE_AGE_MS) / 1000 - 10;
      await utimes(file("temporary", "1.crashed"), long, long);
      await open();
      expect(await readdir(file("temporary"))).toEqual(["2.living"]);
    });
  });

  describe("when damaged behind a running store", () => {
    it("shows a truncated head as it is, and takes a good one in its place", async () => {
      const store = await open();
      const [head] = await fill(store, 1);
      await truncate(file("heads", "head.1"), 3);
      const truncated = await store.readHead();
      expect(truncated?.value).toEqual(head!.value.subarray(0, 3));
      expect(await store.swapHead(head, uniqueRecord())).toEqual({
        outcome: "conflict",
        head: truncated,
      });
      // The document of the same record shares the bytes.
      await expect(store.getDocument(sha256(head!.value))).rejects.toMatchObject({
        code: "store-corrupt",
      });
      const repaired = await commit(store, truncated, head!.value);
      expect(await store.readHead()).toEqual(repaired);
      expect(await store.getDocument(sha256(head!.value))).toEqual(head!.value);
    });

    it("shows no more of an oversized head than proves that it is no record", async () => {
      const store = await open();
      await writeFile(file("heads", "head.1"), new Uint8Array(10_000_000));
      expect((await store.readHead())?.value).toHaveLength(RECORD_BYTES_MAX + 1);
    });

    it("fails as corrupt where a folder, a link or a pipe stands for a head", async () => {
      const store = await open();
      await mkdir(file("heads", "head.1"));
      await expect(store.readHead()).rejects.toMatchObject({ code: "store-corrupt" });
      await symlink("/dev/zero", file("heads", "head.2"));
      await expect(store.readHead()).rejects.toMatchObject({ code: "store-corrupt" });
      await expect(store.swapHead(undefined, uniqueRecord())).rejects.toMatchObject({
        code: "store-corrupt",
      });
    });

    it("ignores files that are not heads", async () => {
      const store = await open();
      const heads = await fill(store, 2);
      for (const name of [
        "head.0",
        "head.03",
        "head.x",
        "head.99~",
        "HEAD.9",
        "head.9999999999999999",
      ])
        await writeFile(file("heads", name), "?");
      expect(await store.readHead()).toEqual(heads[1]);
      expect(await (await open()).readHead()).toEqual(heads[1]);
    });

    it("shows the older head after a rollback, and never mistakes a new one for the lost", async () => {
      const store = await open();
      const heads = await fill(store, 5);
      await rm(file("heads", "head.5"));
      expect(await store.readHead()).toEqual(heads[3]);
      expect(await store.swapHead(heads[4], uniqueRecord())).toMatchObject({ outcome: "conflict" });
      const again = await commit(store, heads[3], uniqueRecord());
      expect(again.version).not.toBe(heads[4]!.version);
      expect(await (await open()).readHead()).toEqual(again);
    });

    it("goes on above a gap that someone deleted", async () => {
      const store = await open();
      const heads = await fill(store, 5);
      await rm(file("heads", "head.3"));
      const next = await commit(store, heads[4], uniqueRecord());
      expect((await readdir(file("heads"))).sort()).toEqual(
        [1, 2, 4, 5, 6].map((number) => `head.${number}`),
      );
      expect(await store.readHead()).toEqual(next);
    });

    it("fails as unavailable while it is gone, and works again when it is back", async () => {
      const store = await open();
      const [head] = await fill(store, 1);
      await rename(folder, path.join(parent, "away"));
      await expect(store.readHead()).rejects.toMatchObject({ code: "store-unavailable" });
      await expect(store.putDocument(utf8("document"))).rejects.toMatchObject({
        code: "store-unavailable",
      });
      await expect(store.swapHead(head, uniqueRecord())).rejects.toMatchObject({
        code: "store-unavailable",
      });
      await rename(path.join(parent, "away"), folder);
      expect(await store.readHead()).toEqual(head);
      await commit(store, head, uniqueRecord());
    });

    it("wakes watches when another folder is put in its place, and after that", async () => {
      const store = await open();
      const heads = await fill(store, 2);
      let woken = 0;
      await store.watchHead(() => woken++);
      await rename(folder, path.join(parent, "away"));
      const replacement = await open();
      await eventually("the watch noticed the new folder", () => woken > 0);
      expect(await store.readHead()).toBeUndefined();

      woken = 0;
      await commit(replacement, undefined, heads[0]!.value);
      await eventually("the watch noticed a change in the new folder", () => woken > 0);
      expect((await store.readHead())?.value).toEqual(heads[0]!.value);
    });
  });
});
