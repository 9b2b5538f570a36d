/**
 * The other coordinators as the authority asks for them, over attested sessions: DESIGN section 8 as far as it goes without
 * the Raft group, which takes this file's place.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { AppraisalPolicy, Verdict } from "../attestation/index.ts";
import type { InstanceKeys } from "../attestation/report-data.ts";
import type { Enforced } from "../authority/enforced.ts";
import type { Group, JudgedBy } from "../authority/group.ts";
import type { Prepared } from "../authority/next-record.ts";
import { type PrepareMessage, prepareInfo } from "../authority/receive-prepare.ts";
import type { Sha256 } from "../core/brand.ts";
import { type ErrorCode, QuorateError } from "../core/errors.ts";
import {
  DURABLE_WAIT_MS,
  PEERS_PATIENCE_MS,
  PEER_ANSWER_MS,
  PREPARE_GRACE_MS,
} from "../core/limits.ts";
import type { Manifest } from "../core/manifest/index.ts";
import { unwrap } from "../core/result.ts";
import { hpkeSeal } from "../crypto/index.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import { coordinatorRefusal } from "./peer-evidence.ts";
import type { PeerStanding } from "./peer-standing.ts";
import { Wakeups } from "./wakeups.ts";

/** Another coordinator that this one has an attested session with. */
export interface ConnectedPeer {
  readonly instance: InstanceKeys;
  /** What it said last of itself, unasked. */
  readonly standing: PeerStanding;
  /** Judges its instance evidence. */
  judge(policy: AppraisalPolicy): Promise<Verdict>;
  /** What it holds, asked after this call. @throws QuorateError of the session */
  ask(): Promise<PeerStanding>;
  /** @throws QuorateError of the session, or why it does not take the key */
  prepare(message: PrepareMessage): Promise<void>;
}

/** The peers that are connected just now. */
export interface PeerSource {
  connected(): readonly ConnectedPeer[];
  /** Calls `listener` after every change of {@link connected} and of their standings. @returns a function that ends it */
  onChange(listener: () => void): () => void;
}

/**
 * Errors that say that a peer does not hold the predecessor, so that nobody can expect it to take the key. One that does
 * not answer is no such peer: a majority was in session a moment ago, and if all of it is gone, nothing must change.
 */
const EXCUSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "not-ready",
  "recovery-needed",
  "head-moved",
]);

/** How long is waited for peers, in milliseconds. */
const PATIENCE = {
  /** For a majority to come in reach. */
  reachMs: PEERS_PATIENCE_MS as number,
  /** For a majority to hold secrets. */
  durableMs: DURABLE_WAIT_MS as number,
};

/** Majority questions to the coordinators of a manifest. */
export class PeerGroup implements Group {
  readonly #name: string;
  readonly #source: PeerSource;
  readonly #patience: typeof PATIENCE;

  /** @param name this coordinator's own, which counts as present wherever a manifest names it. */
  constructor(name: string, source: PeerSource, patience: Partial<typeof PATIENCE> = {}) {
    this.#name = name;
    this.#source = source;
    this.#patience = { ...PATIENCE, ...patience };
  }

  async requireMajority({ manifest, policy }: JudgedBy): Promise<void> {
    let missing = "";
    const isPresent = async (): Promise<boolean> => {
      const absent = await this.#absent(manifest, policy);
      missing = [...absent].map(([name, why]) => `${name} (${why})`).join(", ");
      return manifest.coordinators.length - absent.size >= majorityOf(manifest);
    };
    if (await this.#eventually(isPresent, this.#patience.reachMs)) return;
    throw new QuorateError(
      "no-quorum",
      `no majority of the manifest's coordinators is in reach and satisfies it; missing: ${missing}`,
      { hint: "start them, check --peer and the network (quorate status), then repeat the call" },
    );
  }

  async requireNoLineage({ manifest, policy }: JudgedBy): Promise<void> {
    for (const { instance, standing } of await this.#coordinators(manifest, policy)) {
      if (standing.lineage === undefined) continue;
      throw new QuorateError(
        "already-exists",
        `${instance.name} belongs to a mesh already: its lineage is ${standing.lineage}`,
        { hint: "check --store: this coordinator sees an empty one" },
      );
    }
  }

  async prepare({ base, next }: Prepared): Promise<void> {
    if (base === undefined) return;
    const members = await this.#members(next.manifest, next.policy);
    const taken = new Set<string>();
    const excused = new Set<ConnectedPeer>();
    let refusal: QuorateError | undefined;
    // The maker is one of the majority.
    const isEnough = (): boolean => {
      const able = new Set(members.filter((peer) => !excused.has(peer)).map(nameOf));
      return taken.size >= Math.min(majorityOf(next.manifest) - 1, able.size);
    };
    const tasks = members.map(async (peer) => {
      try {
        // Whatever it said last of itself: it reads the head before it calls the predecessor unknown.
        await peer.prepare(await prepareMessage(next, peer.instance));
        taken.add(nameOf(peer));
      } catch (cause) {
        const error = asError(cause);
        if (EXCUSES.has(error.code)) excused.add(peer);
        else refusal = error;
      }
    });
    await untilEnough(tasks, isEnough);
    // Whoever sees the head without the key turns stale, and has to ask for it: worth a short wait.
    await Promise.race([
      Promise.allSettled(tasks),
      delay(PREPARE_GRACE_MS, undefined, { ref: false }),
    ]);
    if (isEnough()) return;
    throw new QuorateError(
      "unavailable",
      `other coordinators do not take the change: ${refusal?.message ?? "unknown"}`,
      { hint: "repeat the call", cause: refusal },
    );
  }

  async agreesOnNewest(history: VerifiedHistory, policy: AppraisalPolicy): Promise<boolean> {
    const { recordHash: newest, manifest } = history;
    const agreeing = this.#own(manifest);
    const isEnough = (): boolean => agreeing.size >= majorityOf(manifest);
    const members = await this.#members(manifest, policy);
    const tasks = members.map(async (peer) => {
      const { mode, heldRecord, preparedRecords } = await peer.ask();
      // Whoever is stale has verified a newer one.
      const isNewest = heldRecord === newest && mode === "ready";
      if (isNewest || preparedRecords.includes(newest)) agreeing.add(nameOf(peer));
    });
    await untilEnough(tasks, isEnough);
    return isEnough();
  }

  async awaitDurable(state: Enforced, covers: (record: Sha256) => boolean): Promise<void> {
    const { manifest, policy, history } = state;
    const holds = ({ standing: { heldRecord } }: ConnectedPeer): boolean =>
      heldRecord !== undefined &&
      (heldRecord === state.recordHash || (covers(heldRecord) && !history.contains(heldRecord)));
    let holders = 0;
    const isDurable = async (): Promise<boolean> => {
      const members = await this.#members(manifest, policy);
      holders = new Set([...this.#own(manifest), ...members.filter(holds).map(nameOf)]).size;
      return holders >= majorityOf(manifest);
    };
    if (await this.#eventually(isDurable, this.#patience.durableMs)) return;
    throw new QuorateError(
      "not-durable",
      `the change is in force, but not safe yet: ${holders} of ${manifest.coordinators.length} coordinators hold its secrets`,
      {
        hint: "repeat the same call: it changes nothing twice and waits on; quorate status shows who is missing",
      },
    );
  }

  async readyPeer(history: VerifiedHistory, policy: AppraisalPolicy): Promise<string | undefined> {
    let ready: string | undefined;
    const coordinators = await this.#coordinators(history.manifest, policy);
    const tasks = coordinators.map(async (peer) => {
      const { mode, lineage, suspended } = await peer.ask();
      if (mode === "ready" && !suspended && lineage === history.lineage) ready = nameOf(peer);
    });
    await untilEnough(tasks, () => ready !== undefined);
    return ready;
  }

  /** Other names of a manifest that nobody in reach has and satisfies it by, with the reason. */
  async #absent(
    { coordinators }: Manifest,
    policy: AppraisalPolicy,
  ): Promise<ReadonlyMap<string, string>> {
    const absent = new Map(coordinators.map((name) => [name, "not connected"]));
    absent.delete(this.#name);
    for (const peer of this.#source.connected()) {
      if (!absent.has(nameOf(peer))) continue;
      const refusal = await refusalOf(peer, policy);
      if (refusal === undefined) absent.delete(nameOf(peer));
      else absent.set(nameOf(peer), refusal);
    }
    return absent;
  }

  /** Checks at once and after every change of the peers. @returns false if it did not come true in time */
  async #eventually(check: () => Promise<boolean>, patienceMillis: number): Promise<boolean> {
    const patience = AbortSignal.timeout(patienceMillis);
    const wakeups = new Wakeups(patience);
    const forget = this.#source.onChange(() => wakeups.wake());
    try {
      while (!(await check())) {
        if (patience.aborted) return false;
        await wakeups.next();
      }
      return true;
    } finally {
      forget();
    }
  }

  /** This coordinator's own name, if it is one that counts. */
  #own({ coordinators }: Manifest): Set<string> {
    return new Set(coordinators.filter((name) => name === this.#name));
  }

  /** The connected coordinators of a manifest that count besides this one. */
  async #members(manifest: Manifest, policy: AppraisalPolicy): Promise<readonly ConnectedPeer[]> {
    const coordinators = await this.#coordinators(manifest, policy);
    return coordinators.filter((peer) => nameOf(peer) !== this.#name);
  }

  /** The same, and other instances of this one's name: what they hold is there, although it does not count. */
  async #coordinators(
    manifest: Manifest,
    policy: AppraisalPolicy,
  ): Promise<readonly ConnectedPeer[]> {
    const named = this.#source
      .connected()
      .filter((peer) => manifest.coordinators.includes(nameOf(peer)));
    const refusals = await Promise.all(named.map((peer) => refusalOf(peer, policy)));
    return named.filter((_, index) => refusals[index] === undefined);
  }
}

/** More than half of the names. */
function majorityOf({ coordinators }: Manifest): number {
  return Math.floor(coordinators.length / 2) + 1;
}

function nameOf({ instance }: ConnectedPeer): string {
  return instance.name;
}

/** Why a peer is no coordinator under a policy; `undefined` if it is one. */
async function refusalOf(
  peer: ConnectedPeer,
  policy: AppraisalPolicy,
): Promise<string | undefined> {
  try {
    // Collateral may have to be fetched: nobody waits longer for that than for an answer.
    const inTime = delay(PEER_ANSWER_MS, undefined, { ref: false });
    const verdict = await Promise.race([peer.judge(policy), inTime]);
    if (verdict === undefined) return "its evidence could not be judged in time";
    return coordinatorRefusal(verdict);
  } catch (cause) {
    // Evidence that can't be judged just now counts as little as evidence that was refused.
    return asError(cause).message;
  }
}

async function prepareMessage(next: Enforced, to: InstanceKeys): Promise<PrepareMessage> {
  const document = next.history.head.head;
  const key = next.meshCa.exportPrivateKey();
  try {
    const sealed = await hpkeSeal(to.hpkeKey, prepareInfo(document, to.id), key);
    return { record: document.bytes, wrappedMeshCaKey: unwrap(sealed) };
  } finally {
    key.dispose();
  }
}

/** Waits until `isEnough`, or all tasks have ended. What is left runs on; every task bounds its own time. */
async function untilEnough(
  tasks: readonly Promise<void>[],
  isEnough: () => boolean,
): Promise<void> {
  const running = new Set<Promise<void>>();
  for (const task of tasks) {
    // A peer that can't be asked counts as one that did not agree.
    const ended: Promise<void> = task.catch(() => undefined).finally(() => running.delete(ended));
    running.add(ended);
  }
  while (running.size > 0 && !isEnough()) await Promise.race(running);
}

function asError(cause: unknown): QuorateError {
  if (cause instanceof QuorateError) return cause;
  return new QuorateError("internal", "a peer could not be asked", { cause });
}
