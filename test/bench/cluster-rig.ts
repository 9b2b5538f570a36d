/** Three coordinator processes over one etcd, and an onlooker who hears at once what becomes of each of them. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  Appraiser,
  DevelopmentQuoter,
  developmentMeasurement,
  loadDevelopmentVendor,
  NO_COLLATERAL,
} from "../../src/attestation/index.ts";
import { instanceReportData } from "../../src/attestation/report-data.ts";
import { Workbench } from "../../src/cli/demo/workbench.ts";
import { utf8 } from "../../src/core/bytes.ts";
import { parseRecord } from "../../src/core/history/index.ts";
import { unwrap } from "../../src/core/result.ts";
import { sha256 } from "../../src/crypto/index.ts";
import type { SetManifestResponse } from "../../src/gen/quorate/userapi/v1/user_pb.ts";
import { createLog } from "../../src/observability/log.ts";
import { unjudgedPeerEvidence } from "../../src/recovery/peer-evidence.ts";
import { PeerLink, type PeerLinkPorts } from "../../src/recovery/peer-link.ts";
import { generateInstance } from "../../src/transport/instance-identity.ts";
import { Member, type MemberPlace } from "../integration/cluster/member.ts";
import { Owners } from "../integration/cluster/owners.ts";
import { choosePorts } from "../integration/cluster/ports.ts";
import { Running } from "../integration/service/processes.ts";
import type { EtcdCluster } from "../integration/store/etcd-process.ts";

const NAMES = ["coordinator-0", "coordinator-1", "coordinator-2"] as const;
const PREFIX = "mesh";
/** Where the coordinators' store keeps the head. */
export const HEAD_KEY = `${PREFIX}/1/head`;
const PATIENCE_MS = 30_000;
const LIFETIME_SECONDS_MIN = 300;

/** One coordinator, and what it says of itself. */
export interface Watched {
  readonly member: Member;
  readonly link: PeerLink;
}

export class ClusterRig {
  readonly coordinators: readonly Watched[];
  readonly #folder: string;
  readonly #started: Running[];
  readonly #owners: Owners;
  readonly #listeners: Set<() => void>;
  #variant = 0;
  #newest: SetManifestResponse | undefined;

  private constructor(
    folder: string,
    started: Running[],
    owners: Owners,
    coordinators: readonly Watched[],
    listeners: Set<() => void>,
  ) {
    this.#folder = folder;
    this.#started = started;
    this.#owners = owners;
    this.coordinators = coordinators;
    this.#listeners = listeners;
  }

  /** Three coordinators that are ready under a first manifest. */
  static async start(etcd: EtcdCluster): Promise<ClusterRig> {
    const folder = await mkdtemp(path.join(tmpdir(), "quorate-bench-"));
    const bench = new Workbench(folder, new AbortController().signal, () => undefined);
    await bench.prepare(["web", "api"], []);
    const started: Running[] = [];
    const place = {
      file: (...names: string[]) => path.join(folder, ...names),
      start(args: readonly string[]) {
        const running = new Running(folder, args);
        started.push(running);
        return running;
      },
    };
    const members = await membersOf(place, etcd);
    for (const member of members) member.start();
    const listeners = new Set<() => void>();
    const ports = await onlookerPorts(folder);
    const tell = (): void => {
      for (const each of [...listeners]) each();
    };
    const coordinators = members.map((member) => ({
      member,
      link: new PeerLink(member.addresses.peer, ports, tell),
    }));
    const owners = await Owners.of(place);
    const rig = new ClusterRig(folder, started, owners, coordinators, listeners);
    try {
      for (const { member } of coordinators) await member.until("answers", () => true);
      rig.#newest = await owners.genesis(rig.at(0).member, await rig.#manifest());
      await rig.allReady();
      return rig;
    } catch (cause) {
      await rig.close();
      throw cause;
    }
  }

  /** Hash of the newest record that was set here. */
  get recordHash(): string {
    return this.#set.recordHash;
  }

  at(index: number): Watched {
    const found = this.coordinators[index];
    if (found === undefined) throw new Error(`there is no coordinator ${index}`);
    return found;
  }

  /** The bytes of the newest record, and of what an update puts into the store that was not there before. */
  async newDocuments(): Promise<{ record: Uint8Array; documents: readonly Uint8Array[] }> {
    const { record, caCertificates } = this.#set;
    const { mesh, meshIntermediate } = caCertificates ?? {};
    if (mesh === undefined || meshIntermediate === undefined) throw new Error("a mesh CA is named");
    const { approvals } = await this.#proposal();
    const text = utf8(JSON.stringify(approvals.map(({ signature }) => [...signature])));
    return { record, documents: [await this.#manifest(), text, mesh, meshIntermediate] };
  }

  /**
   * Sets another manifest at one coordinator, approved before the clock starts.
   *
   * @param sent is called at the moment of the call.
   */
  async set({ member }: Watched, sent: () => void = () => undefined): Promise<void> {
    this.#variant += 1;
    const { manifest, approvals } = await this.#proposal();
    const request = {
      ...{ manifest, policyDocuments: [], previousRecord: this.recordHash },
      approvals: approvals.map(({ key, signature }) => ({ keyId: key, signature })),
    };
    const { user } = member;
    sent();
    this.#newest = await user.setManifest(request, { timeoutMs: PATIENCE_MS });
  }

  /** Fulfilled at the moment when the coordinator says that it is ready with a record that it did not have before. */
  async readyWithout({ link }: Watched, before: string): Promise<number> {
    await this.#until(() => {
      const { standing } = link;
      return standing?.mode === "ready" && standing.heldRecord !== before;
    });
    return performance.now();
  }

  /** All are ready with the newest record. */
  async allReady(): Promise<void> {
    await this.#until(() =>
      this.coordinators.every(({ link: { standing } }) => {
        return standing?.mode === "ready" && standing.heldRecord === this.recordHash;
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.coordinators.map(({ link }) => link.close()));
    for (const { member } of this.coordinators) member.close();
    for (const each of this.#started) if (!each.hasExited) await each.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #set(): SetManifestResponse {
    if (this.#newest === undefined) throw new Error("a manifest was set");
    return this.#newest;
  }

  async #proposal() {
    const manifest = await this.#manifest();
    const { record, hash } = unwrap(parseRecord(this.#set.record, sha256));
    const proposal = { manifest, lineage: record.lineage, previous: hash };
    return { manifest, approvals: await this.#owners.approve(proposal) };
  }

  /** Names all coordinators, and differs from the others by the lifetime of certificates. */
  async #manifest(): Promise<Uint8Array> {
    const text = await readFile(path.join(this.#folder, "manifest.json"), "utf8");
    const certificates = { leafLifetimeSeconds: LIFETIME_SECONDS_MIN + this.#variant };
    const manifest = JSON.parse(text) as Record<string, unknown>;
    return utf8(JSON.stringify({ ...manifest, coordinators: NAMES, certificates }));
  }

  /** Checks at once and whenever a coordinator has said something. */
  async #until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    const late = new AbortController();
    let listener: () => void = () => undefined;
    const met = new Promise<void>((resolve) => {
      listener = () => {
        if (condition()) resolve();
      };
      this.#listeners.add(listener);
    });
    try {
      const patience = delay(PATIENCE_MS, undefined, { signal: late.signal }).then(() => {
        throw new Error(`the coordinators did not get there: ${this.#summary()}`);
      });
      await Promise.race([met, patience]);
    } finally {
      this.#listeners.delete(listener);
      late.abort();
    }
  }

  #summary(): string {
    return this.coordinators
      .map(({ link: { address, standing, problem } }) =>
        [address, standing?.mode, standing?.heldRecord?.slice(0, 8), problem?.message].join(" "),
      )
      .join("; ");
  }
}

async function membersOf(
  place: MemberPlace,
  { endpoints }: EtcdCluster,
): Promise<readonly Member[]> {
  const ports = await choosePorts(4 * NAMES.length);
  const address = (at: number): string => `127.0.0.1:${ports[at] ?? 0}`;
  const all = NAMES.map((name, index) => ({
    name,
    addresses: {
      user: address(4 * index),
      mesh: address(4 * index + 1),
      admin: address(4 * index + 2),
      peer: address(4 * index + 3),
    },
  }));
  const store = `etcd://${endpoints.join(",")}/${PREFIX}`;
  return all.map(({ name, addresses }) => {
    const peers = all.filter((each) => each.name !== name).map((each) => each.addresses.peer);
    return new Member(place, { name, addresses, store, peers });
  });
}

/** Of a genuine instance, which the coordinators let watch them. */
async function onlookerPorts(folder: string): Promise<PeerLinkPorts> {
  const vendor = await loadDevelopmentVendor(path.join(folder, "platform"));
  const instance = await generateInstance("onlooker");
  const quoter = new DevelopmentQuoter(vendor, {
    measurement: developmentMeasurement("coordinator"),
    policyHash: sha256(await readFile(path.join(folder, "coordinator.policy.json"))),
  });
  const evidence = await quoter.quote(instanceReportData(instance.keys));
  return {
    instance,
    evidence: () => Promise.resolve(evidence),
    verifier: unjudgedPeerEvidence({
      appraiser: new Appraiser(),
      collateral: () => Promise.resolve(NO_COLLATERAL),
      now: Date.now,
    }),
    log: createLog({ level: "silent", format: "json", destination: process.stderr }),
    // It must hear of a restarted coordinator soon.
    times: { retryMaxMs: 200 },
  };
}
