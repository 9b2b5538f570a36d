/** What must hold between a record and its predecessor, by their own words alone. */
import type { HistoryRecord } from "./record.ts";
import type { NamedRecord } from "./make-record.ts";

/** Which rule a record breaks. */
export type LinkFaultCode =
  | "not-genesis"
  | "genesis-repeated"
  | "previous-mismatch"
  | "lineage-mismatch"
  | "generation-mismatch"
  | "epoch-mismatch"
  | "recovery-count-mismatch"
  | "manifest-not-repeated"
  | "shares-not-repeated"
  | "root-key-mismatch"
  | "mesh-key-repeated";

/** A broken rule. */
export interface LinkFault {
  readonly code: LinkFaultCode;
  /** One sentence without a final full stop. */
  readonly message: string;
}

/** How far each kind moves the counters on from its predecessor's. */
const STEPS = {
  update: { generation: 1, epoch: 0, recoveryCount: 0 },
  recovery: { generation: 0, epoch: 1, recoveryCount: 1 },
  heal: { generation: 0, epoch: 1, recoveryCount: 0 },
} as const;

/** The first rule that `record` breaks as the successor of `predecessor` (`undefined`: as the first record). */
export function linkFault(
  predecessor: NamedRecord | undefined,
  record: HistoryRecord,
): LinkFault | undefined {
  if (record.kind === "genesis") {
    if (predecessor === undefined) return undefined;
    return { code: "genesis-repeated", message: "a genesis record can't follow another record" };
  }
  if (predecessor === undefined) {
    return { code: "not-genesis", message: "a history must begin with a genesis record" };
  }
  const before = predecessor.record;
  const step = STEPS[record.kind];
  const rules: readonly (readonly [boolean, LinkFaultCode, string])[] = [
    [record.previous === predecessor.hash, "previous-mismatch", "it names another predecessor"],
    [record.lineage === before.lineage, "lineage-mismatch", "it belongs to another lineage"],
    [
      record.generation === before.generation + step.generation,
      "generation-mismatch",
      `a record of kind "${record.kind}" after generation ${before.generation} can't have ${record.generation}`,
    ],
    [
      record.epoch === before.epoch + step.epoch,
      "epoch-mismatch",
      `a record of kind "${record.kind}" after epoch ${before.epoch} can't have ${record.epoch}`,
    ],
    [
      record.recoveryCount === before.recoveryCount + step.recoveryCount,
      "recovery-count-mismatch",
      `after ${before.recoveryCount} recoveries it can't count ${record.recoveryCount}`,
    ],
    [
      record.kind === "update" || record.manifest === before.manifest,
      "manifest-not-repeated",
      "a takeover must repeat its predecessor's manifest",
    ],
    [
      record.kind === "update" || record.shares === before.shares,
      "shares-not-repeated",
      "a takeover must repeat its predecessor's shares",
    ],
    [record.rootCaKey === before.rootCaKey, "root-key-mismatch", "its root CA key is another one"],
    [
      record.meshCaKey !== before.meshCaKey,
      "mesh-key-repeated",
      "it must have a mesh CA key of its own",
    ],
  ];
  const broken = rules.find(([holds]) => !holds);
  return broken && { code: broken[1], message: broken[2] };
}

/**
 * How many records a history has up to and including this one, if its links are right: every record raises either
 * generation or epoch by one.
 */
export function chainLength(record: Pick<HistoryRecord, "generation" | "epoch">): number {
  return record.generation + record.epoch - 1;
}
