/** The commit point: documents first, then the head. */
import { setTimeout as delay } from "node:timers/promises";
import type { Head, Store, SwapOutcome } from "../store/store.ts";

/** How long an ambiguous swap is repeated before the caller is told that its outcome is unknown, in milliseconds. */
const SETTLE_MILLIS = 5_000;
const RETRY_MILLIS = 50;

/**
 * Documents on their way into the store at the same time: all that an update puts, and no flood when a whole history is
 * put back.
 */
const DOCUMENTS_AT_ONCE = 16;

/** Puts documents, in no order. @throws what the store throws for one of them */
export async function putDocuments(store: Store, documents: readonly Uint8Array[]): Promise<void> {
  for (let at = 0; at < documents.length; at += DOCUMENTS_AT_ONCE) {
    const batch = documents.slice(at, at + DOCUMENTS_AT_ONCE);
    await Promise.all(batch.map((document) => store.putDocument(document)));
  }
}

/**
 * Puts the documents, in no order, then moves the head from `expected` to `next`. While the outcome is unknown the
 * identical swap is repeated; that changes nothing twice, because a head that equals `next` already counts as committed.
 *
 * After an ambiguous attempt a conflict may mean that ours took effect and was succeeded: the caller reads.
 *
 * @throws what the store throws for a swap that definitely did not happen, as far as this call's own attempts go.
 */
export async function swapIn(
  store: Store,
  expected: Head | undefined,
  next: Uint8Array,
  documents: readonly Uint8Array[],
): Promise<SwapOutcome> {
  await putDocuments(store, documents);
  const deadline = performance.now() + SETTLE_MILLIS;
  let unknown: Extract<SwapOutcome, { outcome: "unknown" }> | undefined;
  for (;;) {
    try {
      const swapped = await store.swapHead(expected, next);
      if (swapped.outcome !== "unknown") return swapped;
      unknown = swapped;
    } catch (cause) {
      // A definite failure of a repetition says nothing about the first attempt.
      if (unknown === undefined) throw cause;
    }
    if (performance.now() > deadline) return unknown;
    await delay(RETRY_MILLIS);
  }
}
