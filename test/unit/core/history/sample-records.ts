/** Record documents without cryptography: the hash is real, the signature a pattern. */
import { createHash } from "node:crypto";
import type { InstanceId, Sha256 } from "../../../../src/core/brand.ts";
import {
  genesisRecord,
  healRecord,
  type HistoryRecord,
  type NewManifestRecord,
  type RecordDocument,
  recoveryRecord,
  sealRecord,
  updateRecord,
} from "../../../../src/core/history/index.ts";

export function sha256(data: Uint8Array | string): Sha256 {
  return createHash("sha256").update(data).digest("hex") as Sha256;
}

const SIGNATURE = Uint8Array.from({ length: 96 }, (_, i) => 255 - i);

export function seal(record: HistoryRecord): RecordDocument {
  return sealRecord(record, SIGNATURE, sha256);
}

/** What a maker chooses; every label gives another mesh CA key, the manifest and the rest stay. */
export function made(label: string): NewManifestRecord {
  return {
    rootCaKey: sha256("root key"),
    meshCaKey: sha256(`mesh key ${label}`),
    rootCaCertificate: sha256("root certificate"),
    meshCaCertificate: sha256(`mesh certificate ${label}`),
    meshCaIntermediate: sha256(`mesh intermediate ${label}`),
    createdAt: "2026-01-31T23:59:59.999Z",
    author: { name: "coordinator-0", instance: "0f".repeat(16) as InstanceId },
    manifest: sha256(`manifest ${label}`),
    approvals: sha256(`approvals ${label}`),
    shares: sha256("shares"),
  };
}

/** The first record of a lineage; each `key` gives another lineage. */
export function genesis(label = "genesis", key = "history key"): RecordDocument {
  const historyKey = new Uint8Array(120).fill(7);
  historyKey.set(createHash("sha256").update(key).digest());
  return seal(genesisRecord({ ...made(label), historyKey, lineage: sha256(historyKey) }));
}

export function update(on: RecordDocument, label: string): RecordDocument {
  return seal(updateRecord(on, made(label)));
}

export function recovery(on: RecordDocument, label: string): RecordDocument {
  return seal(recoveryRecord(on, { ...made(label), fenced: false }));
}

export function heal(on: RecordDocument, label: string): RecordDocument {
  return seal(healRecord(on, { ...made(label), fenced: true, votes: sha256(`votes ${label}`) }));
}
