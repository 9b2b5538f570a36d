/**
 * Reads the head again where no watch of the store would ask for it: when a peer holds a record that is not known here,
 * and again and again while the store shows something that is not as it should be.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Authority } from "../authority/authority.ts";
import type { Sha256 } from "../core/brand.ts";
import { STORE_RECHECK_MS } from "../core/limits.ts";
import type { Peers } from "./peers.ts";
import { Wakeups } from "./wakeups.ts";

/** Starts it. @returns a function that ends it, and has when its promise is fulfilled */
export function startHeadRecheck(authority: Authority, peers: Peers): () => Promise<void> {
  const closing = new AbortController();
  const running = recheckHead(authority, peers, closing.signal);
  return () => {
    closing.abort();
    return running;
  };
}

async function recheckHead(authority: Authority, peers: Peers, signal: AbortSignal): Promise<void> {
  const wakeups = new Wakeups(signal);
  const forget = [peers.onChange(() => wakeups.wake()), authority.onChange(() => wakeups.wake())];
  // What was read for already.
  let known: ReadonlySet<Sha256> = new Set();
  const look = async (): Promise<void> => {
    if (authority.problem !== undefined) {
      // What mends it may be a peer's return as well as the store's own.
      await pause(signal);
      await refresh(authority);
      if (authority.problem !== undefined) wakeups.wake();
      return;
    }
    const held = new Set(peers.list().flatMap(({ standing }) => standing?.heldRecord ?? []));
    const isNews = [...held].some((record) => !known.has(record) && !authority.covers(record));
    known = held;
    if (!isNews) return;
    await refresh(authority);
    // A claim that the store does not bear out, perhaps of a stranger, who may have many more.
    if ([...held].some((record) => !authority.covers(record))) await pause(signal);
  };
  while (!signal.aborted) {
    await look();
    await wakeups.next();
  }
  for (const each of forget) each();
}

async function pause(signal: AbortSignal): Promise<void> {
  await delay(STORE_RECHECK_MS, undefined, { signal }).catch(() => undefined);
}

/** The authority remembers what went wrong, and shows it. */
async function refresh(authority: Authority): Promise<void> {
  await authority.refresh().catch(() => undefined);
}
