/**
 * Puts documents back that the store has lost although its head is as it should be. Those that hold them in memory don't
 * miss them; whoever has restarted can't verify the history without them, and says which one it lacks.
 */
import { setTimeout as delay } from "node:timers/promises";
import { appraisalPolicy } from "../attestation/index.ts";
import type { Authority } from "../authority/authority.ts";
import { putDocuments } from "../authority/swap-in.ts";
import { PUT_BACK_PAUSE_MS } from "../core/limits.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import type { Logger } from "../observability/log.ts";
import type { PeerLink } from "./peer-link.ts";
import type { Peers } from "./peers.ts";
import { Wakeups } from "./wakeups.ts";

export interface PutBackPorts {
  readonly authority: Authority;
  readonly peers: Pick<Peers, "list" | "onChange">;
  readonly allowDevelopment: boolean;
  readonly log: Logger;
}

/**
 * Starts it. @returns a function that ends it, and has when its promise is fulfilled
 *
 * **Security:** only for coordinators of the manifest in force, only what was verified here, and not often: a peer must
 * not be able to keep this coordinator writing.
 */
export function startPutBack(ports: PutBackPorts): () => Promise<void> {
  const closing = new AbortController();
  const running = run(ports, closing.signal);
  return () => {
    closing.abort();
    return running;
  };
}

async function run(ports: PutBackPorts, signal: AbortSignal): Promise<void> {
  const { authority, peers, log } = ports;
  const wakeups = new Wakeups(signal);
  const forget = peers.onChange(() => wakeups.wake());
  while (!signal.aborted) {
    // Where the store shows a fork, nothing is written.
    const isFine = authority.lifecycle.kind === "ready" && authority.problem === undefined;
    const history = isFine ? authority.history : undefined;
    if (history !== undefined && (await isLackedBySomebody(history, ports))) {
      const records = history.links.map((link) => link.head.bytes);
      try {
        // All: whoever lost one has probably lost more, and would name them one by one.
        await putDocuments(authority.ports.store, [...records, ...history.documents.values()]);
        log.warn("the store had lost documents of the history; they were put back");
      } catch (error) {
        log.warn({ error }, "documents that the store has lost could not be put back");
      }
      await delay(PUT_BACK_PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
    await wakeups.next();
  }
  forget();
}

/** True if a coordinator of the manifest lacks a document that this history has. */
async function isLackedBySomebody(history: VerifiedHistory, ports: PutBackPorts): Promise<boolean> {
  const policy = appraisalPolicy(history.manifest, ports);
  const has = ({ standing }: PeerLink): boolean => {
    const lacking = standing?.lackingDocument;
    return lacking !== undefined && (history.documents.has(lacking) || history.contains(lacking));
  };
  for (const session of ports.peers
    .list()
    .filter(has)
    .map((link) => link.peer())) {
    if (session === undefined) continue;
    const verdict = await session.evidence.judge(policy).catch(() => undefined);
    if (verdict?.identity?.role === "coordinator") return true;
  }
  return false;
}
