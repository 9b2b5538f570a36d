/** One coordinator of a cluster, through all its restarts. */
import { readFile } from "node:fs/promises";
import {
  Mode,
  type GetStatusResponse,
  UserService,
} from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import type { ServiceClient } from "../../../src/transport/grpc-adapter.ts";
import { serviceClient } from "../../../src/transport/grpc-client.ts";
import { ObservedChannel } from "../../../src/transport/observed-channel.ts";
import { eventually, type Running } from "../service/processes.ts";

/** Where it listens, always. */
export interface MemberAddresses {
  readonly user: string;
  readonly mesh: string;
  readonly admin: string;
  readonly peer: string;
}

/** Where its files are and who starts its processes: a test's world. */
export interface MemberPlace {
  file(...names: string[]): string;
  start(args: readonly string[]): Running;
}

/** Bound of one call in a test: a process that is frozen must not hold the test up for long. */
export const CALL_MILLIS = 5_000;

export class Member {
  readonly name: string;
  readonly addresses: MemberAddresses;
  readonly #world: MemberPlace;
  readonly #store: string;
  readonly #peers: readonly string[];
  #running: { readonly process: Running; readonly channel: ObservedChannel } | undefined;

  constructor(
    world: MemberPlace,
    options: {
      readonly name: string;
      readonly addresses: MemberAddresses;
      /** `etcd://…/prefix` */
      readonly store: string;
      /** Addresses of the others' peers' ports. */
      readonly peers: readonly string[];
    },
  ) {
    this.#world = world;
    this.name = options.name;
    this.addresses = options.addresses;
    this.#store = options.store;
    this.#peers = options.peers;
  }

  get process(): Running {
    return this.#required.process;
  }

  /** Its userapi; a new one after every restart. */
  get user(): ServiceClient<typeof UserService> {
    return serviceClient(UserService, this.#required.channel);
  }

  /** Starts the process, with the same flags every time but for `more`. Does not wait for anything. */
  start(...more: readonly string[]): void {
    const { user, mesh, admin, peer } = this.addresses;
    const process = this.#world.start([
      ...["coordinator", "--name", this.name, "--store", this.#store],
      ...["--policy", "coordinator.policy.json", "--insecure-dev-attestation", "platform"],
      ...["--user-address", user, "--mesh-address", mesh, "--admin-address", admin],
      ...["--peer-address", peer, ...this.#peers.flatMap((each) => ["--peer", each])],
      ...["--log-format", "json", "--audit-log", `${this.name}.audit`, ...more],
    ]);
    this.#running?.channel.close();
    this.#running = { process, channel: new ObservedChannel({ address: user }) };
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    await this.process.kill();
    this.#required.channel.close();
  }

  /** Asks it to stop. @returns its exit code */
  async stop(): Promise<number | null> {
    this.process.signal("SIGTERM");
    const code = await this.process.ended;
    this.#required.channel.close();
    return code;
  }

  /** Freezes it: its connections stay open, and nobody answers. */
  pause(): void {
    this.process.signal("SIGSTOP");
  }

  /** Lets it go on. */
  resume(): void {
    this.process.signal("SIGCONT");
  }

  status(timeoutMs = CALL_MILLIS): Promise<GetStatusResponse> {
    return this.user.getStatus({}, { timeoutMs });
  }

  /** Its status once `condition` holds; a coordinator that does not answer yet is asked again. */
  async until(
    what: string,
    condition: (status: GetStatusResponse) => boolean,
  ): Promise<GetStatusResponse> {
    let last: unknown;
    try {
      return await eventually(`${this.name} ${what}`, async () => {
        const status = await this.status().catch((error: unknown) => {
          last = error;
          if (this.process.hasExited) throw new Error(`${this.name} ended:\n${this.#lastWords}`);
        });
        if (status === undefined) return undefined;
        last = summary(status);
        return condition(status) ? status : undefined;
      });
    } catch (cause) {
      throw new Error(`${this.name} is ${String(last)}; its log ends:\n${this.#lastWords}`, {
        cause,
      });
    }
  }

  /** Its status once it enforces the head, and issues. @param record the head, if it must be a certain one */
  ready(record?: string): Promise<GetStatusResponse> {
    return this.until(
      `ready${record === undefined ? "" : ` under ${record}`}`,
      ({ mode, suspended, head }) =>
        mode === Mode.READY &&
        suspended === "" &&
        (record === undefined || head?.recordHash === record),
    );
  }

  /** Audit events of one kind, of this name's whole life. */
  async audited(event: string): Promise<readonly Record<string, unknown>[]> {
    const text = await readFile(this.#world.file(`${this.name}.audit`), "utf8");
    return text
      .split("\n")
      .filter((line) => line.endsWith("}"))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((each) => each["event"] === event);
  }

  /** Closes the client. The process ends with the world. */
  close(): void {
    this.#running?.channel.close();
  }

  get #lastWords(): string {
    return this.process.lines.slice(-15).join("\n");
  }

  get #required() {
    if (this.#running === undefined) throw new Error(`${this.name} has never been started`);
    return this.#running;
  }
}

/** What a failed wait shows. */
function summary({ mode, head, store, suspended, peers }: GetStatusResponse): string {
  const place = head && `${head.recordHash.slice(0, 8)} (${head.generation}, ${head.epoch})`;
  const others = peers.map((each) => `${each.name} ${Mode[each.mode]} ${each.problem}`);
  return JSON.stringify([Mode[mode], place, store?.condition, suspended, ...others]);
}
