/** What healing knows of a record, what a read of the store's head shows, and what the next record builds on. */
import type { Epoch, Generation, InstanceId, Sha256 } from "../brand.ts";

/** A process that takes part: the manifest's stable name, and the instance that stands under it now. */
export interface Peer {
  readonly name: string;
  readonly instance: InstanceId;
}

/** What a manifest lets coordinators do on their own after majority loss (`specs/healing.md`, rule 7). */
export type HealingPolicy = "off" | "survivors" | "sealed";

/**
 * A record that the driver has verified: its chain from genesis, every signature and approval.
 *
 * **Security:** the core believes all of it. `eligible` must come from this process's own verifier.
 */
export interface RecordView {
  readonly hash: Sha256;
  readonly epoch: Epoch;
  readonly generation: Generation;
  /** Hash of the record that opened the epoch: the id of the group that works under it. */
  readonly group: Sha256;
  /** Who opened the epoch. */
  readonly opener: Peer;
  /** Coordinator names of its manifest, sorted, at most `COORDINATORS_MAX`. */
  readonly names: readonly string[];
  readonly policy: HealingPolicy;
  /** Whether this process itself satisfies its manifest. */
  readonly eligible: boolean;
}

/**
 * What one linearizable read of the store's head showed. A `token` names the raw value that was read (its SHA-256; of
 * nothing if the key is missing): a later swap replaces exactly that value.
 *
 * `relation` compares with the record that the request named: `ahead` is a valid descendant; `behind` means that the
 * named record has to be re-asserted, because the head is its ancestor or a branch under the same epoch-opening record.
 */
export type HeadObservation =
  | {
      readonly kind: "verified";
      readonly token: Sha256;
      readonly record: RecordView;
      readonly relation: "same" | "ahead" | "behind";
    }
  /** Missing, unparsable, or badly signed under our lineage. */
  | { readonly kind: "damaged"; readonly token: Sha256 }
  /** Another lineage or an impossible branch: FORK. Nothing may be written. */
  | { readonly kind: "fork" }
  /** The store did not answer. */
  | { readonly kind: "unavailable" };

/** What a heal of this instance would build on, as its own head read of the attempt found it. */
export interface Base {
  readonly record: RecordView;
  /** Names the raw head that the swap replaces. */
  readonly token: Sha256;
  /** True if the store is behind `record`: the swap puts `record` back and its successor on top at once. */
  readonly reasserted: boolean;
}

/** Whether `a` lies further on in one history than `b`. */
export function isNewer(a: RecordView, b: RecordView | undefined): boolean {
  return (
    b === undefined || a.epoch > b.epoch || (a.epoch === b.epoch && a.generation > b.generation)
  );
}

/**
 * What to build on (rule 5): the store's validly signed head if that is newest, else the newest record known, which is
 * then re-asserted.
 *
 * @returns `undefined` if the observation gives nothing to build on.
 */
export function chooseBase(
  known: RecordView | undefined,
  observation: HeadObservation,
): Base | undefined {
  switch (observation.kind) {
    case "verified":
      if (observation.relation !== "behind") {
        return { record: observation.record, token: observation.token, reasserted: false };
      }
      return reassert(known, observation.token);
    case "damaged":
      return reassert(known, observation.token);
    case "fork":
    case "unavailable":
      return undefined;
  }
}

function reassert(known: RecordView | undefined, token: Sha256): Base | undefined {
  return known === undefined ? undefined : { record: known, token, reasserted: true };
}
