import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { openStore, type OpenStoreOptions } from "../../../src/store/open-store.ts";

const tls = { etcdTls: { certificateAuthorities: "" } };

describe("the specification of a store", () => {
  it("memory: names new, empty contents each time", async () => {
    const [one, two] = [await openStore("memory:"), await openStore("memory:")];
    await one.swapHead(undefined, new Uint8Array([1]));
    expect(await two.readHead()).toBeUndefined();
  });

  it("file:PATH names a folder", async () => {
    const parent = await mkdtemp(path.join(tmpdir(), "quorate-open-"));
    const folder = path.join(parent, "with:colon");
    const store = await openStore(`file:${folder}`);
    expect(store.description).toContain(folder);
    await store.close();
    await rm(parent, { recursive: true });
  });

  it.each([
    ["etcd://localhost:2379", "etcd localhost:2379, prefix quorate"],
    ["etcd://a:1,[::1]:2,10.0.0.1:3/prod/one", "etcd a:1,[::1]:2,10.0.0.1:3, prefix prod/one"],
  ])("%s names an etcd, which need not be there yet", async (specification, description) => {
    const store = await openStore(specification);
    expect(store.description).toBe(description);
    await store.close();
  });

  it.each<[string, RegExp, OpenStoreOptions]>([
    ["", /a store is memory:/, {}],
    ["memory", /a store is/, {}],
    ["redis://host:1", /a store is/, {}],
    ["memory:x", /nothing after/, {}],
    ["file:", /path of a folder/, {}],
    ["etcd:host:1", /etcd:\/\/HOST/, {}],
    ["etcd://", /HOST:PORT/, {}],
    ["etcd://host", /HOST:PORT/, {}],
    ["etcd://host:0", /HOST:PORT/, {}],
    ["etcd://host:65536", /HOST:PORT/, {}],
    ["etcd://host:1,/p", /HOST:PORT/, {}],
    ["etcd://::1:2379", /brackets/, {}],
    ["etcd://host:1/", /prefix/, {}],
    ["etcd://host:1/a//b", /prefix/, {}],
    ["etcd://host:1/a b", /prefix/, {}],
    [`etcd://${"host:1,".repeat(16)}host:1`, /at most 16/, {}],
    ["etcds://host:1", /--etcd-ca FILE/, {}],
    ["etcd://host:1", /etcds:.*--etcd-ca/, tls],
  ])("%j is refused with a hint", async (specification, hint, options) => {
    await expect(openStore(specification, options)).rejects.toMatchObject({
      code: "usage",
      hint: expect.stringMatching(hint) as string,
    });
  });

  it.each(["etcd://me:secret@host:1", "etcd:me:secret@host:1", "https://me:secret@host:1"])(
    "%s is refused, and not repeated, because it holds a password",
    async (specification) => {
      const error: unknown = await openStore(specification).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "usage" });
      expect(String(error)).not.toContain("secret");
    },
  );
});
