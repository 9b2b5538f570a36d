/** What a verifier trusts beforehand, and what it saw last time. */
import path from "node:path";
import { isSha256, type Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { authorize, genesisApprovalBytes, type OwnerSet } from "../core/manifest/index.ts";
import { FaultSink, parseJson } from "../core/json/index.ts";
import { keySet } from "../core/manifest/index.ts";
import { parseApprovals } from "../core/history/index.ts";
import { unwrap } from "../core/result.ts";
import { readOwnFile, replaceFile } from "../config/files.ts";
import { parseOwnerKey } from "../crypto/index.ts";
import { checkApprovals } from "../history/read-history.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import { keySetJson } from "./manifest-parts.ts";

/** Pins that a user gives in flags. */
export interface PinOptions {
  readonly owner: readonly string[];
  readonly threshold?: number;
  readonly lineage?: string;
}

/** True if the flags pin anything. @throws QuorateError `usage` for a threshold of no owners */
export function hasPins(options: PinOptions): boolean {
  if (options.threshold !== undefined && options.owner.length === 0) {
    throw new QuorateError("usage", "--threshold needs the owners that it counts", {
      hint: "give --owner for each of them",
    });
  }
  return options.owner.length > 0 || options.lineage !== undefined;
}

/**
 * The history must be the pinned lineage, or founded by the pinned owners.
 *
 * **Security:** anybody can run a genuine coordinator and found a history of their own; only pins tell it from yours.
 * @throws QuorateError `verification-failed`
 */
export async function requirePins(history: VerifiedHistory, options: PinOptions): Promise<void> {
  if (options.lineage !== undefined && options.lineage !== history.lineage) {
    throw new QuorateError(
      "verification-failed",
      `this history has the lineage ${history.lineage}, not the one that was asked for`,
    );
  }
  if (!hasPins(options) || options.owner.length === 0) return;
  const faults = new FaultSink();
  const json = parseJson(
    Buffer.from(JSON.stringify(await keySetJson(options.owner, options.threshold))),
    1 << 20,
    faults,
  );
  const owners = json === undefined ? undefined : keySet(parseOwnerKey)(json, "$", faults);
  if (owners === undefined)
    throw new QuorateError("usage", "the owners' keys are not usable", { faults: faults.list() });
  await requireFounders(history, owners);
}

/** The genesis must carry enough approvals of these owners. @throws QuorateError `verification-failed` */
export async function requireFounders(history: VerifiedHistory, owners: OwnerSet): Promise<void> {
  const { record } = history.genesis;
  const bytes = record.approvals === null ? undefined : history.documents.get(record.approvals);
  const approvals = bytes === undefined ? [] : unwrap(parseApprovals(bytes));
  const checked = await checkApprovals(approvals, {
    owners,
    signed: genesisApprovalBytes(record.manifest),
  });
  const { authorised, message } = authorize(owners, checked);
  if (authorised) return;
  throw new QuorateError(
    "verification-failed",
    `the owners that you trust did not found this history: ${message}`,
  );
}

/** What the last verification saw. */
export interface LastSeen {
  readonly lineage: Sha256;
  readonly recordHash: Sha256;
  /** The last genesis or update record: what the next approval names. */
  readonly lastSet: Sha256;
  readonly generation: number;
  readonly epoch: number;
}

const FILE = "last-seen.json";

/** Reads what was written by {@link writeLastSeen}. @throws QuorateError `invalid-argument` if it is damaged */
export async function readLastSeen(folder: string): Promise<LastSeen | undefined> {
  const bytes = await readOwnFile(path.join(folder, FILE));
  if (bytes === undefined) return undefined;
  try {
    const value = JSON.parse(Buffer.from(bytes).toString()) as Partial<LastSeen>;
    const { lineage, recordHash, lastSet, generation, epoch } = value;
    if (
      isSha256(lineage) &&
      isSha256(recordHash) &&
      isSha256(lastSet) &&
      typeof generation === "number" &&
      typeof epoch === "number"
    ) {
      return { lineage, recordHash, lastSet, generation, epoch };
    }
  } catch {
    // The one error below covers every kind of damage.
  }
  throw new QuorateError("invalid-argument", `${path.join(folder, FILE)} is damaged`, {
    hint: "remove it only if you are sure that nobody tampered with it: continuity is then not checked once",
  });
}

/** Remembers a verified history for the next time. */
export async function writeLastSeen(folder: string, history: VerifiedHistory): Promise<void> {
  const { generation, epoch } = history.record;
  const seen: LastSeen = {
    lineage: history.lineage,
    recordHash: history.recordHash,
    lastSet: history.lastSet.hash,
    generation,
    epoch,
  };
  await replaceFile(path.join(folder, FILE), `${JSON.stringify(seen, null, 2)}\n`, 0o644);
}

/**
 * The history must contain what was seen last time.
 *
 * **Security:** this is what finds a coordinator whose store was rolled back or exchanged between two visits.
 * @throws QuorateError `fork` (another lineage or branch), `rollback`
 */
export function requireContinuity(history: VerifiedHistory, seen: LastSeen | undefined): void {
  if (seen === undefined || history.contains(seen.recordHash)) return;
  if (history.lineage !== seen.lineage) {
    throw new QuorateError("fork", "this coordinator serves another lineage than the last time", {
      hint: "somebody started a new history; ask the owners before you trust it",
    });
  }
  const { generation, epoch } = history.record;
  const older = generation <= seen.generation && epoch <= seen.epoch;
  throw new QuorateError(
    older ? "rollback" : "fork",
    older
      ? `the history went back: last time it stood at generation ${seen.generation}, epoch ${seen.epoch}`
      : "the history has left the one that you verified last time",
    { hint: "do not use this coordinator; ask its operator to restore the store" },
  );
}
