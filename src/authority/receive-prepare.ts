/** Takes the key of a record that another coordinator is about to make the head. */
import { QuorateError } from "../core/errors.ts";
import { parseRecord, type RecordDocument } from "../core/history/index.ts";
import { unwrap } from "../core/result.ts";
import { hpkeInfo, type HpkeRecipient, type Secret, sha256 } from "../crypto/index.ts";
import type { InstanceKeys } from "../attestation/report-data.ts";
import { isSignedRecord } from "../history/read-history.ts";
import { MeshCa } from "../pki/index.ts";
import type { Authority } from "./authority.ts";
import type { Enforced } from "./enforced.ts";

/** HPKE purpose of a mesh CA key on its way to a coordinator. */
const PREPARE_PURPOSE = "quorate/prepare/v1";

/** Binds a wrapped key to lineage, record and recipient; both sides compute it. */
export function prepareInfo(document: RecordDocument, recipient: string): Uint8Array {
  return hpkeInfo(PREPARE_PURPOSE, document.record.lineage, document.hash, recipient);
}

/** What another coordinator sends. */
export interface PrepareMessage {
  readonly record: Uint8Array;
  readonly wrappedMeshCaKey: Uint8Array;
}

/** Who sends it. */
export interface PreparingPeer {
  readonly instance: InstanceKeys;
  /** @throws QuorateError `attestation-failed` unless it is a coordinator of the state's manifest. */
  requireCoordinator(state: Enforced): Promise<void>;
}

/**
 * Checks a prepare and keeps its key. Nothing takes effect by it: only the store's head, verified with all approvals,
 * makes the record one to enforce.
 *
 * **Security:** a coordinator keeps keys only from coordinators of the manifest that it enforces, only on top of its own
 * record, and only the key that the signed record names; else peers could make it hold, and issue under, keys of theirs.
 *
 * @throws QuorateError `invalid-argument`, `head-moved`, `attestation-failed`, `verification-failed`, `decryption-failed`,
 * `resource-exhausted`
 */
export async function receivePrepare(
  authority: Authority,
  hpke: HpkeRecipient,
  message: PrepareMessage,
  from: PreparingPeer,
): Promise<void> {
  const document = unwrap(parseRecord(message.record, sha256));
  const { record } = document;
  if (record.author.instance !== from.instance.id || record.author.name !== from.instance.name) {
    throw new QuorateError("invalid-argument", "the record's author is not the caller");
  }
  const state = await stateBefore(authority, document);
  await from.requireCoordinator(state);
  const { lineage, record: applied } = state.history;
  const follows =
    record.kind === "update" && record.lineage === lineage && record.epoch === applied.epoch;
  if (!follows || !(await isSignedRecord(document))) {
    throw new QuorateError("verification-failed", "the record does not follow the one in force");
  }
  const key = await openKey(authority, hpke, document, message.wrappedMeshCaKey);
  authority.prepare(record.author.instance, document, key);
}

/** The state in force, if the record is on top of it. The caller may have seen a newer head first. */
async function stateBefore(authority: Authority, document: RecordDocument): Promise<Enforced> {
  const isBefore = (): boolean => authority.state?.place.hash === document.record.previous;
  if (!isBefore()) await authority.refresh();
  const { state, lifecycle } = authority;
  if (state === undefined || lifecycle.kind !== "ready") throw authority.notReady();
  if (!isBefore()) throw authority.headMoved();
  return state.payload;
}

async function openKey(
  authority: Authority,
  hpke: HpkeRecipient,
  document: RecordDocument,
  wrapped: Uint8Array,
): Promise<Secret> {
  const info = prepareInfo(document, authority.ports.author.instance);
  const key = unwrap(await hpke.open(info, wrapped));
  if (MeshCa.isKeyOf(key, document.record.meshCaKey)) return key;
  key.dispose();
  throw new QuorateError("verification-failed", "the key is not the one that the record names");
}
