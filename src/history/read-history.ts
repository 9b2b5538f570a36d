/** Reads a history from whoever has its documents, and verifies it: real hashes and signatures around `core/history`. */
import { isSha256, type Sha256 } from "../core/brand.ts";
import { QuorateError } from "../core/errors.ts";
import {
  type ApprovalDuty,
  approvalDuty,
  type ChainProgress,
  continueWalk,
  type FetchedRecord,
  type Finding,
  type HistoryRecord,
  parseApprovals,
  parseRecord,
  type RecordDocument,
  startWalk,
  verifyNext,
} from "../core/history/index.ts";
import { type CheckedApproval, type Manifest, parseManifest } from "../core/manifest/index.ts";
import {
  historyVerifier,
  importOwnerKey,
  parseOwnerKey,
  parseShareOwnerKey,
  sha256,
  verifyOwnerSignature,
} from "../crypto/index.ts";
import { referencesOf, VerifiedHistory } from "./verified-history.ts";

/** Where documents come from: a store, or a coordinator's answer. Not trusted. */
export interface DocumentSource {
  /** The bytes under this hash, or `undefined`. May throw what its transport throws. */
  getDocument(hash: Sha256): Promise<Uint8Array | undefined>;
}

export interface ReadHistoryOptions {
  /** What is verified already; the walk ends where it meets it. */
  readonly known?: VerifiedHistory | undefined;
  /** The caller has verified the head's own signature. */
  readonly isHeadSigned?: boolean | undefined;
  /** Called after every verified record. */
  readonly onProgress?: ((verified: ChainProgress, total: number) => void) | undefined;
}

/** Records whose documents and signatures are worked on at the same time. */
const BATCH = 16;

/** Key in the details of what {@link readHistory} throws: see {@link lackingDocument}. */
const LACKING_DETAIL = "lackingDocument";

/**
 * The verified history that ends in `head`.
 *
 * Documents are named by their hashes: the outcome for the same head and the same known history can change only with
 * the document that is lacking.
 *
 * @throws QuorateError `verification-failed` with the record at which it breaks, or what `source` throws.
 */
export async function readHistory(
  head: RecordDocument,
  source: DocumentSource,
  options: ReadHistoryOptions = {},
): Promise<VerifiedHistory> {
  const { known } = options;
  const { base, path } = await walkBack(head, source, known);
  const documents = new Map<Sha256, Uint8Array>(known?.documents);
  const start = base === undefined ? undefined : known?.upTo(base);
  const links = [...(start?.links ?? [])];
  const reader = new LinkReader(source, documents);
  for (let at = 0; at < path.length; at += BATCH) {
    const batch = path.slice(at, at + BATCH);
    const read = await Promise.all(
      batch.map((hash) =>
        hash === head.hash ? reader.signed(head, options.isHeadSigned) : reader.record(hash),
      ),
    );
    for (const { document, signatureValid } of read) {
      const link = await reader.link(links.at(-1), document, signatureValid);
      links.push(link);
      options.onProgress?.(link, (start?.links.length ?? 0) + path.length);
    }
  }
  for (const link of links.slice(start?.links.length ?? 0))
    await reader.references(link, link === links.at(-1));
  return new VerifiedHistory(links, documents);
}

/**
 * The document whose lack broke a history, or whose bytes were others; `undefined` if nothing can mend it.
 *
 * @param error thrown by {@link readHistory}.
 */
export function lackingDocument({ details }: QuorateError): Sha256 | undefined {
  const hash = details[LACKING_DETAIL];
  return hash !== undefined && isSha256(hash) ? hash : undefined;
}

/** True if the source has a document, and no other bytes in its place. */
export async function hasDocument(source: DocumentSource, hash: Sha256): Promise<boolean> {
  try {
    const bytes = await source.getDocument(hash);
    return bytes !== undefined && sha256(bytes) === hash;
  } catch (cause) {
    if (isDamaged(cause)) return false;
    throw cause;
  }
}

/** True if the history key named in the record signed it. */
export async function isSignedRecord(document: RecordDocument): Promise<boolean> {
  const verifier = historyVerifier(document.record.historyKey);
  return verifier.ok && (await verifier.value.verify(document.signedBytes, document.signature));
}

/** Which of the approvals verify. */
export async function checkApprovals(
  approvals: readonly { readonly key: Sha256; readonly signature: Uint8Array }[],
  duty: ApprovalDuty,
): Promise<readonly CheckedApproval[]> {
  return Promise.all(
    approvals.map(async ({ key, signature }) => {
      const owner = duty.owners.keys.find((each) => each.keyId === key);
      const imported = owner === undefined ? undefined : importOwnerKey(owner.spki);
      const valid =
        imported?.ok === true &&
        (await verifyOwnerSignature(imported.value, duty.signed, signature));
      return { keyId: key, valid };
    }),
  );
}

async function walkBack(
  head: RecordDocument,
  source: DocumentSource,
  known: VerifiedHistory | undefined,
): Promise<{ base: Sha256 | undefined; path: readonly Sha256[] }> {
  const isKnown = (hash: Sha256): boolean => known?.contains(hash) ?? false;
  let walk = startWalk(head, isKnown);
  while (walk.kind === "fetch")
    walk = continueWalk(walk, await fetchRecord(source, walk.next), isKnown);
  if (walk.kind === "done") return walk;
  throw new QuorateError(
    "verification-failed",
    `the history is broken at record ${walk.at}: ${WALK_FAULTS[walk.code]}`,
    { details: walk.code === "record-missing" ? { [LACKING_DETAIL]: walk.at } : {} },
  );
}

const WALK_FAULTS = {
  "record-missing": "its document is missing",
  "record-invalid": "its document is not a record",
  "length-mismatch": "its counters do not fit its place",
  "too-long": "it is longer than is supported",
} as const;

async function fetchRecord(source: DocumentSource, hash: Sha256): Promise<FetchedRecord> {
  const bytes = await documentFrom(source, hash);
  if (bytes === undefined) return { kind: "missing" };
  const parsed = parseRecord(bytes, sha256);
  if (parsed.ok && parsed.value.hash === hash) return { kind: "found", document: parsed.value };
  // Other bytes than those that were put there: the right ones may come back.
  return sha256(bytes) === hash ? { kind: "invalid" } : { kind: "missing" };
}

/** A document, or the source's own error about it, which then says which one it is. */
async function documentFrom(source: DocumentSource, hash: Sha256): Promise<Uint8Array | undefined> {
  try {
    return await source.getDocument(hash);
  } catch (cause) {
    if (!isDamaged(cause)) throw cause;
    const { code, message, hint, faults, details } = cause;
    throw new QuorateError(code, message, {
      ...{ hint, faults, cause },
      details: { ...details, [LACKING_DETAIL]: hash },
    });
  }
}

/** True for what a store says that finds other bytes under a hash by itself. */
function isDamaged(cause: unknown): cause is QuorateError {
  return cause instanceof QuorateError && cause.code === "store-corrupt";
}

interface SignedRecord {
  readonly document: RecordDocument;
  readonly signatureValid: boolean;
}

/** Gathers the facts of one record after another. */
class LinkReader {
  readonly #source: DocumentSource;
  readonly #documents: Map<Sha256, Uint8Array>;

  constructor(source: DocumentSource, documents: Map<Sha256, Uint8Array>) {
    this.#source = source;
    this.#documents = documents;
  }

  async record(hash: Sha256): Promise<SignedRecord> {
    return this.signed(await this.#fetched(hash));
  }

  /** @param isSigned true if somebody has verified the signature */
  async signed(document: RecordDocument, isSigned = false): Promise<SignedRecord> {
    return { document, signatureValid: isSigned || (await isSignedRecord(document)) };
  }

  async link(
    before: ChainProgress | undefined,
    document: RecordDocument,
    signatureValid: boolean,
  ): Promise<ChainProgress> {
    await this.#prefetch(document.record);
    const manifest = await this.#manifest(document.record.manifest);
    const duty = approvalDuty(before, document, manifest);
    const approvals = await this.#approvals(document.record.approvals, duty);
    const verified = verifyNext(before, { document, signatureValid, manifest, approvals });
    if (verified.ok) return verified.value;
    const { record, generation, epoch, message, code } = verified.error;
    const { manifest: manifestHash, approvals: approvalsHash } = document.record;
    const lacking =
      code === "manifest-missing"
        ? manifestHash
        : code === "approvals-missing"
          ? approvalsHash
          : null;
    throw new QuorateError(
      "verification-failed",
      `the history is broken at generation ${generation}, epoch ${epoch} (record ${record}): ${message}`,
      {
        details: {
          ...{ fault: code, record },
          ...(lacking === null ? {} : { [LACKING_DETAIL]: lacking }),
        },
      },
    );
  }

  /** Fetches the remaining documents of a verified record; all of them must be there if it is the head. */
  async references(link: ChainProgress, isHead: boolean): Promise<void> {
    const missing: Sha256[] = [];
    const hashes = referencesOf(link);
    for (let at = 0; at < hashes.length; at += BATCH) {
      const batch = hashes.slice(at, at + BATCH);
      const found = await Promise.all(batch.map((hash) => this.#document(hash)));
      missing.push(...batch.filter((_, index) => found[index] === undefined));
    }
    const [lacking] = missing;
    if (!isHead || lacking === undefined) return;
    throw new QuorateError(
      "verification-failed",
      `documents of the newest record are missing: ${missing.join(", ")}`,
      { details: { [LACKING_DETAIL]: lacking } },
    );
  }

  /** In one round trip of the source. What is wrong with a document, whoever needs it says. */
  async #prefetch(record: HistoryRecord): Promise<void> {
    const { manifest, approvals, shares } = record;
    const { rootCaCertificate, meshCaCertificate, meshCaIntermediate } = record;
    const certificates = [rootCaCertificate, meshCaCertificate, meshCaIntermediate];
    const hashes = [manifest, approvals, shares, ...certificates].filter((hash) => hash !== null);
    await Promise.allSettled(hashes.map((hash) => this.#document(hash)));
  }

  async #fetched(hash: Sha256): Promise<RecordDocument> {
    const fetched = await fetchRecord(this.#source, hash);
    if (fetched.kind === "found" && fetched.document.hash === hash)
      return fetched.document as RecordDocument;
    throw new QuorateError(
      "verification-failed",
      `record ${hash} changed while the history was read`,
      { details: { [LACKING_DETAIL]: hash } },
    );
  }

  async #manifest(hash: Sha256): Promise<Finding<Manifest>> {
    const bytes = await this.#document(hash);
    if (bytes === undefined) return { kind: "missing" };
    const parsed = parseManifest(bytes, { parseOwnerKey, parseShareOwnerKey });
    return parsed.ok
      ? { kind: "found", hash, value: parsed.value }
      : { kind: "invalid", message: parsed.error.message };
  }

  async #approvals(
    hash: Sha256 | null,
    duty: ApprovalDuty | undefined,
  ): Promise<Finding<readonly CheckedApproval[]>> {
    const bytes = hash === null || duty === undefined ? undefined : await this.#document(hash);
    if (hash === null || duty === undefined || bytes === undefined) return { kind: "missing" };
    const parsed = parseApprovals(bytes);
    if (!parsed.ok) return { kind: "invalid", message: parsed.error.message };
    return { kind: "found", hash, value: await checkApprovals(parsed.value, duty) };
  }

  /** **Security:** the hash is computed here, whatever the source promises. */
  async #document(hash: Sha256): Promise<Uint8Array | undefined> {
    const known = this.#documents.get(hash);
    if (known !== undefined) return known;
    const bytes = await documentFrom(this.#source, hash);
    if (bytes === undefined || sha256(bytes) !== hash) return undefined;
    this.#documents.set(hash, bytes);
    return bytes;
  }
}
