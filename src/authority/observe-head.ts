/** Turns the bytes that the store shows as head into what `core/history` classifies. */
import { QuorateError } from "../core/errors.ts";
import { type ObservedHead, parseRecord } from "../core/history/index.ts";
import { sha256 } from "../crypto/index.ts";
import { isSignedRecord, readHistory, type ReadHistoryOptions } from "../history/read-history.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import type { Head, Store } from "../store/store.ts";

/** What one read of the head showed. */
export interface HeadView {
  readonly observed: ObservedHead;
  /** The history that the head ends; only if it was verified. */
  readonly history: VerifiedHistory | undefined;
  /** Why it could not be verified. */
  readonly error: QuorateError | undefined;
}

/**
 * Verifies the head against what is known already.
 *
 * @throws QuorateError an error of the store, which says nothing about the head.
 */
export async function viewHead(
  head: Head | undefined,
  store: Store,
  options: ReadHistoryOptions,
): Promise<HeadView> {
  if (head === undefined) return view({ kind: "missing" });
  const parsed = parseRecord(head.value, sha256);
  if (!parsed.ok) return view({ kind: "unparsable" }, parsed.error);
  const document = parsed.value;
  const { lineage } = document.record;
  if (!(await isSignedRecord(document))) {
    const error = new QuorateError(
      "store-corrupt",
      "the newest record in the store is not signed by its history key",
    );
    return view({ kind: "badly-signed", lineage }, error);
  }
  try {
    const history = await readHistory(document, store, options);
    const applied = options.known?.recordHash;
    const descendsFromApplied =
      applied !== undefined && applied !== document.hash && history.contains(applied);
    return {
      observed: { kind: "verified", lineage, place: history.place, descendsFromApplied },
      history,
      error: undefined,
    };
  } catch (cause) {
    if (!(cause instanceof QuorateError) || !isAboutContent(cause)) throw cause;
    return view({ kind: "unverified", lineage, hash: document.hash }, cause);
  }
}

function view(observed: ObservedHead, error?: QuorateError): HeadView {
  return { observed, history: undefined, error };
}

/** True if what the store has is wrong, rather than the store being out of reach. */
function isAboutContent(error: QuorateError): boolean {
  return error.code === "verification-failed" || error.code === "store-corrupt";
}
