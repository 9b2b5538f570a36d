/**
 * Recovers this coordinator's secrets from a ready peer, by itself: after a start over an existing history, and whenever
 * the history has moved past its state. Driven by events; the pauses after failures are only a backstop.
 */
import { setTimeout as delay } from "node:timers/promises";
import { appraisalPolicy } from "../attestation/index.ts";
import type { Authority } from "../authority/authority.ts";
import type { Enforced } from "../authority/enforced.ts";
import { inRecoveryMode } from "../core/lifecycle/lifecycle.ts";
import {
  PEER_HEDGE_MS,
  PEER_RECOVERY_BACKOFF_MAX_MS,
  PEER_RECOVERY_BACKOFF_MS,
} from "../core/limits.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import type { Metrics } from "../observability/metrics.ts";
import { hedged } from "./hedged.ts";
import type { PeerSession } from "./peer-link.ts";
import type { Peers } from "./peers.ts";
import { receiveSecrets, type ReceivePorts } from "./receive-secrets.ts";
import { Wakeups } from "./wakeups.ts";

export interface PeerRecoveryPorts extends ReceivePorts {
  readonly authority: Authority;
  readonly peers: Peers;
  readonly metrics: Metrics;
}

/** How this instance came by its secrets the last time. */
export interface LastRecovery {
  /** Name of the peer that gave them. */
  readonly from: string;
  readonly recordHash: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** From noticing the need to being ready. */
  readonly millis: number;
}

/** The driver; runs until it is closed. */
export class PeerRecovery {
  readonly #ports: PeerRecoveryPorts;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #last: LastRecovery | undefined;
  #need: Need | undefined;

  constructor(ports: PeerRecoveryPorts) {
    this.#ports = ports;
    this.#running = this.#run();
  }

  get last(): LastRecovery | undefined {
    return this.#last;
  }

  /** Gives up what it is doing. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { authority, peers } = this.#ports;
    const { signal } = this.#closing;
    const wakeups = new Wakeups(signal);
    const forget = [authority.onChange(() => wakeups.wake()), peers.onChange(() => wakeups.wake())];
    while (!signal.aborted) {
      await this.#look(() => wakeups.wake());
      await wakeups.next();
    }
    for (const each of forget) each();
  }

  /** Recovers if there is a need and somebody who can meet it. @param lookAgain called when the same is worth another try */
  async #look(lookAgain: () => void): Promise<void> {
    const history = this.#recoverable();
    if (history === undefined) {
      this.#need = undefined;
      return;
    }
    const need = (this.#need ??= { since: performance.now(), failures: 0, tried: "", until: 0 });
    const givers = this.#givers(history);
    const situation = [
      history.recordHash,
      ...givers.map(({ session }) => session.instance.id),
    ].join();
    // The same again only after a pause; something new at once.
    const isTooSoon = situation === need.tried && performance.now() < need.until;
    if (givers.length === 0 || isTooSoon) return;
    if (await this.#recover(history, givers, need.since)) return;
    const pauseMillis = jittered(need.failures);
    this.#need = {
      since: need.since,
      failures: need.failures + 1,
      tried: situation,
      until: performance.now() + pauseMillis,
    };
    const { signal } = this.#closing;
    void delay(pauseMillis, undefined, { signal }).then(lookAgain, () => undefined);
  }

  /** The verified history whose secrets are wanted; `undefined` while there is nothing to recover, or not for this name. */
  #recoverable(): VerifiedHistory | undefined {
    const { authority, name } = this.#ports;
    const { history, problem } = authority;
    if (!inRecoveryMode(authority.lifecycle) || problem !== undefined) return undefined;
    return history?.manifest.coordinators.includes(name) === true ? history : undefined;
  }

  /** The peers that say that they hold exactly what is wanted. */
  #givers(history: VerifiedHistory): readonly Giver[] {
    const { coordinators } = history.manifest;
    return this.#ports.peers.list().flatMap((link) => {
      const { address, standing } = link;
      const session = link.peer();
      if (session === undefined || standing?.heldRecord !== history.recordHash) return [];
      if (standing.mode !== "ready" || standing.suspended) return [];
      if (!coordinators.includes(session.instance.name)) return [];
      return [{ address, session }];
    });
  }

  async #recover(
    history: VerifiedHistory,
    givers: readonly Giver[],
    since: number,
  ): Promise<boolean> {
    const { authority, log, audit, metrics, now } = this.#ports;
    const policy = appraisalPolicy(history.manifest, this.#ports);
    try {
      const { state, from } = await hedged(
        givers,
        async ({ address, session }, signal) => {
          // Who only claims to be a coordinator is not worth a quote.
          await session.evidence.requireCoordinator(
            policy,
            "the peer",
            "the manifest being recovered",
          );
          const state = await receiveSecrets(this.#ports, { address, history, signal });
          return { state, from: session.instance };
        },
        {
          hedgeMillis: PEER_HEDGE_MS,
          signal: this.#closing.signal,
          discard: ({ state }) => this.#discard(state),
        },
      );
      if (!authority.adopt(state)) {
        this.#discard(state);
        return false;
      }
      const millis = Math.round(performance.now() - since);
      const { recordHash } = state;
      this.#last = { from: from.name, recordHash, at: now(), millis };
      metrics.peerRecovery("ok", millis / 1000);
      audit.record({
        event: "recovered-from-peer",
        recordHash,
        peer: from.name,
        instance: from.id,
      });
      log.info({ peer: from.name, millis }, "secrets recovered from a peer");
      return true;
    } catch (error) {
      if (this.#closing.signal.aborted) return false;
      metrics.peerRecovery("failed", (performance.now() - since) / 1000);
      log.warn({ error }, "secrets could not be recovered from a peer");
      return false;
    }
  }

  /** The seed is not kept where it is not needed; the state in force may work with the same engine. */
  #discard({ engine }: Enforced): void {
    if (engine !== this.#ports.authority.state?.payload.engine) engine.dispose();
  }
}

/** What is known of a need for secrets that is not met yet. */
interface Need {
  /** `performance.now()` when it was noticed. */
  readonly since: number;
  readonly failures: number;
  /** Head and givers of the last attempt, which failed; the same is not tried before `until`. */
  readonly tried: string;
  readonly until: number;
}

/** Somebody who can give secrets. */
interface Giver {
  /** Of the peers' port. */
  readonly address: string;
  readonly session: PeerSession;
}

/** Doubles from one failure to the next; the jitter keeps coordinators apart that lost the same peer. */
function jittered(failures: number): number {
  const full = Math.min(PEER_RECOVERY_BACKOFF_MS * 2 ** failures, PEER_RECOVERY_BACKOFF_MAX_MS);
  return full * (0.5 + Math.random() / 2);
}
