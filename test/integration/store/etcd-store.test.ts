import { afterAll, beforeAll, describe, expect } from "vitest";
import { EtcdStore } from "../../../src/store/etcd/etcd-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { storeCompliance } from "../../compliance/store/store-compliance.ts";
import { EtcdCluster, etcdMissing } from "./etcd-process.ts";

const missing = etcdMissing();

describe.skipIf(missing).each([1, 3])("over %i etcd members,", (size) => {
  let cluster: EtcdCluster;
  let deployments = 0;
  beforeAll(async () => {
    cluster = await EtcdCluster.start(size);
  });
  afterAll(() => cluster.stop());

  storeCompliance(`etcd store`, () => {
    // One etcd for all tests: the prefix keeps them apart.
    const prefix = `compliance/${deployments++}`;
    const stores: Store[] = [];
    return Promise.resolve({
      open: () => {
        const store = new EtcdStore({ endpoints: cluster.endpoints }, prefix);
        stores.push(store);
        return Promise.resolve(store);
      },
      damageDocument: (hash) => {
        expect(cluster.etcdctl(0, "put", `${prefix}/1/documents/${hash}`, "damaged")).toBeDefined();
        return Promise.resolve();
      },
      rollBackToNoHead: () => {
        expect(cluster.etcdctl(0, "del", `${prefix}/1/head`)).toBeDefined();
        return Promise.resolve();
      },
      dispose: async () => {
        await Promise.all(stores.map((store) => store.close()));
      },
    });
  });
});
