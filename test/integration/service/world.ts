/** A folder with one mesh in it: keys, simulated platform, policies, manifest, store; made with the program itself. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, vi } from "vitest";
import {
  batch,
  eventually,
  type Finished,
  killNow,
  processesIn,
  quorate,
  Running,
} from "./processes.ts";

// A busy machine runs a dozen processes in one test: it may be slow, and must not be flaky.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Owners, one of each key algorithm; two of three must approve. Each owns a share; two of three recover. */
export const PEOPLE = { alice: "p-256", bob: "p-384", carol: "ed25519" } as const;
export type Person = keyof typeof PEOPLE;

/** Flags that pin the mesh's owners. */
export const PINS: readonly string[] = [
  ...Object.keys(PEOPLE).flatMap((person) => ["--owner", `${person}.pub.pem`]),
  ...["--threshold", "2"],
];
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

  /** A folder with nothing in it. */
  static async empty(): Promise<World> {
    return new World(await mkdtemp(path.join(tmpdir(), "quorate-test-")));
  }

  /** Keys, platform, policies of `web`, `api` and `stranger`, and manifest.json, which admits the first two. */
  static async create(): Promise<World> {
    const world = await World.empty();
    await world.batch(
      ["keygen", "dev-platform", "--out", "platform"],
      ["policy", "coordinator", "--out", "coordinator.policy.json"],
      ...Object.entries(PEOPLE).flatMap(([person, algorithm]) => [
        ["keygen", "owner", "--out", person, "--algorithm", algorithm],
        ["keygen", "share-owner", "--out", `${person}-share`],
      ]),
      ...["web", "api", "stranger"].map((name) => workloadPolicy(name)),
      manifest("manifest.json", ["web", "api"]),
    );
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

  /** Runs commands that must succeed, one after the other in one process. */
  async batch(...commands: readonly (readonly string[])[]): Promise<void> {
    const { code, stderr } = await batch(this.folder, commands);
    if (code !== 0) throw new Error(`a command ended with ${code}:\n${stderr}`);
  }

  /** Starts a command that goes on. */
  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    const running = new Running(this.folder, args, environment);
    this.#started.push(running);
    return running;
  }

  /** A coordinator on ports of the system's choice. */
  async coordinator(store = "store", ...more: readonly string[]): Promise<RunningCoordinator> {
    const any = "127.0.0.1:0";
    const process = this.start([
      ...["coordinator", "--store", `file:${store}`, "--policy", "coordinator.policy.json"],
      ...["--insecure-dev-attestation", "platform", "--log-format", "json"],
      ...["--user-address", any, "--mesh-address", any, "--peer-address", any],
      ...["--admin-address", any, ...more],
    ]);
    const { user, mesh, admin, mode } = await process.logged("listening");
    const text = String;
    return { process, user: text(user), mesh: text(mesh), admin: text(admin), mode: text(mode) };
  }

  /**
   * Arguments of `quorate set`, with the approvals of two owners, which are made here.
   *
   * @param place a folder that `quorate verify` wrote, or `genesis`.
   */
  async setArguments(manifest: string, user: string, place: string): Promise<string[]> {
    const people = ["alice", "bob"] as const;
    const approvals = people.map((person) => approval(manifest, person, place));
    await this.batch(...approvals.map(({ args }) => args));
    return [
      ...["set", manifest, ...approvals.flatMap(({ file }) => ["--approval", file])],
      ...["--policies", ".", ...(place === "genesis" ? ["--key", "alice.key.pem"] : [])],
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
    for (const each of this.#started) each.signal("SIGKILL");
    await eventually("end of what was started", () =>
      this.#started.every((each) => each.hasExited),
    );
    // What they had started themselves must be gone too; if it is not, the test fails, but leaves nothing behind either.
    const left = processesIn(this.folder);
    left.forEach(killNow);
    await rm(this.folder, { recursive: true, force: true });
    expect(left).toEqual([]);
  }
}

/** Makes the policy document of a workload. @param pins what coordinators it accepts, else those of the owners */
export function workloadPolicy(name: string, pins: readonly string[] = PINS): string[] {
  return [
    ...["policy", "workload", "--out", `${name}.policy.json`, "--description", name],
    ...["--coordinator-policy", "coordinator.policy.json", ...pins, "--dev-platform", "platform"],
  ];
}

/** Makes a manifest with the shortest certificates that there are. */
export function manifest(file: string, workloads: readonly string[]): string[] {
  return [
    ...["manifest", "init", "--out", file, "--trust-domain", "test.example"],
    ...["--coordinator-name", "coordinator-0", "--coordinator-policy", "coordinator.policy.json"],
    ...workloads.flatMap((name) => ["--workload", `${name}=${name}.policy.json`]),
    ...[...PINS, "--dev-platform", "platform", "--certificate-lifetime", "300s"],
    ...Object.keys(PEOPLE).flatMap((person) => ["--share-owner", `${person}-share.pub.pem`]),
    ...["--share-threshold", "2"],
  ];
}

/** Approves a manifest for a place in the history. */
export function approval(
  manifest: string,
  person: Person,
  place: string,
): { args: string[]; file: string } {
  const file = `${manifest}.${place}.${person}.approval.json`;
  const where = place === "genesis" ? ["--genesis"] : ["--verified", place];
  return {
    file,
    args: ["approve", manifest, "--key", `${person}.key.pem`, ...where, "--out", file],
  };
}
