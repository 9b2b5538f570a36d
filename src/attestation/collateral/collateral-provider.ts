/**
 * Gets the collateral for evidence: from memory, from the cache folder, from imported files, from the vendor's
 * service. It never judges; a verifier proves what it is given.
 *
 * A piece that is still valid is served at once and fetched anew in the background when it is due, so that issuance
 * goes on while a service is down. One that has expired is served too if nothing newer can be had: the verifier says
 * so better than a missing piece would.
 */
import { equalBytes } from "../../core/bytes.ts";
import { QuorateError } from "../../core/errors.ts";
import {
  COLLATERAL_AGE_MAX_MS,
  COLLATERAL_CACHE_ENTRIES_MAX,
  COLLATERAL_FETCHES_MAX,
  COLLATERAL_RETRY_MS,
} from "../../core/limits.ts";
import { BoundedMap } from "../bounded-map.ts";
import type { Evidence } from "../evidence.ts";
import { type Collateral, NO_COLLATERAL } from "../verification.ts";
import type { CollateralFolder } from "./collateral-folder.ts";
import { type CollateralNeed, needName, needsOf } from "./collateral-need.ts";
import { type CollateralPiece, isLasting, mergeCollateral } from "./collateral-piece.ts";
import type { CollateralSource } from "./http-source.ts";

/** What could be had. */
export interface ProvidedCollateral {
  /** The same object as long as its pieces are the same: verifiers know it again. */
  readonly collateral: Collateral;
  /**
   * Why pieces are missing or were not renewed: `collateral-unavailable`, `collateral-invalid`, `unsupported`, … The
   * same object for as long as nothing is tried again.
   */
  readonly problems: readonly QuorateError[];
}

/** Supplies verifiers. */
export interface CollateralProvider {
  /**
   * The collateral for `evidence`, as far as it can be had. Waits for a service or a disk only if nothing valid is at
   * hand; else it takes microtasks, so it may be asked before every issuance.
   * Rejects only with the signal's reason; the fetching goes on for others and for later.
   */
  get(evidence: Evidence, signal?: AbortSignal): Promise<ProvidedCollateral>;
}

/** Where a {@link CachingCollateralProvider} gets and keeps collateral. All parts are optional. */
export interface CollateralOrigins {
  readonly source?: CollateralSource | undefined;
  readonly folder?: CollateralFolder | undefined;
  /** Added to every answer: what an operator brought in files. */
  readonly imported?: Collateral | undefined;
  /** Milliseconds since the Unix epoch. @default Date.now */
  readonly clock?: (() => number) | undefined;
}

/** See the file's comment. One per process. */
export class CachingCollateralProvider implements CollateralProvider {
  readonly #origins: CollateralOrigins;
  readonly #clock: () => number;
  readonly #kept = new BoundedMap<string, KeptPiece>(COLLATERAL_CACHE_ENTRIES_MAX);
  readonly #failed = new BoundedMap<string, FailedFetch>(COLLATERAL_CACHE_ENTRIES_MAX);
  readonly #fetching = new Map<string, Promise<Outcome>>();
  readonly #looks = new BoundedMap<string, Look>(COLLATERAL_CACHE_ENTRIES_MAX);
  readonly #merged = new BoundedMap<string, Collateral>(COLLATERAL_CACHE_ENTRIES_MAX);
  /** Needs by the evidence object, which its holder asks about again and again. */
  readonly #needs = new WeakMap<Evidence, readonly NamedNeed[]>();
  #pieces = 0;

  constructor(origins: CollateralOrigins) {
    this.#origins = origins;
    this.#clock = origins.clock ?? Date.now;
  }

  async get(evidence: Evidence, signal?: AbortSignal): Promise<ProvidedCollateral> {
    signal?.throwIfAborted();
    const outcomes = await abortable(
      Promise.all(this.#needsOf(evidence).map((need) => this.#piece(need))),
      signal,
    );
    const pieces = outcomes.map(({ kept }) => kept).filter((kept) => kept !== undefined);
    const problems = outcomes.map(({ problem }) => problem).filter((p) => p !== undefined);
    return { collateral: this.#merge(pieces), problems };
  }

  #needsOf(evidence: Evidence): readonly NamedNeed[] {
    const known = this.#needs.get(evidence);
    if (known !== undefined) return known;
    const needs = needsOf(evidence).map((need) => ({ need, name: needName(need) }));
    this.#needs.set(evidence, needs);
    return needs;
  }

  async #piece({ need, name }: NamedNeed): Promise<Outcome> {
    const looked = this.#look(need, name);
    // Valid: whatever the folder has newer counts from when it is read.
    if (!this.#isValid(this.#kept.get(name))) await looked;
    const kept = this.#kept.get(name);
    if (kept !== undefined && this.#clock() < dueAt(kept)) return { kept, problem: undefined };
    const fetched = this.#fetch(need);
    // Only due: nobody waits. A failure stays in `#failed` and shows up when it matters.
    if (kept !== undefined && this.#isValid(kept)) return { kept, problem: undefined };
    const outcome = await fetched;
    return outcome.kept === undefined ? { kept, problem: outcome.problem } : outcome;
  }

  #isValid(kept: KeptPiece | undefined): boolean {
    return kept !== undefined && this.#clock() < kept.expiresAt;
  }

  /**
   * Looks whether the folder has the piece, or a newer one: an operator may have brought it, or another process
   * fetched it. Again after a while only, because it is asked before every issuance. Never rejects.
   */
  #look(need: CollateralNeed, name: string): Promise<void> {
    const last = this.#looks.get(name);
    if (last !== undefined && this.#clock() < last.until) return last.done;
    const look = { done: this.#load(need, name), until: this.#clock() + COLLATERAL_RETRY_MS };
    this.#looks.set(name, look);
    return look.done;
  }

  async #load(need: CollateralNeed, name: string): Promise<void> {
    const stored = await this.#origins.folder?.load(need);
    if (stored === undefined) return;
    const kept = this.#kept.get(name);
    if (kept !== undefined && (stored.expiresAt < kept.expiresAt || isSame(stored, kept))) return;
    // A file from the future would never be due.
    this.#keep(need, stored, Math.min(stored.storedAt, this.#clock()));
  }

  /** Fetches a piece, or joins whoever does. Never rejects. */
  #fetch(need: CollateralNeed): Promise<Outcome> {
    const name = needName(need);
    const underWay = this.#fetching.get(name);
    if (underWay !== undefined) return underWay;
    const failed = this.#failed.get(name);
    if (failed !== undefined && this.#clock() < failed.until) {
      return Promise.resolve({ kept: undefined, problem: failed.problem });
    }
    if (this.#fetching.size >= COLLATERAL_FETCHES_MAX) {
      return Promise.resolve({ kept: undefined, problem: tooMany() });
    }
    const flight = this.#fetchOnce(need).finally(() => this.#fetching.delete(name));
    this.#fetching.set(name, flight);
    return flight;
  }

  async #fetchOnce(need: CollateralNeed): Promise<Outcome> {
    const { source, folder } = this.#origins;
    let piece: CollateralPiece;
    try {
      if (source === undefined) throw notAtHand(need);
      piece = await source.fetch(need);
    } catch (error) {
      const problem = asProblem(error);
      this.#failed.set(needName(need), { problem, until: this.#clock() + COLLATERAL_RETRY_MS });
      return { kept: undefined, problem };
    }
    const previous = this.#kept.get(needName(need));
    if (previous !== undefined && piece.expiresAt < previous.expiresAt) {
      // A service that fell back behind what is at hand has nothing to offer.
      return { kept: this.#keep(need, previous, this.#clock()), problem: undefined };
    }
    const kept = this.#keep(need, piece, this.#clock());
    try {
      await folder?.store(need, piece.collateral);
    } catch (error) {
      // The piece is at hand; that the disk didn't take it is worth saying, not failing.
      return { kept, problem: asProblem(error) };
    }
    return { kept, problem: undefined };
  }

  #keep(need: CollateralNeed, piece: CollateralPiece, fetchedAt: number): KeptPiece {
    const name = needName(need);
    const previous = this.#kept.get(name);
    const isKnown = previous !== undefined && isSame(piece, previous);
    const kept = isKnown
      ? { ...previous, fetchedAt }
      : { ...piece, need, fetchedAt, number: ++this.#pieces };
    this.#kept.set(name, kept);
    return kept;
  }

  #merge(pieces: readonly KeptPiece[]): Collateral {
    const name = pieces.map(({ number }) => number).join(" ");
    const known = this.#merged.get(name);
    if (known !== undefined) return known;
    const { imported } = this.#origins;
    const parts = pieces.map(({ collateral }) => collateral);
    // Imported files come last: a verifier looks at a bounded number of items, and the rest may be many.
    const merged = mergeCollateral([...parts, imported ?? NO_COLLATERAL]);
    this.#merged.set(name, merged);
    return merged;
  }
}

interface NamedNeed {
  readonly need: CollateralNeed;
  readonly name: string;
}

interface KeptPiece extends CollateralPiece {
  readonly need: CollateralNeed;
  readonly fetchedAt: number;
  /** Tells this piece from every other one. */
  readonly number: number;
}

/** When the folder was last asked for a piece. */
interface Look {
  /** When what it had is kept. */
  readonly done: Promise<void>;
  readonly until: number;
}

interface FailedFetch {
  readonly problem: QuorateError;
  readonly until: number;
}

interface Outcome {
  readonly kept: KeptPiece | undefined;
  readonly problem: QuorateError | undefined;
}

/** Half its life after it came; lists and documents after a day at the latest. */
function dueAt({ need, fetchedAt, expiresAt }: KeptPiece): number {
  const halfLife = Math.max(0, expiresAt - fetchedAt) / 2;
  return fetchedAt + (isLasting(need) ? halfLife : Math.min(halfLife, COLLATERAL_AGE_MAX_MS));
}

/** Whether a piece brings the bytes that are kept already. */
function isSame({ collateral: a }: CollateralPiece, { collateral: b }: CollateralPiece): boolean {
  const same = (list: keyof Collateral): boolean =>
    a[list].length === b[list].length &&
    a[list].every((item, index) => equalBytes(item, b[list][index] ?? new Uint8Array()));
  return (
    same("certificates") && same("revocationLists") && same("tcbInfos") && same("qeIdentities")
  );
}

function asProblem(error: unknown): QuorateError {
  if (error instanceof QuorateError) return error;
  return new QuorateError("internal", "collateral could not be fetched", { cause: error });
}

function notAtHand(need: CollateralNeed): QuorateError {
  return new QuorateError("collateral-unavailable", `${needName(need)} is not in the cache`, {
    hint: "import a collateral file that has it, or configure the vendor's collateral service",
  });
}

function tooMany(): QuorateError {
  return new QuorateError("resource-exhausted", "too many collateral fetches at the same time", {
    hint: "try again in a few seconds",
  });
}

/** Gives up waiting when the signal says so; the promise's own work goes on. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", abort);
    });
  });
}
