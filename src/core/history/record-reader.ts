/** Reads a record's body from JSON, with the rules that each kind obeys by itself. */
import { type Epoch, type Generation, type InstanceId, isInstanceId } from "../brand.ts";
import {
  base64Bytes,
  boolean,
  type Fields,
  integer,
  nullable,
  object,
  oneOf,
  type Reader,
  sha256,
  text,
} from "../json/index.ts";
import { isDnsLabel } from "../manifest/names.ts";
import { type HistoryRecord, RECORD_FORMAT, RECORD_KINDS, type RecordAuthor } from "./record.ts";

/** An uncompressed P-384 key on its named curve has 120 bytes of SPKI. */
const HISTORY_KEY_BYTES = { min: 120, max: 120 };
const COUNTER = { min: 1, max: Number.MAX_SAFE_INTEGER };
const TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

const counter = integer(COUNTER);
const time = text("a time like 2026-01-31T23:59:59.999Z", (source) => TIME.test(source));
const instanceId = text("32 lower-case hex digits", isInstanceId);

const author: Reader<RecordAuthor> = object((fields) => {
  const name = fields.required("name", text("a lower-case DNS label", isDnsLabel));
  const instance = fields.required("instance", instanceId) as InstanceId | undefined;
  return name === undefined || instance === undefined ? undefined : { name, instance };
});

/** Reads a body. Whether it fits its predecessor is for `chain.ts`. */
export const recordReader: Reader<HistoryRecord> = object((fields) => {
  fields.required("format", oneOf([RECORD_FORMAT]));
  const read = {
    lineage: fields.required("lineage", sha256),
    historyKey: fields.required("historyKey", base64Bytes(HISTORY_KEY_BYTES)),
    generation: fields.required("generation", counter) as Generation | undefined,
    epoch: fields.required("epoch", counter) as Epoch | undefined,
    kind: fields.required("kind", oneOf(RECORD_KINDS)),
    previous: orNull(fields, "previous", sha256),
    manifest: fields.required("manifest", sha256),
    approvals: orNull(fields, "approvals", sha256),
    rootCaKey: fields.required("rootCaKey", sha256),
    meshCaKey: fields.required("meshCaKey", sha256),
    rootCaCertificate: fields.required("rootCaCertificate", sha256),
    meshCaCertificate: fields.required("meshCaCertificate", sha256),
    meshCaIntermediate: fields.required("meshCaIntermediate", sha256),
    shares: orNull(fields, "shares", sha256),
    recoveryCount: fields.required("recoveryCount", integer({ ...COUNTER, min: 0 })),
    createdAt: fields.required("createdAt", time),
    author: fields.required("author", author),
    fenced: orNull(fields, "fenced", boolean),
    votes: orNull(fields, "votes", sha256),
  };
  if (!isComplete(read)) return undefined;
  checkKind(read, fields);
  return read;
});

/** A required field that may hold `null`; `undefined` after a fault. */
function orNull<T>(fields: Fields, name: string, reader: Reader<T>): T | null | undefined {
  return fields.required(name, nullable(reader))?.value;
}

type Incomplete = {
  readonly [Field in keyof HistoryRecord]: HistoryRecord[Field] | undefined;
};

function isComplete(record: Incomplete): record is HistoryRecord {
  return Object.values(record).every((value) => value !== undefined);
}

/** Which of the optional parts a kind has, and where its counters start. */
function checkKind(record: HistoryRecord, fields: Fields): void {
  const { kind } = record;
  const isGenesis = kind === "genesis";
  const isTakeover = kind === "recovery" || kind === "heal";
  const demand = (holds: boolean, field: keyof HistoryRecord, message: string): void => {
    if (!holds) fields.faults.add(fields.pathOf(field), `${message} in a record of kind "${kind}"`);
  };
  const demandPresence = (
    field: "previous" | "approvals" | "fenced" | "votes",
    has: boolean,
  ): void =>
    demand((record[field] !== null) === has, field, has ? "must not be null" : "must be null");
  demandPresence("previous", !isGenesis);
  demandPresence("approvals", !isTakeover);
  demandPresence("fenced", isTakeover);
  demandPresence("votes", kind === "heal");
  if (isGenesis) {
    demand(record.generation === 1, "generation", "must be 1");
    demand(record.epoch === 1, "epoch", "must be 1");
    demand(record.recoveryCount === 0, "recoveryCount", "must be 0");
  }
}
