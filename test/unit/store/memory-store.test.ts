import { MemoryBacking, MemoryStore } from "../../../src/store/memory-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { storeCompliance } from "../../compliance/store/store-compliance.ts";

storeCompliance("memory store", () => {
  const backing = new MemoryBacking();
  const stores: Store[] = [];
  return Promise.resolve({
    open: () => {
      const store = new MemoryStore(backing);
      stores.push(store);
      return Promise.resolve(store);
    },
    damageDocument: (hash) => {
      backing.documents.get(hash)?.fill(0);
      return Promise.resolve();
    },
    rollBackToNoHead: () => {
      backing.setHead(undefined);
      return Promise.resolve();
    },
    dispose: async () => {
      await Promise.all(stores.map((store) => store.close()));
    },
  });
});
