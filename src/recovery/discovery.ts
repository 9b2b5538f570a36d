/** From the configured addresses of peers to the addresses to connect to, now. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { type Address, formatAddress } from "../config/address.ts";
import { QuorateError } from "../core/errors.ts";
import { PEER_ADDRESSES_MAX, PEER_LOOKUP_MS } from "../core/limits.ts";
import { err, ok } from "../core/result.ts";
import type { Logger } from "../observability/log.ts";

/** All addresses of a host name, as `node:dns` gives them. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>;

/** What discovery works with. */
export interface DiscoveryOptions {
  /** An IP address stands for itself, a DNS name for all its addresses. */
  readonly peers: readonly Address[];
  readonly log: Logger;
  /** @default the system's resolver */
  readonly lookup?: Lookup;
  /** Pause between two lookups of a name. @default PEER_LOOKUP_MS */
  readonly lookupMs?: number;
}

/**
 * The addresses of peers. Names are looked up at once, and again for as long as it is open; a failed lookup changes
 * nothing, because the peers that were found may well be there still.
 */
export class Discovery {
  readonly #options: DiscoveryOptions;
  /** What each configured address stands for, in the order of the configuration. */
  readonly #found: string[][];
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #addresses: readonly string[] = [];
  #full = false;

  /** @throws QuorateError `usage` for more than `PEER_ADDRESSES_MAX` configured addresses. */
  constructor(options: DiscoveryOptions) {
    const { peers } = options;
    if (peers.length > PEER_ADDRESSES_MAX) {
      throw new QuorateError("usage", `more than ${PEER_ADDRESSES_MAX} addresses of peers`, {
        hint: "name each coordinator once, or one DNS name that stands for all",
      });
    }
    this.#options = options;
    this.#found = peers.map((peer) => (isIP(peer.host) === 0 ? [] : [formatAddress(peer)]));
    this.#gather();
    for (const [index, peer] of peers.entries()) {
      if (isIP(peer.host) === 0) void this.#follow(index, peer);
    }
  }

  /** `host:port` (IPv6 in brackets), each once; at most `PEER_ADDRESSES_MAX`. Names that were not found yet are missing. */
  addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Calls `listener`, which must not throw, after every change of {@link addresses}. @returns a function that ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks nothing up any more. A lookup that is under way can't be stopped; its answer is ignored. Idempotent. */
  close(): void {
    this.#closing.abort();
    this.#listeners.clear();
  }

  async #follow(index: number, { host, port }: Address): Promise<void> {
    const { log, lookup: find = lookUp, lookupMs = PEER_LOOKUP_MS } = this.#options;
    const { signal } = this.#closing;
    let problem: string | undefined;
    while (!signal.aborted) {
      const outcome = await find(host).then(ok, err);
      if (signal.aborted) return;
      if (outcome.ok) {
        if (problem !== undefined) log.info({ host }, "peers are found again");
        problem = undefined;
        const found = outcome.value.map(({ address }) => formatAddress({ host: address, port }));
        this.#found[index] = found.sort();
        this.#gather();
      } else {
        const reason = reasonOf(outcome.error);
        if (problem !== reason)
          log.warn({ host, reason }, "peers can't be looked up; keeping those that were found");
        problem = reason;
      }
      // Rejects when it is closed, which the loop's condition sees.
      await wait(lookupMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #gather(): void {
    const all = [...new Set(this.#found.flat())];
    const addresses = all.slice(0, PEER_ADDRESSES_MAX);
    const full = all.length > addresses.length;
    if (full && !this.#full)
      this.#options.log.warn(
        { found: all.length },
        "too many addresses of peers; the last ones are left out",
      );
    this.#full = full;
    if (addresses.join() === this.#addresses.join()) return;
    this.#addresses = addresses;
    for (const listener of this.#listeners) listener();
  }
}

/** The resolver's code, as `ENOTFOUND`. */
function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}

const lookUp: Lookup = (host) => lookup(host, { all: true });
