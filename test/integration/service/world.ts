/** A folder with one mesh in it: keys, simulated platform, policies, manifest, store; made with the program itself. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { type Finished, processesIn, quorate, Running } from "./processes.ts";

/** Owners, one of each key algorithm; two of three must approve. Each owns a share; two of three recover. */
export const PEOPLE = { alice: "p-256", bob: "p-384", carol: "ed25519" } as const;
export type Person = keyof typeof PEOPLE;

const OWNERS = [
  ...Object.keys(PEOPLE).flatMap((person) => ["--owner", `${person}.pub.pem`]),
  ...["--threshold", "2"],
];
/** Flags that pin the mesh's owners. */
export const PINS = OWNERS;
export const ACCEPT_DEV = "--accept-insecure-dev-attestation";

/** A running coordinator and where it listens. */
export interface RunningCoordinator {
  readonly process: Running;
  readonly user: string;
  readonly mesh: string;
  readonly admin: string;
  readonly mode: string;
}

export class World {
  readonly folder: string;
  readonly #started: Running[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Keys, platform, policies of `web`, `api` and `stranger`, and manifest.json, which admits the first two. */
  static async create(): Promise<World> {
    const world = new World(await mkdtemp(path.join(tmpdir(), "quorate-test-")));
    await Promise.all([
      world.ok("keygen", "dev-platform", "--out", "platform"),
      world.ok("policy", "coordinator", "--out", "coordinator.policy.json"),
      ...Object.entries(PEOPLE).flatMap(([person, algorithm]) => [
        world.ok("keygen", "owner", "--out", person, "--algorithm", algorithm),
        world.ok("keygen", "share-owner", "--out", `${person}-share`),
      ]),
    ]);
    await Promise.all(["web", "api", "stranger"].map((name) => world.workloadPolicy(name)));
    await world.manifest("manifest.json", ["web", "api"]);
    return world;
  }

  file(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  /** Runs a command, whatever comes of it. */
  run(...args: readonly string[]): Promise<Finished> {
    return quorate(this.folder, args);
  }

  /** Runs a command that must succeed. @returns its standard output */
  async ok(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code === 0) return stdout;
    throw new Error(`quorate ${args.join(" ")} ended with ${code}:\n${stderr}`);
  }

  /** Runs a command with `-o json`. @returns what it printed */
  async json(...args: readonly string[]): Promise<Record<string, unknown>> {
    return JSON.parse(await this.ok(...args, "-o", "json")) as Record<string, unknown>;
  }

  /** Starts a command that goes on. */
  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    const running = new Running(this.folder, args, environment);
    this.#started.push(running);
    return running;
  }

  workloadPolicy(name: string, pins: readonly string[] = OWNERS): Promise<string> {
    return this.ok(
      ...["policy", "workload", "--out", `${name}.policy.json`, "--description", name],
      ...["--coordinator-policy", "coordinator.policy.json", ...pins, "--dev-platform", "platform"],
    );
  }

  manifest(
    file: string,
    workloads: readonly string[],
    ...more: readonly string[]
  ): Promise<string> {
    return this.ok(
      ...["manifest", "init", "--out", file, "--trust-domain", "test.example"],
      ...["--coordinator-name", "coordinator-0", "--coordinator-policy", "coordinator.policy.json"],
      ...workloads.flatMap((name) => ["--workload", `${name}=${name}.policy.json`]),
      ...[...OWNERS, "--dev-platform", "platform", "--certificate-lifetime", "300s"],
      ...Object.keys(PEOPLE).flatMap((person) => ["--share-owner", `${person}-share.pub.pem`]),
      ...["--share-threshold", "2", ...more],
    );
  }

  /** A coordinator on ports of the system's choice. */
  async coordinator(store = "store", ...more: readonly string[]): Promise<RunningCoordinator> {
    const any = "127.0.0.1:0";
    const process = this.start([
      ...["coordinator", "--store", `file:${store}`, "--policy", "coordinator.policy.json"],
      ...["--insecure-dev-attestation", "platform", "--log-format", "json"],
      ...["--user-address", any, "--mesh-address", any, "--admin-address", any, ...more],
    ]);
    const { user, mesh, admin, mode } = await process.logged("listening");
    const text = String;
    return { process, user: text(user), mesh: text(mesh), admin: text(admin), mode: text(mode) };
  }

  /** The approval of `person`, in a file whose name is returned. @param place a folder of `quorate verify`, or a genesis */
  async approval(manifest: string, person: Person, place: string): Promise<string> {
    const out = `${manifest}.${place}.${person}.approval.json`;
    const where = place === "genesis" ? ["--genesis"] : ["--verified", place];
    await this.ok("approve", manifest, "--key", `${person}.key.pem`, ...where, "--out", out);
    return out;
  }

  /** Arguments of `quorate set`, with the approvals of alice and bob. */
  async setArguments(manifest: string, user: string, place: string): Promise<string[]> {
    const approvals = await Promise.all([
      this.approval(manifest, "alice", place),
      this.approval(manifest, "bob", place),
    ]);
    return [
      ...["set", manifest, ...approvals.flatMap((file) => ["--approval", file]), "--policies", "."],
      ...(place === "genesis" ? ["--key", "alice.key.pem"] : []),
      ...["-c", user, ACCEPT_DEV],
    ];
  }

  async set(manifest: string, user: string, place: string): Promise<void> {
    await this.ok(...(await this.setArguments(manifest, user, place)));
  }

  /** Verifies with the owners pinned. */
  verify(user: string, out = "verified"): Promise<Record<string, unknown>> {
    return this.json("verify", "--out", out, ...PINS, "-c", user, ACCEPT_DEV);
  }

  recover(user: string, person: Person, verified = "verified"): Promise<Finished> {
    return this.run(
      ...["recover", "--share-key", `${person}-share.key.pem`, "--verified", verified],
      ...["-c", user, ACCEPT_DEV, "-o", "json"],
    );
  }

  sidecarArguments(mesh: string, name: string, out: string, ...more: readonly string[]): string[] {
    return [
      ...["sidecar", "--mesh", mesh, "--policy", `${name}.policy.json`, "--out", out],
      ...["--insecure-dev-attestation", "platform", "--dev-measurement", name, ...more],
    ];
  }

  /** Ends what still runs and removes the folder; fails if anything survives. */
  async close(): Promise<void> {
    await Promise.all(this.#started.map((each) => each.kill()));
    const left = processesIn(this.folder);
    await rm(this.folder, { recursive: true, force: true });
    expect(left).toEqual([]);
  }
}
