/** Several coordinator processes over one real etcd, as one deployment. */
import { readFile } from "node:fs/promises";
import { X509Certificate } from "node:crypto";
import { expect } from "vitest";
import type { Sha256 } from "../../../src/core/brand.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { parseRecord } from "../../../src/core/history/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { readHistory } from "../../../src/history/read-history.ts";
import type { VerifiedHistory } from "../../../src/history/verified-history.ts";
import { EtcdStore } from "../../../src/store/etcd/etcd-store.ts";
import { inProcess, type Outcome } from "../../cli/in-process.ts";
import { ACCEPT_DEV, PEOPLE, World } from "../service/world.ts";
import { EtcdCluster } from "../store/etcd-process.ts";
import { Member } from "./member.ts";
import { Owners } from "./owners.ts";
import { choosePorts } from "./ports.ts";
import { type Certificate, Workload } from "./workload.ts";

const NAMES = ["coordinator-0", "coordinator-1", "coordinator-2"] as const;
const PREFIX = "mesh";
/** The shortest that a manifest may give. Longer ones tell manifests, and so certificates, apart. */
const LIFETIME_SECONDS_MIN = 300;

/** What {@link Cluster.start} can be told. */
export interface ClusterOptions {
  /** Members of the etcd. @default 1 */
  readonly etcdSize?: number;
  /** False: no manifest is set yet. @default true */
  readonly genesis?: boolean;
}

export class Cluster {
  readonly world: World;
  readonly etcd: EtcdCluster;
  readonly members: readonly Member[];
  readonly owners: Owners;
  readonly workload: Workload;
  /** The store as the host sees it, who may do with it what it likes. */
  readonly store: EtcdStore;

  private constructor(parts: Pick<Cluster, "world" | "etcd" | "members" | "owners" | "workload">) {
    this.world = parts.world;
    this.etcd = parts.etcd;
    this.members = parts.members;
    this.owners = parts.owners;
    this.workload = parts.workload;
    this.store = this.storeAt(PREFIX);
  }

  /** Three coordinators over a new etcd, ready unless told otherwise. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const [world, etcd] = await Promise.all([
      World.create(),
      EtcdCluster.start(options.etcdSize ?? 1),
    ]);
    const cluster = new Cluster({
      ...{ world, etcd },
      members: await membersOf(world, etcd),
      owners: await Owners.of(world),
      workload: await Workload.of(world),
    });
    try {
      for (const member of cluster.members) member.start();
      await Promise.all(cluster.members.map((each) => each.until("answers", () => true)));
      if (options.genesis ?? true) {
        await cluster.owners.genesis(cluster.member(0), await cluster.manifest());
        await cluster.allReady();
      }
    } catch (cause) {
      await cluster.close();
      throw cause;
    }
    return cluster;
  }

  member(index: number): Member {
    const member = this.members[index];
    if (member === undefined) throw new Error(`there is no coordinator ${index}`);
    return member;
  }

  /** Those but one. */
  others(than: Member): readonly Member[] {
    return this.members.filter((each) => each !== than);
  }

  storeAt(prefix: string): EtcdStore {
    return new EtcdStore({ endpoints: this.etcd.endpoints }, prefix);
  }

  /** A manifest that names all coordinators. @param variant makes it differ from others, by the lifetime of its certificates */
  async manifest(variant = 0): Promise<Uint8Array> {
    const text = await readFile(this.world.file("manifest.json"), "utf8");
    const manifest = JSON.parse(text) as Record<string, unknown>;
    return utf8(
      JSON.stringify({
        ...manifest,
        coordinators: NAMES,
        certificates: { leafLifetimeSeconds: LIFETIME_SECONDS_MIN + variant },
      }),
    );
  }

  /** The history that the store's head ends, verified. */
  async history(store = this.store): Promise<VerifiedHistory> {
    const head = await store.readHead();
    if (head === undefined) throw new Error("the store has a head");
    return readHistory(unwrap(parseRecord(head.value, sha256)), store);
  }

  /** Where the next manifest goes. */
  async place(): Promise<{ readonly lineage: Sha256; readonly previous: Sha256 }> {
    const { lineage, lastSet } = await this.history();
    return { lineage, previous: lastSet.hash };
  }

  /** Sets a manifest on top of the newest one. @returns hash of its record */
  async advance(member: Member, variant: number): Promise<string> {
    const proposal = { manifest: await this.manifest(variant), ...(await this.place()) };
    return (await this.owners.set(member, proposal)).recordHash;
  }

  /** All coordinators enforce the same record. @returns its hash */
  async allReady(record?: string): Promise<string> {
    const statuses = await Promise.all(this.members.map((each) => each.ready(record)));
    const heads = new Set(statuses.map(({ head }) => head?.recordHash));
    // They are asked at different moments: ask again with what the store shows now.
    if (heads.size > 1) return this.allReady((await this.history()).recordHash);
    return [...heads][0] ?? "";
  }

  /** All coordinators issue under the same record, with the same mesh CA, which is the record's. */
  async requireOneMesh(): Promise<Certificate> {
    const recordHash = await this.allReady();
    const certificates: Certificate[] = [];
    for (const member of this.members) certificates.push(await this.workload.obtainFrom(member));
    const { record, documents } = await this.history();
    const meshCa = new X509Certificate(documents.get(record.meshCaCertificate)!);
    for (const each of certificates) {
      expect(each.recordHash).toBe(recordHash);
      expect(each.meshCa.raw).toEqual(meshCa.raw);
    }
    return certificates[0]!;
  }

  /** `quorate COMMAND` at one coordinator, with files named by whole path. */
  command(member: Member, ...args: readonly string[]): Promise<Outcome> {
    return inProcess([...args, "-c", member.addresses.user, ACCEPT_DEV, "-o", "json"]);
  }

  /** `quorate verify` at one coordinator, which must succeed. @param out its memory from one time to the next */
  async verify(member: Member, out = "verified"): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await this.tryVerify(member, out);
    if (code !== 0) throw new Error(`verify ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** `quorate verify`, whatever comes of it. */
  tryVerify(member: Member, out = "verified"): Promise<Outcome> {
    const owners = Object.keys(PEOPLE).flatMap((name) => [
      "--owner",
      this.world.file(`${name}.pub.pem`),
    ]);
    const where = ["--out", this.world.file(out)];
    return this.command(member, "verify", ...where, ...owners, "--threshold", "2");
  }

  async close(): Promise<void> {
    this.workload.close();
    for (const member of this.members) member.close();
    await this.store.close();
    await this.world.close();
    await this.etcd.stop();
  }
}

async function membersOf(world: World, etcd: EtcdCluster): Promise<readonly Member[]> {
  const ports = await choosePorts(4 * NAMES.length);
  const address = (at: number): string => `127.0.0.1:${ports[at]!}`;
  const all = NAMES.map((name, index) => ({
    name,
    addresses: {
      user: address(4 * index),
      mesh: address(4 * index + 1),
      admin: address(4 * index + 2),
      peer: address(4 * index + 3),
    },
  }));
  const store = `etcd://${etcd.endpoints.join(",")}/${PREFIX}`;
  return all.map(({ name, addresses }) => {
    const peers = all.filter((each) => each.name !== name).map((each) => each.addresses.peer);
    return new Member(world, { name, addresses, store, peers });
  });
}
