/** What other folders use of `crypto`. DER, X.509 parsing and the derivation's parts are imported from their files. */

export { sha256 } from "./hash.ts";
export { type HistoryVerifier, historyVerifier } from "./history-key.ts";
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
export { SeedEngine } from "./seed-engine.ts";
export { importShareOwnerKey, parseShareOwnerKey, type ShareOwnerKey } from "./share-owner-key.ts";
export {
  combineShares,
  decryptShare,
  type EncryptedShare,
  encryptShare,
  shareCommitment,
  splitSeed,
} from "./shares.ts";
export { keyIdOf, spkiOf } from "./spki.ts";
