/** A folder with everything that one mesh needs: keys, policies, manifest, store. Made with the same commands that a person would type. */
import { existsSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { QuorateError } from "../../core/errors.ts";
import { type Finished, runCommand, RunningCommand } from "./child.ts";

/** Owners and share owners of the demonstration; two of three must agree. */
export const PEOPLE = ["alice", "bob", "carol"] as const;
const THRESHOLD = 2;

/** Where a running coordinator listens. */
export interface Addresses {
  readonly user: string;
  readonly mesh: string;
}

const START_TIMEOUT_MS = 30_000;

/** One demonstration folder. */
export class Workbench {
  readonly folder: string;
  readonly #signal: AbortSignal;
  readonly #onCommand: (line: string) => void;

  /** @param onCommand hears of every command before it runs. */
  constructor(folder: string, signal: AbortSignal, onCommand: (line: string) => void) {
    this.folder = folder;
    this.#signal = signal;
    this.#onCommand = onCommand;
  }

  /**
   * True if {@link prepare} has been here, to its end.
   *
   * @throws QuorateError `already-exists` if the folder holds something else
   */
  get exists(): boolean {
    // The manifest is what is made last.
    if (existsSync(path.join(this.folder, "manifest.json"))) return true;
    if (!existsSync(this.folder) || readdirSync(this.folder).length === 0) return false;
    throw new QuorateError(
      "already-exists",
      `${this.folder} holds something else, or a set-up that was interrupted`,
      { hint: "remove it, or choose another folder" },
    );
  }

  /** Runs a command that must succeed. @throws QuorateError `internal` with its output */
  async run(...args: readonly string[]): Promise<string> {
    const finished = await this.attempt(...args);
    if (finished.code === 0) return finished.stdout;
    throw new QuorateError(
      "internal",
      `quorate ${args.join(" ")} ended with ${finished.code}:\n${finished.stderr}`,
    );
  }

  /** Runs a command and returns whatever came of it. */
  attempt(...args: readonly string[]): Promise<Finished> {
    this.#onCommand(`quorate ${args.join(" ")}`);
    return runCommand(this.folder, args, this.#signal);
  }

  /** Makes keys of owners and share owners, a simulated TEE vendor, policy documents and a manifest. */
  async prepare(workloads: readonly string[], strangers: readonly string[]): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await this.run("keygen", "dev-platform", "--out", "platform");
    await Promise.all(
      PEOPLE.flatMap((person) => [
        this.run("keygen", "owner", "--out", person),
        this.run("keygen", "share-owner", "--out", `${person}-share`),
      ]),
    );
    await this.run("policy", "coordinator", "--out", "coordinator.policy.json");
    await Promise.all([...workloads, ...strangers].map((name) => this.#workloadPolicy(name)));
    await this.writeManifest("manifest.json", workloads);
  }

  /** Writes a manifest that admits `workloads`. */
  async writeManifest(file: string, workloads: readonly string[]): Promise<void> {
    await this.run(
      ...[
        "manifest",
        "init",
        "--out",
        file,
        "--trust-domain",
        "demo.example",
        "--coordinator-name",
        "coordinator-0",
      ],
      ...["--coordinator-policy", "coordinator.policy.json"],
      ...workloads.flatMap((name) => ["--workload", `${name}=${name}.policy.json`]),
      ...this.#owners(),
      ...PEOPLE.flatMap((person) => ["--share-owner", `${person}-share.pub.pem`]),
      ...["--share-threshold", String(THRESHOLD), "--dev-platform", "platform"],
    );
  }

  /** Two owners approve a manifest, then it is set. */
  async approveAndSet(
    file: string,
    addresses: Addresses,
    update: { readonly verified: string } | undefined,
  ): Promise<void> {
    const place = update === undefined ? ["--genesis"] : ["--verified", update.verified];
    const approvers = PEOPLE.slice(0, THRESHOLD);
    await Promise.all(
      approvers.map((person) => {
        const out = `${person}.approval.json`;
        return this.run("approve", file, "--key", `${person}.key.pem`, ...place, "--out", out);
      }),
    );
    await this.run(
      ...["set", file, ...approvers.flatMap((person) => ["--approval", `${person}.approval.json`])],
      ...[
        "--policies",
        ".",
        ...(update === undefined ? ["--key", "alice.key.pem"] : []),
        ...this.userFlags(addresses),
      ],
    );
  }

  /** Starts a coordinator over the folder's store. Ports are the system's choice unless given. */
  async startCoordinator(
    listen: Addresses,
  ): Promise<{ process: RunningCommand; addresses: Addresses }> {
    const args = [
      ...[
        "coordinator",
        "--name",
        "coordinator-0",
        "--store",
        "file:store",
        "--policy",
        "coordinator.policy.json",
      ],
      ...[
        "--insecure-dev-attestation",
        "platform",
        "--user-address",
        listen.user,
        "--mesh-address",
        listen.mesh,
      ],
      // Alone: any port will do for peers and for probes, and takes none that another program waits for.
      ...["--peer-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"],
      ...["--log-format", "json"],
    ];
    this.#onCommand(`quorate ${args.join(" ")}`);
    const process = new RunningCommand(this.folder, args);
    const { user, mesh } = await process.logged("listening", START_TIMEOUT_MS);
    return { process, addresses: { user: String(user), mesh: String(mesh) } };
  }

  /** Flags of every command that talks to the coordinator's userapi. */
  userFlags(addresses: Addresses): readonly string[] {
    return ["--coordinator", addresses.user, "--accept-insecure-dev-attestation"];
  }

  /** Flags of a sidecar for `name` that obtains credentials once and ends. */
  sidecarFlags(name: string, addresses: Addresses, out: string): readonly string[] {
    return [
      ...[
        "sidecar",
        "--once",
        "--mesh",
        addresses.mesh,
        "--policy",
        `${name}.policy.json`,
        "--out",
        out,
      ],
      ...["--insecure-dev-attestation", "platform", "--dev-measurement", name],
    ];
  }

  #workloadPolicy(name: string): Promise<string> {
    return this.run(
      ...[
        "policy",
        "workload",
        "--out",
        `${name}.policy.json`,
        "--description",
        `the ${name} workload`,
      ],
      ...[
        "--coordinator-policy",
        "coordinator.policy.json",
        ...this.#owners(),
        "--dev-platform",
        "platform",
      ],
    );
  }

  #owners(): readonly string[] {
    return [
      ...PEOPLE.flatMap((person) => ["--owner", `${person}.pub.pem`]),
      "--threshold",
      String(THRESHOLD),
    ];
  }
}
