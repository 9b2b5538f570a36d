/**
 * Records that no coordinator made: what a host could put into the store together with somebody who knows the seed, here
 * share owners who conspire. Manifest owners conspire too, or their approvals would be missing.
 */
import type { InstanceId } from "../../../src/core/brand.ts";
import { parseManifest } from "../../../src/core/manifest/index.ts";
import { unwrap } from "../../../src/core/result.ts";
import { type Approval, encodeApprovals } from "../../../src/core/history/index.ts";
import {
  parseOwnerKey,
  parseShareOwnerKey,
  randomBytes,
  Secret,
  SeedEngine,
} from "../../../src/crypto/index.ts";
import {
  type ApprovedManifest,
  type Prepared,
  prepareGenesis,
  prepareRecovery,
  prepareUpdate,
} from "../../../src/authority/next-record.ts";
import { SEED_AND_SALT_BYTES } from "../../../src/crypto/seed-engine.ts";
import type { VerifiedHistory } from "../../../src/history/verified-history.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Owners } from "./owners.ts";

const AUTHOR = { name: "coordinator-0", instance: "ab".repeat(16) as InstanceId };

export class Forger {
  readonly #owners: Owners;

  constructor(owners: Owners) {
    this.#owners = owners;
  }

  /** The first record of another lineage, which the same owners approved. */
  async genesis(manifest: Uint8Array): Promise<Prepared> {
    const engine = new SeedEngine(Secret.take(randomBytes(SEED_AND_SALT_BYTES)));
    const approvals = await this.#owners.approveGenesis(manifest);
    return prepareGenesis(this.#approved(manifest, approvals), engine, making());
  }

  /** An epoch on top of `history`, as a recovery by share owners would open it. */
  async recovery(history: VerifiedHistory): Promise<Prepared> {
    const engine = new SeedEngine(await this.#owners.conspire(history));
    return prepareRecovery(history, engine, making());
  }

  /** An approved update on top of `history`. */
  async update(history: VerifiedHistory, manifest: Uint8Array): Promise<Prepared> {
    const { lineage, lastSet } = history;
    const approvals = await this.#owners.approve({ manifest, lineage, previous: lastSet.hash });
    // Keys and root certificate of the recovery that nobody will see.
    const { next } = await this.recovery(history);
    return prepareUpdate(
      { ...next, history, recordHash: history.recordHash },
      this.#approved(manifest, approvals),
      making(),
    );
  }

  #approved(manifest: Uint8Array, approvals: readonly Approval[]): ApprovedManifest {
    return {
      bytes: manifest,
      manifest: unwrap(parseManifest(manifest, { parseOwnerKey, parseShareOwnerKey })),
      approvals: encodeApprovals(approvals),
      checked: approvals.map(({ key }) => ({ keyId: key, valid: true })),
      policyDocuments: this.#owners.policyDocuments,
    };
  }
}

/** Puts a record with all documents of its history into a store, as its head. */
export async function show(store: Store, history: VerifiedHistory): Promise<void> {
  for (const { head } of history.links) await store.putDocument(head.bytes);
  for (const bytes of history.documents.values()) await store.putDocument(bytes);
  await showHead(store, history.head.head.bytes);
}

/** Makes any bytes the head. */
export async function showHead(store: Store, bytes: Uint8Array): Promise<void> {
  for (;;) {
    // The coordinators may put their own back in between.
    const swapped = await store.swapHead(await store.readHead(), bytes);
    if (swapped.outcome === "committed") return;
  }
}

function making() {
  return { author: AUTHOR, now: Date.now(), allowDevelopment: true };
}
