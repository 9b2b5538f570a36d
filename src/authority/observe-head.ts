/** Turns the bytes that the store shows as head into what `core/history` classifies. */
import type { Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import { type ObservedHead, parseRecord } from "../core/history/index.ts";
import { sha256 } from "../crypto/index.ts";
import {
  hasDocument,
  isSignedRecord,
  lackingDocument,
  readHistory,
  type ReadHistoryOptions,
} from "../history/read-history.ts";
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

/** A head whose history could not be verified, and on top of what. */
interface BrokenHead {
  readonly hash: Sha256;
  readonly known: Sha256 | undefined;
  readonly error: QuorateError;
}

/**
 * The broken head that each store showed last. Whoever owns the store makes every read of the head cost a walk
 * through the whole history otherwise.
 */
const BROKEN_HEADS = new WeakMap<Store, BrokenHead>();

/**
 * Verifies the head against what is known already. A head that was found broken is not walked again, except when the
 * document whose lack broke it is back.
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
  const broken = BROKEN_HEADS.get(store);
  const known = options.known?.recordHash;
  const isSame = broken?.hash === document.hash && broken.known === known;
  if (isSame && !(await isMended(broken.error, store)))
    return view({ kind: "unverified", lineage, hash: document.hash }, broken.error);
  // The hash covers the signature: what is known under it was verified.
  const isKnown = options.known?.contains(document.hash) ?? false;
  if (!isKnown && !(await isSignedRecord(document))) {
    const error = new QuorateError(
      "store-corrupt",
      "the newest record in the store is not signed by its history key",
    );
    return view({ kind: "badly-signed", lineage }, error);
  }
  try {
    const history = await readHistory(document, store, { ...options, isHeadSigned: true });
    BROKEN_HEADS.delete(store);
    const descendsFromApplied =
      known !== undefined && known !== document.hash && history.contains(known);
    return {
      observed: { kind: "verified", lineage, place: history.place, descendsFromApplied },
      history,
      error: undefined,
    };
  } catch (cause) {
    if (!(cause instanceof QuorateError) || !isAboutContent(cause)) throw cause;
    const error = withWayOut(cause);
    BROKEN_HEADS.set(store, { hash: document.hash, known, error });
    return view({ kind: "unverified", lineage, hash: document.hash }, error);
  }
}

function withWayOut(error: QuorateError): QuorateError {
  const { code, message, details, faults } = error;
  const hint =
    lackingDocument(error) === undefined
      ? "restore the store from a backup that has the whole history"
      : "a ready coordinator in reach puts back what it has; if there is none, restore the store from a backup";
  return new QuorateError(code, message, { hint, details, faults, cause: error });
}

/** True if the cause of the error may be gone. Everything else about a history is in its hashes, and stays. */
async function isMended(error: QuorateError, store: Store): Promise<boolean> {
  const lacking = lackingDocument(error);
  return lacking !== undefined && (await hasDocument(store, lacking));
}

function view(observed: ObservedHead, error?: QuorateError): HeadView {
  return { observed, history: undefined, error };
}

/** True if what the store has is wrong, rather than the store being out of reach. */
function isAboutContent(error: QuorateError): boolean {
  return error.code === "verification-failed" || error.code === "store-corrupt";
}
