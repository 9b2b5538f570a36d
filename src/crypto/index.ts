/** What other folders use of `crypto`. DER, X.509 parsing and the derivation's parts are imported from their files. */
export { equalConstantTime } from "./constant-time.ts";
export { sha256, sha256Bytes } from "./hash.ts";
export {
  HISTORY_SIGNATURE_BYTES,
  HistoryKey,
  type HistoryVerifier,
  historyVerifier,
} from "./history-key.ts";
export { hpkeInfo, HpkeRecipient, hpkeSeal } from "./hpke.ts";
export {
  importOwnerKey,
  type OwnerKey,
  parseOwnerKey,
  signAsOwner,
  verifyOwnerSignature,
} from "./owner-key.ts";
export { randomBytes } from "./random.ts";
export { Secret } from "./secret.ts";
export { SEED_AND_SALT_BYTES, SeedEngine, WORKLOAD_SECRET_BYTES } from "./seed-engine.ts";
export { importShareOwnerKey, parseShareOwnerKey, type ShareOwnerKey } from "./share-owner-key.ts";
export {
  combineShares,
  decryptShare,
  type EncryptedShare,
  encryptShare,
  recognizeShare,
  SHARE_BYTES,
  shareCommitment,
  splitSeed,
} from "./shares.ts";
export { keyIdOf, spkiOf } from "./spki.ts";
