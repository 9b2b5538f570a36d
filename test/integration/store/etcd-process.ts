/** Real etcd processes on ports of the system's choice, in temporary folders. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { eventually } from "../../compliance/store/store-compliance.ts";

/** True, with a message, if the etcd tests can't run here. Tries to install etcd where that is possible. */
export function etcdMissing(): boolean {
  if (hasEtcd()) return false;
  if (process.getuid?.() === 0) {
    spawnSync("apt-get", ["install", "-y", "-q", "etcd-server", "etcd-client"], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      timeout: 120_000,
    });
    if (hasEtcd()) return false;
  }
  console.warn(
    "skipping the etcd tests: install the packages etcd-server and etcd-client, or put etcd 3.4 or newer and etcdctl on the PATH",
  );
  return true;
}

function hasEtcd(): boolean {
  return ["etcd", "etcdctl"].every((name) => spawnSync(name, ["--help"]).status === 0);
}

/** Files for TLS; etcd then also asks its clients for certificates of the same authority. */
export interface EtcdCertificates {
  readonly authority: string;
  readonly certificate: string;
  readonly privateKey: string;
}

interface Member {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  child: ChildProcess | undefined;
}

/** A cluster of one or more members. */
export class EtcdCluster {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "quorate-etcd-"));
  readonly #members: readonly Member[];
  readonly #certificates: EtcdCertificates | undefined;

  private constructor(members: readonly Member[], certificates: EtcdCertificates | undefined) {
    this.#members = members;
    this.#certificates = certificates;
  }

  static async start(size: number, certificates?: EtcdCertificates): Promise<EtcdCluster> {
    const ports = await freePorts(2 * size);
    const members = Array.from({ length: size }, (_, i) => ({
      name: `member${i}`,
      clientPort: ports[2 * i]!,
      peerPort: ports[2 * i + 1]!,
      child: undefined,
    }));
    const cluster = new EtcdCluster(members, certificates);
    for (let i = 0; i < size; i++) cluster.startMember(i);
    await cluster.untilHealthy();
    return cluster;
  }

  /** `host:port` of every member. */
  get endpoints(): readonly string[] {
    return this.#members.map(({ clientPort }) => `127.0.0.1:${clientPort}`);
  }

  /** Starts a member, again after a stop with what its folder holds. */
  startMember(index: number, ...extra: readonly string[]): void {
    const member = this.#members[index]!;
    const scheme = this.#certificates === undefined ? "http" : "https";
    const client = `${scheme}://127.0.0.1:${member.clientPort}`;
    const peer = `http://127.0.0.1:${member.peerPort}`;
    member.child = spawn(
      "etcd",
      [
        `--name=${member.name}`,
        `--data-dir=${this.dataFolder(index)}`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=${this.#members.map((m) => `${m.name}=http://127.0.0.1:${m.peerPort}`).join(",")}`,
        "--log-level=error",
        ...this.#tlsFlags(),
        ...extra,
      ],
      { stdio: "ignore" },
    );
  }

  dataFolder(index: number): string {
    return path.join(this.#folder, this.#members[index]!.name);
  }

  /** A path in the cluster's temporary folder. */
  temporaryFile(name: string): string {
    return path.join(this.#folder, name);
  }

  /** Ends a member at once and waits until it is gone. */
  async kill(index: number): Promise<void> {
    const { child } = this.#members[index]!;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  /** Freezes a member: its connections stay open and nobody answers. */
  pause(index: number): void {
    this.#members[index]!.child?.kill("SIGSTOP");
  }

  /** Lets a frozen member go on. */
  resume(index: number): void {
    this.#members[index]!.child?.kill("SIGCONT");
  }

  /** Index of the member that leads. */
  leader(): number {
    for (const [index] of this.#members.entries()) {
      const status = this.etcdctl(index, "endpoint", "status", "--write-out=json");
      if (status === undefined) continue;
      const [{ Status }] = JSON.parse(status) as [
        { Status: { leader: number; header: { member_id: number } } },
      ];
      if (Status.leader === Status.header.member_id) return index;
    }
    throw new Error("no member leads");
  }

  /** Runs etcdctl against one member, or against all with `"all"`; `undefined` if it fails. */
  etcdctl(member: number | "all", ...args: readonly string[]): string | undefined {
    const endpoints = member === "all" ? this.endpoints.join(",") : this.endpoints[member]!;
    const result = spawnSync(
      "etcdctl",
      [`--endpoints=${endpoints}`, "--command-timeout=2s", ...this.#clientFlags(), ...args],
      { encoding: "utf8", env: { ...process.env, ETCDCTL_API: "3" } },
    );
    return result.status === 0 ? result.stdout : undefined;
  }

  /** Replaces what the only member, which must not run, holds by a snapshot. */
  restore(snapshot: string): void {
    const { name, peerPort } = this.#members[0]!;
    rmSync(this.dataFolder(0), { recursive: true });
    const peer = `http://127.0.0.1:${peerPort}`;
    const restored = this.etcdctl(
      0,
      ...["snapshot", "restore", snapshot, `--name=${name}`, `--data-dir=${this.dataFolder(0)}`],
      ...[`--initial-cluster=${name}=${peer}`, `--initial-advertise-peer-urls=${peer}`],
    );
    if (restored === undefined) throw new Error("the snapshot could not be restored");
  }

  /** Waits until every member answers. */
  async untilHealthy(): Promise<void> {
    await eventually(
      "etcd answers",
      () => this.etcdctl("all", "endpoint", "health") !== undefined,
      30_000,
    );
  }

  /** Ends all members and removes their folders. */
  async stop(): Promise<void> {
    for (const index of this.#members.keys()) await this.kill(index);
    rmSync(this.#folder, { recursive: true });
  }

  #tlsFlags(): readonly string[] {
    if (this.#certificates === undefined) return [];
    const { authority, certificate, privateKey } = this.#certificates;
    return [
      `--cert-file=${certificate}`,
      `--key-file=${privateKey}`,
      `--trusted-ca-file=${authority}`,
      "--client-cert-auth=true",
    ];
  }

  #clientFlags(): readonly string[] {
    if (this.#certificates === undefined) return [];
    const { authority, certificate, privateKey } = this.#certificates;
    return [`--cacert=${authority}`, `--cert=${certificate}`, `--key=${privateKey}`];
  }
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer();
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
