/** The messages of healing. All are idempotent; senders repeat them every retry interval. */
import type { Epoch, Generation, InstanceId, Sha256 } from "../brand.ts";
import { isPositiveInteger } from "../brand.ts";
import { lengthPrefixedList } from "../bytes.ts";
import { HEALING_ATTEMPT_MAX, HEALING_CONFIGURATIONS_MAX, RAFT_MEMBERS_MAX } from "../limits.ts";
import type { Remains } from "./fencing.ts";
import type { Peer } from "./record.ts";

/** On every message: where its sender stands. A refusal answers with it what the refuser knows instead. */
export interface Header {
  readonly lineage: Sha256;
  /** The record that the sender would build on. */
  readonly base: {
    readonly hash: Sha256;
    readonly epoch: Epoch;
    readonly generation: Generation;
  };
  readonly attempt: number;
}

/** Whether an instance holds the seed: not at all, in memory, or in a permitted seal. */
export type Secrets = "none" | "memory" | "sealed";

/** What an instance holds and how far it got. Fixed for one attempt. */
export interface Claim extends Peer {
  readonly secrets: Secrets;
  /** Whether the claimant satisfies the manifest of the record that it would build on. */
  readonly eligible: boolean;
  /** Epoch, generation and hash of the state that it holds; 0, 0 and `undefined` without one. */
  readonly epoch: number;
  readonly generation: number;
  readonly record: Sha256 | undefined;
  /** Its Raft group with its last term and index there; `undefined`, 0 and 0 without one. */
  readonly group: Sha256 | undefined;
  readonly term: number;
  readonly index: number;
  /** Its group has a leader that a quorum has confirmed, and its Raft node is not halted. */
  readonly live: boolean;
}

/**
 * A vote for one claim. **Security:** it finalizes the voter's instance for its old group: the Raft node was halted
 * before the vote left, and `configurations` are those of its log at that moment.
 */
export interface Vote extends Peer, Remains {
  /** Digest of the claim voted for, header included. */
  readonly candidate: Sha256;
}

export type Message =
  | { readonly kind: "claim"; readonly header: Header; readonly claim: Claim }
  | { readonly kind: "vote"; readonly header: Header; readonly vote: Vote }
  /** The epoch of `header.base` was opened by that record (or is under it). The receiver checks with the store. */
  | { readonly kind: "opened"; readonly header: Header }
  /**
   * The receiver doesn't count the sender in this attempt: `counted` is the instance of its name that came first, or
   * `undefined` if the manifest has no such name.
   */
  | { readonly kind: "refused"; readonly header: Header; readonly counted: InstanceId | undefined };

/** The bytes whose SHA-256 a vote names: two different claims never have the same. */
export function claimBytes(header: Header, claim: Claim): Uint8Array {
  return lengthPrefixedList(
    "quorate healing claim 1",
    header.lineage,
    header.base.hash,
    String(header.base.epoch),
    String(header.base.generation),
    String(header.attempt),
    claim.name,
    claim.instance,
    claim.secrets,
    String(claim.eligible),
    String(claim.epoch),
    String(claim.generation),
    claim.record ?? "",
    claim.group ?? "",
    String(claim.term),
    String(claim.index),
    String(claim.live),
  );
}

/**
 * Whether a message stays within the bounds of healing and speaks for the peer that sent it; the core ignores others.
 *
 * **Security:** `from` is what the session's attestation proved; a message can't speak for anybody else.
 */
export function isAcceptable(from: Peer, message: Message): boolean {
  const { attempt, base } = message.header;
  if (!isPositiveInteger(attempt) || attempt > HEALING_ATTEMPT_MAX) return false;
  if (!isPositiveInteger(base.epoch) || !isPositiveInteger(base.generation)) return false;
  switch (message.kind) {
    case "claim":
      return (
        isFrom(from, message.claim) && isCount(message.claim.term) && isCount(message.claim.index)
      );
    case "vote":
      return isFrom(from, message.vote) && areBounded(message.vote);
    case "opened":
    case "refused":
      return true;
  }
}

function isFrom(from: Peer, sender: Peer): boolean {
  return from.name === sender.name && from.instance === sender.instance;
}

function isCount(value: number): boolean {
  return value === 0 || isPositiveInteger(value);
}

function areBounded({ configurations }: Remains): boolean {
  return (
    configurations.length <= HEALING_CONFIGURATIONS_MAX &&
    configurations.every(
      ({ voters, outgoing }) =>
        voters.length <= RAFT_MEMBERS_MAX && outgoing.length <= RAFT_MEMBERS_MAX,
    )
  );
}
