/**
 * Everything that is derived from the seed: root CA key, history key, workload secrets.
 *
 * HKDF-SHA-256 (RFC 5869) over the 64-byte seed, salted with the 32-byte salt, once per purpose:
 * `info = lp("quorate/seed/v1") ‖ lp(purpose) ‖ lp(id)`. The two keys take 64 bytes of it through
 * `deterministic-key.ts`. Test vectors: `docs/vectors/seed-engine.json`; the text: `docs/certificates.md`.
 *
 * **Security:** the mesh CA key is not here: share owners can rebuild the seed, and must not get the mesh CA.
 */
import { createPublicKey, hkdfSync, type KeyObject } from "node:crypto";
import { assert } from "../core/assert.ts";
import type { Sha256 } from "../core/brand.ts";
import { lengthPrefixedList } from "../core/bytes.ts";
import { deterministicP384Key } from "./deterministic-key.ts";
import { HistoryKey } from "./history-key.ts";
import { Secret } from "./secret.ts";

/** Length of the seed. */
export const SEED_BYTES = 64;
/** Length of the salt. */
export const SALT_BYTES = 32;
/** Length of seed ‖ salt: what shares and recovery carry. */
export const SEED_AND_SALT_BYTES = SEED_BYTES + SALT_BYTES;
/** Length of a workload secret. */
export const WORKLOAD_SECRET_BYTES = 32;

const DETERMINISTIC_SEED_BYTES = 64;

/** Derives the lineage's keys and secrets; holds the seed in memory until disposed. */
export class SeedEngine {
  /** Signs records; its SPKI's hash is the lineage. */
  readonly historyKey: HistoryKey;
  /** Signs mesh CA certificates. P-384, private. */
  readonly rootKey: KeyObject;
  /** The public half of {@link rootKey}. */
  readonly rootPublicKey: KeyObject;
  readonly #seedAndSalt: Secret;

  /**
   * Takes over seed ‖ salt (96 bytes) and derives both keys: some milliseconds, once per lineage and process.
   * The engine disposes `seedAndSalt` when it is disposed itself.
   */
  constructor(seedAndSalt: Secret) {
    assert(seedAndSalt.length === SEED_AND_SALT_BYTES, "seed and salt have 96 bytes");
    this.#seedAndSalt = seedAndSalt;
    this.rootKey = this.#deriveKey("root-ca-key");
    this.rootPublicKey = createPublicKey(this.rootKey);
    this.historyKey = new HistoryKey(this.#deriveKey("history-key"));
  }

  /** A new lineage. */
  static generate(): SeedEngine {
    return new SeedEngine(Secret.random(SEED_AND_SALT_BYTES));
  }

  /** SHA-256 of the history key's SPKI. */
  get lineage(): Sha256 {
    return this.historyKey.lineage;
  }

  /** The 32-byte secret of workloads whose policy names `secretId`. The caller disposes it. */
  workloadSecret(secretId: string): Secret {
    return this.#derive("workload-secret", secretId, WORKLOAD_SECRET_BYTES);
  }

  /**
   * A copy of seed ‖ salt (96 bytes), which the caller disposes.
   *
   * **Security:** the whole lineage is in it. Only for shares, and for coordinators that were attested and satisfy
   * the record's manifest.
   */
  exportSeedAndSalt(): Secret {
    return this.#seedAndSalt.use((bytes) => Secret.take(bytes.slice()));
  }

  /** Zeroes the seed. The keys stay usable until they are collected. */
  dispose(): void {
    this.#seedAndSalt.dispose();
  }

  #deriveKey(purpose: string): KeyObject {
    const seed = this.#derive(purpose, "", DETERMINISTIC_SEED_BYTES);
    try {
      return deterministicP384Key(seed);
    } finally {
      seed.dispose();
    }
  }

  #derive(purpose: string, id: string, length: number): Secret {
    return this.#seedAndSalt.use((bytes) => {
      const seed = bytes.subarray(0, SEED_BYTES);
      const salt = bytes.subarray(SEED_BYTES);
      const info = lengthPrefixedList("quorate/seed/v1", purpose, id);
      return Secret.take(new Uint8Array(hkdfSync("sha256", seed, salt, info, length)));
    });
  }
}
