/** DESIGN section 12, invariant 7: no secret in a log, audit event, metric, error, status or dump of state. */
import { inspect } from "node:util";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { shareSubmissionInfo } from "../../../src/authority/user-recovery.ts";
import { parseRecord, parseShares } from "../../../src/core/history/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import {
  combineShares,
  decryptShare,
  hpkeSeal,
  Secret,
  sha256,
} from "../../../src/crypto/index.ts";
import { Mode } from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import { MeshCa } from "../../../src/pki/index.ts";
import { ALICE, BOB, MeshWorld, type Person } from "../../fixtures/mesh.ts";
import {
  connectWorkload,
  newRequest,
  type Running,
  setOverApi,
  startCoordinator,
} from "../../fixtures/running.ts";
import { choosePorts } from "../../integration/cluster/ports.ts";
import { ScriptedStore, unreachable } from "../../fixtures/scripted-store.ts";

let world: MeshWorld;
beforeAll(async () => {
  world = await MeshWorld.create();
});

/** Every form in which 12 bytes out of the middle of a secret would show up in text. */
function tracesOf(secret: Uint8Array): readonly string[] {
  const middle = Buffer.from(secret).subarray(8, 20);
  const base64 = [0, 1, 2].map((offset) =>
    Buffer.from(secret)
      .subarray(6 + offset, 18 + offset)
      .toString("base64"),
  );
  return [
    middle.toString("hex"),
    middle.toString("hex").toUpperCase(),
    middle.toString("hex").replace(/(..)(?=.)/g, "$1 "),
    middle.toString("latin1"),
    middle.join(","),
    middle.join(", "),
    ...base64,
    ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

function leaks(text: string, secrets: ReadonlyMap<string, Uint8Array>): readonly string[] {
  return [...secrets]
    .filter(([, secret]) => tracesOf(secret).some((trace) => text.includes(trace)))
    .map(([name]) => name);
}

/** All that a coordinator has said. */
async function words({ coordinator, logged, audited, user }: Running): Promise<string> {
  const { host, port } = coordinator.adminAddress!;
  const admin = await Promise.all(
    ["metrics", "readyz?verbose", "livez"].map(async (path) =>
      (await fetch(`http://${host}:${port}/${path}`)).text(),
    ),
  );
  const status = inspect(await user.getStatus({}), { depth: 20, maxArrayLength: 1_000 });
  const dump = inspect(coordinator, { depth: 20, showHidden: true, maxArrayLength: 1_000 });
  return [...logged, ...audited, ...admin, status, dump].join("\n");
}

/** Runs what must fail, and gives all that can be printed of the error. */
async function said(failing: Promise<unknown>): Promise<string> {
  const error: unknown = await failing.then(
    () => expect.unreachable("it fails"),
    (cause: unknown) => cause,
  );
  return inspect(error, { depth: 20, showHidden: true, maxArrayLength: 1_000 });
}

async function recover(
  { user }: Running,
  person: Person,
  share: Secret,
  head: { readonly lineage: string; readonly recordHash: string },
) {
  const { instance } = await user.getStatus({});
  const info = shareSubmissionInfo(head.lineage as never, instance!.id);
  return user.recover({
    instanceId: instance!.id,
    verifiedRecord: head.recordHash,
    keyId: person.shareKeyId,
    encryptedShare: unwrap(await hpkeSeal(instance!.hpkeKey, info, share)),
  });
}

describe("No secret of the mesh", () => {
  it("can be missed by this search", () => {
    const secret = Secret.random(96).use((bytes) => bytes.slice());
    const secrets = new Map([["seed", secret]]);
    for (const text of [
      Buffer.from(secret).toString("hex"),
      Buffer.from(secret).toString("base64"),
      `x${Buffer.concat([Buffer.from("ab"), secret]).toString("base64")}`,
      Buffer.concat([Buffer.from("a"), secret]).toString("base64url"),
      JSON.stringify({ secret: [...secret] }),
      inspect(secret, { maxArrayLength: 200 }).replace(/\s+/g, " "),
      inspect(Buffer.from(secret), { maxArrayLength: 200 }),
    ])
      expect(leaks(text, secrets)).toEqual(["seed"]);
    expect(leaks("nothing here", secrets)).toEqual([]);
  });

  it("is in anything that a coordinator says from genesis to recovery, good calls and bad", async () => {
    const secrets = new Map<string, Uint8Array>();
    const making = vi.spyOn(MeshCa, "create");
    const texts: string[] = [];

    const first = await startCoordinator(world);
    const set = await setOverApi(first, world.manifest());
    const { record } = unwrap(parseRecord(set.record, sha256));
    const place = { lineage: record.lineage, previous: set.recordHash };
    const web = await connectWorkload(world, first, "web");
    const { workloadSecret } = await web.mesh.newMeshCert(await newRequest());
    secrets.set("workload secret", workloadSecret);
    const document = unwrap(parseShares(set.shares));
    const shares = new Map<Person, Secret>();
    for (const person of [ALICE, BOB]) {
      const entry = document.shares.find(({ key }) => key === person.shareKeyId)!;
      const share = unwrap(await decryptShare(entry, person.shareKey, record.lineage));
      shares.set(person, share);
      secrets.set(
        `share of ${person.name}`,
        share.use((bytes) => bytes.slice()),
      );
    }
    const commitments = document.shares.map(({ commitment }) => commitment);
    const seed = unwrap(await combineShares([...shares.values()], 2, commitments));
    seed.use((bytes) => {
      secrets.set("seed", bytes.slice(0, 64));
      secrets.set("salt", bytes.slice(64));
    });

    texts.push(
      await said(setOverApi(first, world.manifest({ ownerThreshold: 9 }), place)),
      await said(setOverApi(first, world.manifest({ workloads: ["db"] }), place, [ALICE])),
      await said(recover(first, ALICE, shares.get(ALICE)!, { ...record, ...set })),
      await said(web.mesh.newMeshCert({ certificateRequest: workloadSecret })),
    );
    first.store.onPutDocument = unreachable;
    texts.push(await said(setOverApi(first, world.manifest({ workloads: ["db"] }), place)));
    first.store.onPutDocument = undefined;
    texts.push(await words(first));
    await first.coordinator.stop();

    const second = await startCoordinator(world, new ScriptedStore(first.store.backing));
    const head = { lineage: record.lineage, recordHash: set.recordHash };
    texts.push(
      await said(recover(second, BOB, shares.get(ALICE)!, head)),
      await said(recover(second, ALICE, seed, head)),
    );
    await recover(second, ALICE, shares.get(ALICE)!, head);
    texts.push(await said(recover(second, ALICE, shares.get(ALICE)!, head)), await words(second));
    expect((await recover(second, BOB, shares.get(BOB)!, head)).recovered).toBe(true);
    await setOverApi(second, world.manifest({ workloads: ["db"] }), place);
    second.store.backing.setHead(undefined);
    texts.push(await words(second));
    second.store.backing.setHead(new Uint8Array([1, 2, 3]));
    second.store.onSwapHead = unreachable;
    texts.push(await words(second));

    const meshCas = await Promise.all(
      making.mock.results.map(({ value }) => value as Promise<MeshCa>),
    );
    making.mockRestore();
    expect(meshCas.length).toBeGreaterThanOrEqual(3);
    for (const [index, meshCa] of meshCas.entries()) {
      // The private scalar of a P-256 key in PKCS#8 follows its 36 bytes of header.
      const scalar = meshCa.exportPrivateKey().use((der) => der.slice(36, 68));
      secrets.set(`mesh CA key ${index}`, scalar);
      texts.push(inspect(meshCa, { depth: 20, showHidden: true }), JSON.stringify(meshCa));
    }
    texts.push(inspect([...shares.values(), seed], { depth: 20, showHidden: true }));

    const everything = texts.join("\n");
    expect(everything).toContain("share-refused");
    expect(everything).toContain("recovered");
    expect(everything).toContain("store-reasserted");
    expect(everything).toContain("quorate_certificates_issued_total 1");
    expect(leaks(everything, secrets)).toEqual([]);
  });

  it("is in anything that coordinators say while they give secrets to each other, prepared or asked for", async () => {
    const names = ["coordinator-0", "coordinator-1"];
    const ports = await choosePorts(2);
    const addresses = ports.map((port) => ({ host: "127.0.0.1", port }));
    const { backing } = new ScriptedStore();
    const start = (own: number) =>
      startCoordinator(world, new ScriptedStore(backing), {
        name: names[own] ?? "",
        ...(addresses[own] === undefined ? {} : { peerAddress: addresses[own] }),
        peers: addresses.filter((_, index) => index !== own),
      });
    const making = vi.spyOn(MeshCa, "create");
    const [a, b] = await Promise.all([start(0), start(1)]);
    const set = await setOverApi(a, world.manifest({ coordinators: names }));
    const { record } = unwrap(parseRecord(set.record, sha256));
    const place = { lineage: record.lineage, previous: set.recordHash };
    await setOverApi(b, world.manifest({ coordinators: names, workloads: ["db"] }), place);
    const texts = [await words(a), await words(b)];
    await b.coordinator.stop();
    const again = await start(1);
    await vi.waitFor(async () => expect((await again.user.getStatus({})).mode).toBe(Mode.READY));
    texts.push(await words(a), await words(again));

    const secrets = new Map<string, Uint8Array>();
    const document = unwrap(parseShares(set.shares));
    const shares = await Promise.all(
      [ALICE, BOB].map(async (person) => {
        const entry = document.shares.find(({ key }) => key === person.shareKeyId)!;
        return unwrap(await decryptShare(entry, person.shareKey, record.lineage));
      }),
    );
    const commitments = document.shares.map(({ commitment }) => commitment);
    unwrap(await combineShares(shares, 2, commitments)).use((bytes) => {
      secrets.set("seed", bytes.slice(0, 64));
      secrets.set("salt", bytes.slice(64));
    });
    for (const [index, { value }] of making.mock.results.entries()) {
      const key = ((await value) as MeshCa).exportPrivateKey();
      secrets.set(
        `mesh CA key ${index}`,
        key.use((der) => der.slice(36, 68)),
      );
    }
    making.mockRestore();
    const everything = texts.join("\n");
    expect(everything).toContain("secrets-given");
    expect(everything).toContain("recovered-from-peer");
    expect(leaks(everything, secrets)).toEqual([]);
  });
});
