/**
 * A workload's policy document: the text whose hash the workload's TEE carries and the manifest lists. It is measured,
 * so a sidecar can take from it what it accepts as coordinator.
 */
import type { Sha256 } from "../brand.ts";
import type { Fault } from "../errors.ts";
import { FaultSink, list, object, oneOf, parseJson, sha256, text } from "../json/index.ts";
import { POLICY_DOCUMENT_BYTES_MAX } from "../limits.ts";
import { type KeyParser, keySet } from "../manifest/key-set.ts";
import type { OwnerAlgorithm, OwnerSet } from "../manifest/manifest.ts";
import { type ReferenceSets, referenceSets } from "../manifest/reference-values.ts";
import { err, ok, type Result } from "../result.ts";

/** The only format so far. */
export const POLICY_DOCUMENT_FORMAT = "quorate/policy/v1";

/** Coordinator policies that one document may accept. */
const COORDINATOR_POLICIES_MAX = 16;
const DESCRIPTION_CHARACTERS_MAX = 1_000;

/** What a workload accepts as coordinator. */
export interface CoordinatorPins {
  /** Hashes of the coordinator's policy document; any of them may match. */
  readonly policies: readonly Sha256[];
  /** What the coordinator's evidence must say; any set may match. */
  readonly referenceValues: ReferenceSets;
  /** The owners who must have founded the lineage: the same keys, and at least this threshold. */
  readonly owners: OwnerSet | undefined;
  /** The one lineage that is accepted. */
  readonly lineage: Sha256 | undefined;
}

/** A parsed policy document. A coordinator's own has no pins. */
export interface PolicyDocument {
  readonly description: string;
  readonly coordinator: CoordinatorPins | undefined;
}

/**
 * Parses a policy document, reporting every fault.
 *
 * **Security:** a sidecar trusts whatever coordinator this names. A document with pins must name owners or a lineage:
 * a genuine coordinator that enforces a stranger's manifest would pass otherwise.
 */
export function parsePolicyDocument(
  bytes: Uint8Array,
  parseOwnerKey: KeyParser<OwnerAlgorithm>,
): Result<PolicyDocument, readonly Fault[]> {
  const faults = new FaultSink();
  const value = parseJson(bytes, POLICY_DOCUMENT_BYTES_MAX, faults);
  const document =
    value === undefined ? undefined : policyDocument(parseOwnerKey)(value, "$", faults);
  return document === undefined || faults.count > 0 ? err(faults.list()) : ok(document);
}

const description = text(
  `text of at most ${DESCRIPTION_CHARACTERS_MAX} characters`,
  (value) => value.length <= DESCRIPTION_CHARACTERS_MAX,
);

function policyDocument(parseOwnerKey: KeyParser<OwnerAlgorithm>) {
  return object<PolicyDocument>((fields) => {
    fields.required("format", oneOf([POLICY_DOCUMENT_FORMAT]));
    return {
      description: fields.optional("description", description) ?? "",
      coordinator: fields.optional("coordinator", coordinatorPins(parseOwnerKey)),
    };
  });
}

function coordinatorPins(parseOwnerKey: KeyParser<OwnerAlgorithm>) {
  return object<CoordinatorPins>((fields) => {
    const policies = fields.required(
      "policies",
      list(sha256, { min: 1, max: COORDINATOR_POLICIES_MAX }),
    );
    const sets = fields.required("referenceValues", referenceSets);
    const before = fields.faults.count;
    const owners = fields.optional("owners", keySet(parseOwnerKey));
    const lineage = fields.optional("lineage", sha256);
    if (owners === undefined && lineage === undefined && fields.faults.count === before) {
      fields.faults.add(fields.path, "must name the owners or the lineage that it trusts");
    }
    if (policies === undefined || sets === undefined) return undefined;
    return { policies, referenceValues: sets, owners, lineage };
  });
}
