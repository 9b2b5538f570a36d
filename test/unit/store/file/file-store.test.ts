import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { openFileStore } from "../../../../src/store/file/file-store.ts";
import type { Store } from "../../../../src/store/store.ts";
import { storeCompliance } from "../../../compliance/store/store-compliance.ts";

storeCompliance("file store", async () => {
  const parent = await mkdtemp(path.join(tmpdir(), "quorate-store-"));
  const folder = path.join(parent, "store");
  const stores: Store[] = [];
  return {
    open: async () => {
      const store = await openFileStore(folder);
      stores.push(store);
      return store;
    },
    damageDocument: (hash) => writeFile(path.join(folder, "documents", hash), "damaged"),
    rollBackToNoHead: async () => {
      for (const name of await readdir(path.join(folder, "heads")))
        await rm(path.join(folder, "heads", name));
    },
    dispose: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await rm(parent, { recursive: true });
    },
  };
});
