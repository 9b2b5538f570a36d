/**
 * What a coordinator asks of the others. The Raft group of DESIGN section 9 takes this interface's place: prepares become
 * log entries, and the agreement on the newest record becomes a ReadIndex round.
 */
import type { AppraisalPolicy } from "../attestation/index.ts";
import type { Sha256 } from "../core/brand.ts";
import type { Manifest } from "../core/manifest/index.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import type { Enforced } from "./enforced.ts";
import type { Prepared } from "./next-record.ts";

/** A manifest with the appraisal policy that it makes. */
export interface JudgedBy {
  readonly manifest: Manifest;
  readonly policy: AppraisalPolicy;
}

/** The other coordinators of the mesh. A name counts once, and this coordinator's own as present if the manifest has it. */
export interface Group {
  /**
   * Resolves if a majority of the manifest's names are reachable as instances that satisfy it, members or not.
   *
   * @throws QuorateError `no-quorum`, naming those that are missing and why
   */
  requireMajority(next: JudgedBy): Promise<void>;

  /**
   * Before a genesis.
   *
   * @throws QuorateError `already-exists` if a reachable coordinator of the manifest knows a lineage
   */
  requireNoLineage(next: JudgedBy): Promise<void>;

  /**
   * Gives the key of a record that is about to be swapped in, wrapped, to the others that hold its predecessor and
   * satisfy it: to as many as make a majority of its names, or to all of them if they are fewer. Does nothing for a
   * record whose predecessor nobody holds (genesis, recovery).
   *
   * @throws QuorateError `unavailable` if too many of them refused or did not answer; nothing has happened then
   */
  prepare(prepared: Prepared): Promise<void>;

  /**
   * Whether a majority of the names report, asked after this call, the head of `history` as the newest record that they
   * know, and hold its keys.
   *
   * **Security:** only then may a store that shows less be overwritten. A coordinator that was cut off must not take its
   * own past for the truth.
   */
  agreesOnNewest(history: VerifiedHistory, policy: AppraisalPolicy): Promise<boolean>;

  /**
   * Waits until a majority of the names hold the secrets of the state's record or of a descendant.
   *
   * @param covers whether a record is the state's or descends from it, as far as is known here.
   * @throws QuorateError `not-durable` after a while, saying who is missing
   */
  awaitDurable(state: Enforced, covers: (record: Sha256) => boolean): Promise<void>;

  /** The name of a reachable, ready coordinator of the history's manifest that has its lineage. */
  readyPeer(history: VerifiedHistory, policy: AppraisalPolicy): Promise<string | undefined>;
}
