/** The owners and share owners of a test mesh: they approve, set and recover over userapi, without a process each. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { status } from "@grpc/grpc-js";
import { shareSubmissionInfo } from "../../../src/authority/user-recovery.ts";
import type { InstanceId, Sha256 } from "../../../src/core/brand.ts";
import { QuorateError } from "../../../src/core/errors.ts";
import { type Approval, parseShares } from "../../../src/core/history/index.ts";
import {
  genesisApprovalBytes,
  genesisInstanceBytes,
  updateApprovalBytes,
} from "../../../src/core/manifest/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import {
  combineShares,
  decryptShare,
  hpkeSeal,
  importOwnerKey,
  keyIdOf,
  type Secret,
  sha256,
  signAsOwner,
  spkiOf,
} from "../../../src/crypto/index.ts";
import type {
  RecoverResponse,
  SetManifestResponse,
} from "../../../src/gen/quorate/userapi/v1/user_pb.ts";
import type { VerifiedHistory } from "../../../src/history/verified-history.ts";
import { statusOf } from "../../../src/transport/status.ts";
import { PATIENCE_MILLIS } from "../service/processes.ts";
import type { Person } from "../service/world.ts";
import type { Member, MemberPlace } from "./member.ts";

/** Who approves: as many as the manifest asks for. */
const APPROVERS: readonly Person[] = ["alice", "bob"];
/** A set waits for its durability, and a store that changes its leader takes a while. */
const SET_MILLIS = 15_000;
const REPEAT_MILLIS = 50;

/** A manifest for one place in the history. */
export interface Proposal {
  readonly manifest: Uint8Array;
  readonly lineage: Sha256;
  /** The newest genesis or update record. */
  readonly previous: Sha256;
}

export class Owners {
  readonly #world: Pick<MemberPlace, "file">;
  readonly #policies: readonly Uint8Array[];

  private constructor(world: Pick<MemberPlace, "file">, policies: readonly Uint8Array[]) {
    this.#world = world;
    this.#policies = policies;
  }

  static async of(world: Pick<MemberPlace, "file">): Promise<Owners> {
    const names = ["coordinator", "web", "api"];
    const files = names.map((name) => readFile(world.file(`${name}.policy.json`)));
    return new Owners(world, await Promise.all(files));
  }

  get policyDocuments(): readonly Uint8Array[] {
    return this.#policies;
  }

  /** Sets the first manifest at one coordinator. */
  async genesis(member: Member, manifest: Uint8Array): Promise<SetManifestResponse> {
    const hash = sha256(manifest);
    const { instance } = await member.status();
    if (instance === undefined) throw new Error("the coordinator names its instance");
    const [binding] = await this.#sign(genesisInstanceBytes(hash, instance.id as InstanceId));
    return member.user.setManifest(
      {
        manifest,
        policyDocuments: [...this.#policies],
        approvals: message(await this.approveGenesis(manifest)),
        previousRecord: "",
        genesisBinding: {
          instanceId: instance.id,
          keyId: binding!.key,
          signature: binding!.signature,
        },
      },
      { timeoutMs: SET_MILLIS },
    );
  }

  /** Sets the next manifest at one coordinator, once. @throws QuorateError whatever it answers */
  async set(member: Member, proposal: Proposal): Promise<SetManifestResponse> {
    const { manifest, previous } = proposal;
    return member.user.setManifest(
      {
        manifest,
        policyDocuments: [],
        approvals: message(await this.approve(proposal)),
        previousRecord: previous,
      },
      { timeoutMs: SET_MILLIS },
    );
  }

  /**
   * Sets the next manifest, again and again at one coordinator after the other, until the outcome is certain.
   *
   * @throws QuorateError what a coordinator answers that is not about availability
   */
  async setUntilCertain(
    members: readonly Member[],
    proposal: Proposal,
  ): Promise<SetManifestResponse> {
    const deadline = Date.now() + PATIENCE_MILLIS;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.set(members[attempt % members.length]!, proposal);
      } catch (cause) {
        if (!isUncertain(cause) || Date.now() > deadline) throw cause;
        await new Promise((resolve) => setTimeout(resolve, REPEAT_MILLIS));
      }
    }
  }

  approveGenesis(manifest: Uint8Array): Promise<readonly Approval[]> {
    return this.#sign(genesisApprovalBytes(sha256(manifest)));
  }

  approve({ manifest, lineage, previous }: Proposal): Promise<readonly Approval[]> {
    const subject = { lineage, predecessor: previous, manifest: sha256(manifest) };
    return this.#sign(updateApprovalBytes(subject));
  }

  /** One share owner submits its share of a history's seed to one coordinator. */
  async submitShare(
    member: Member,
    person: Person,
    history: VerifiedHistory,
    options: { readonly force?: boolean } = {},
  ): Promise<RecoverResponse> {
    const { instance } = await member.status();
    if (instance === undefined) throw new Error("the coordinator names its instance");
    const { keyId, share } = await this.#share(person, history);
    const info = shareSubmissionInfo(history.lineage, instance.id);
    const encryptedShare = unwrap(await hpkeSeal(instance.hpkeKey, info, share));
    const verifiedRecord = history.recordHash;
    return member.user.recover(
      { instanceId: instance.id, verifiedRecord, keyId, encryptedShare, ...options },
      { timeoutMs: SET_MILLIS },
    );
  }

  /** What share owners could rebuild together, if they conspired. */
  async conspire(history: VerifiedHistory): Promise<Secret> {
    const shares = await Promise.all(APPROVERS.map((person) => this.#share(person, history)));
    const { threshold, shares: entries } = sharesOf(history);
    const commitments = entries.map(({ commitment }) => commitment);
    const secrets = shares.map(({ share }) => share);
    return unwrap(await combineShares(secrets, threshold, commitments));
  }

  async #share(
    person: Person,
    history: VerifiedHistory,
  ): Promise<{ readonly keyId: Sha256; readonly share: Secret }> {
    const key = await this.#key(`${person}-share`);
    const keyId = keyIdOf(createPublicKey(key));
    const entry = sharesOf(history).shares.find((each) => each.key === keyId);
    if (entry === undefined) throw new Error(`${person} has a share`);
    return { keyId, share: unwrap(await decryptShare(entry, key, history.lineage)) };
  }

  #sign(signed: Uint8Array): Promise<readonly Approval[]> {
    return Promise.all(
      APPROVERS.map(async (person) => {
        const key = await this.#key(person);
        const { keyId, algorithm } = unwrap(importOwnerKey(spkiOf(createPublicKey(key))));
        return { key: keyId, signature: await signAsOwner(key, algorithm, signed) };
      }),
    );
  }

  async #key(name: string): Promise<KeyObject> {
    return createPrivateKey(await readFile(this.#world.file(`${name}.key.pem`)));
  }
}

/**
 * True if the call may be repeated: it says nothing certain about what was asked. A coordinator that is stale asks a peer
 * for what it lacks, and then takes the call.
 */
export function isUncertain(cause: unknown): boolean {
  if (!(cause instanceof QuorateError)) return false;
  const { code } = cause;
  return (
    statusOf(code) === status.UNAVAILABLE ||
    code === "deadline-exceeded" ||
    // The test killed the coordinator, and closed its connection.
    code === "cancelled" ||
    code === "recovery-needed"
  );
}

function sharesOf(history: VerifiedHistory) {
  const { shares } = history.record;
  if (shares === null) throw new Error("the history has shares");
  return unwrap(parseShares(history.documentOf(shares)));
}

function message(approvals: readonly Approval[]) {
  return approvals.map(({ key, signature }) => ({ keyId: key, signature }));
}
