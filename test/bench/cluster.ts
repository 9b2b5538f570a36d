/** Three coordinators over a real etcd: updates, how soon the others follow them, and recovery from a peer. */
import { spawn } from "node:child_process";
import {
  createHash,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { once } from "node:events";
import type { Etcd3, Watcher } from "etcd3";
import { EtcdCluster, etcdMissing } from "../integration/store/etcd-process.ts";
import type { BenchRow } from "./bench-row.ts";
import { ClusterRig, HEAD_KEY, type Watched } from "./cluster-rig.ts";
import { bareClient, benchEtcd } from "./etcd.ts";
import { durations, latencyRows } from "./latency.ts";
import { cryptographicFloor } from "./service.ts";

const UPDATES = 100;
const RESTARTS = 20;
const FREEZES = 20;
/** Of what happens this seldom, one of ten may be slow. */
const SLOW = { slow: 0.9 };

/** All rows; none, with a message, where etcd is not installed. */
export async function bench(): Promise<BenchRow[]> {
  if (etcdMissing()) return [];
  const etcd = await EtcdCluster.start(1);
  const bare = bareClient(etcd.endpoints);
  try {
    const store = await benchEtcd(etcd);
    const rig = await ClusterRig.start(etcd);
    try {
      return [
        ...store,
        ...(await updates(rig, bare)),
        ...(await staleness(rig)),
        ...(await restarts(rig)),
      ];
    } finally {
      await rig.close();
    }
  } finally {
    bare.close();
    await etcd.stop();
  }
}

/** `SetManifest` at a client that holds its channel open, and how soon the other two are ready under the new record. */
async function updates(rig: ClusterRig, bare: Etcd3): Promise<BenchRow[]> {
  const watcher = await bare.watch().key(HEAD_KEY).create();
  const setter = rig.at(0);
  const answered: number[] = [];
  const committed: number[] = [];
  const followed: number[] = [];
  const update = async (): Promise<void> => {
    const before = rig.recordHash;
    let start = 0;
    const moved = nextPut(watcher);
    const ready = [1, 2].map((index) => rig.readyWithout(rig.at(index), before));
    await rig.set(setter, () => (start = performance.now()));
    answered.push(performance.now() - start);
    const commit = await moved;
    committed.push(commit - start);
    // Who is told of it by a peer may be ready before this process hears of it from etcd.
    for (const at of await Promise.all(ready)) followed.push(Math.max(at - commit, 0));
    await rig.allReady();
  };
  await durations(UPDATES, update);
  await watcher.cancel();
  const { whole, follow } = await updateFloors(rig, bare);
  return [
    ...latencyRows(
      "SetManifest, three coordinators, until answered",
      answered.slice(-UPDATES),
      { name: "bare puts at once, one transaction, signatures", times: whole },
      { note: "answered when two of three hold the new secrets" },
    ),
    ...latencyRows("  of that until the head has moved", committed.slice(-UPDATES), {
      name: "the same",
      times: whole,
    }),
    ...latencyRows(
      "head moved to another coordinator ready under it",
      followed.slice(-2 * UPDATES),
      { name: "bare get, four gets at once, verifications", times: follow },
      SLOW,
    ),
  ];
}

/** When etcd's own client hears of the next change. */
function nextPut(watcher: Watcher): Promise<number> {
  return new Promise((resolve) => watcher.once("put", () => resolve(performance.now())));
}

/** What has to be done at least for an update (`whole`), and for following one (`follow`), by the bare client and node:crypto. */
async function updateFloors(rig: ClusterRig, client: Etcd3) {
  const { record, documents } = await rig.newDocuments();
  const key = (curve: string) => generateKeyPairSync("ec", { namedCurve: curve });
  const [owner, root, instance] = [key("P-256"), key("P-384"), generateKeyPairSync("x25519")];
  const digest = createHash("sha512").update("signed").digest();
  const approval = sign("sha256", digest, owner.privateKey);
  const signed = sign("sha384", digest, root.privateKey);
  const approvalsVerified = (): void => {
    for (let i = 0; i < 2; i++) verify("sha256", digest, owner.publicKey, approval);
  };
  let revision = "0";
  let round = 0;
  const put = async (): Promise<void> => {
    round += 1;
    const names = documents.map((_, index) => `floor/${round}/${index}`);
    approvalsVerified();
    // The mesh CA with its two certificates, and the record.
    sign("sha256", digest, key("P-256").privateKey);
    for (let i = 0; i < 2; i++) sign("sha384", digest, root.privateKey);
    // Its key, on its way to one other coordinator.
    agree(generateKeyPairSync("x25519").privateKey, instance.publicKey);
    agree(instance.privateKey, instance.publicKey);
    const bytes = documents.map((each) => Buffer.from(each));
    await Promise.all(
      names.map((name, index) => client.put(name).value(bytes[index] ?? Buffer.alloc(0))),
    );
    const { succeeded, header } = await client
      .if("floor/head", "Mod", "==", revision)
      .then(
        client.put("floor/head").value(Buffer.from(record)),
        client.put(`floor/${round}/record`).value(Buffer.from(record)),
      )
      .commit();
    if (!succeeded) throw new Error("a transaction without rivals failed");
    ({ revision } = header);
  };
  const whole = await durations(UPDATES, put);
  const follow = await durations(UPDATES, async () => {
    await client.get("floor/head").buffer();
    await Promise.all(documents.map((_, index) => client.get(`floor/${round}/${index}`).buffer()));
    verify("sha384", digest, root.publicKey, signed);
    approvalsVerified();
  });
  return { whole, follow };
}

function agree(privateKey: KeyObject, publicKey: KeyObject): void {
  diffieHellman({ privateKey, publicKey });
}

/** A coordinator that was frozen while two updates went by has neither's key: it turns stale and asks a peer. */
async function staleness(rig: ClusterRig): Promise<BenchRow[]> {
  const frozen = rig.at(2);
  const woken: number[] = [];
  const recovered: number[] = [];
  for (let i = 0; i < FREEZES; i++) {
    const before = rig.recordHash;
    frozen.member.pause();
    await rig.set(rig.at(0));
    await rig.set(rig.at(0));
    const ready = rig.readyWithout(frozen, before);
    const start = performance.now();
    frozen.member.resume();
    woken.push((await ready) - start);
    recovered.push(await recoveryMillis(frozen, rig.recordHash));
    await rig.allReady();
  }
  const floor = {
    name: "mutual TLS, quote, 2 P-384 + 2 P-256",
    times: [await cryptographicFloor()],
  };
  return [
    ...latencyRows("stale coordinator: need noticed to ready again", recovered, floor, {
      ...SLOW,
      note: "by its own clock, whole ms; secrets from a peer",
    }),
    ...latencyRows("stale coordinator: thawed to ready again", woken, floor, SLOW),
  ];
}

/** Killed and started again: its secrets are gone. */
async function restarts(rig: ClusterRig): Promise<BenchRow[]> {
  const restarted = rig.at(2);
  const recovered: number[] = [];
  const started: number[] = [];
  for (let i = 0; i < RESTARTS; i++) {
    await restarted.member.kill();
    const start = Date.now();
    restarted.member.start();
    const { time } = await restarted.member.process.logged("secrets recovered from a peer");
    started.push(Date.parse(String(time)) - start);
    recovered.push(await recoveryMillis(restarted, rig.recordHash));
  }
  const bareStarts = await durations(RESTARTS, async () => {
    await once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "close");
  });
  return [
    ...latencyRows(
      "restarted coordinator: need noticed to ready",
      recovered,
      { name: "mutual TLS, quote, 2 P-384 + 2 P-256", times: [await cryptographicFloor()] },
      { ...SLOW, note: "by its own clock, whole ms; head read, peers not yet connected" },
    ),
    ...latencyRows(
      "restarted coordinator: process start to ready",
      started,
      { name: "bare node starts and ends", times: bareStarts },
      SLOW,
    ),
  ];
}

/** What its status says of its newest recovery, which must be of this record. */
async function recoveryMillis({ member }: Watched, recordHash: string): Promise<number> {
  const { lastRecovery } = await member.status();
  if (lastRecovery?.recordHash !== recordHash)
    throw new Error(`${member.name} did not get the newest secrets from a peer`);
  return lastRecovery.millis;
}
