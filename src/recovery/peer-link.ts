/** One address of a peer: keeps an attested session with whoever is there, and knows what it says of itself. */
import { Backoff } from "../core/backoff.ts";
import { QuorateError } from "../core/errors.ts";
import { isOwnKey } from "../transport/tls-profile.ts";
import {
  followPeer,
  PEER_LINK_TIMES,
  type PeerLinkPorts,
  type PeerSession,
} from "./peer-session.ts";
import { type PeerStanding, sameStanding } from "./peer-standing.ts";

export type { PeerLinkPorts, PeerSession } from "./peer-session.ts";

type State =
  /** Trying; `problem` is why the last attempt failed or the last session ended. */
  | { readonly kind: "apart"; readonly problem: QuorateError | undefined }
  | { readonly kind: "connected"; readonly session: PeerSession; readonly standing: PeerStanding }
  /** The address leads to this very process. */
  | { readonly kind: "self" };

/** Runs from its making until {@link close}. */
export class PeerLink {
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string;
  readonly #ports: PeerLinkPorts;
  readonly #times: typeof PEER_LINK_TIMES;
  readonly #changed: () => void;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #state: State = { kind: "apart", problem: undefined };
  #retryNow: (() => void) | undefined;
  #isNudged = false;

  /** @param changed is called after every change of what the link shows; must not throw. */
  constructor(address: string, ports: PeerLinkPorts, changed: () => void) {
    this.address = address;
    this.#ports = ports;
    this.#times = { ...PEER_LINK_TIMES, ...ports.times };
    this.#changed = changed;
    this.#running = this.#run();
  }

  /** The open session; `undefined` while there is none. */
  peer(): PeerSession | undefined {
    return this.#state.kind === "connected" ? this.#state.session : undefined;
  }

  /** What the peer said last in the open session; `undefined` as soon as that is lost. */
  get standing(): PeerStanding | undefined {
    return this.#state.kind === "connected" ? this.#state.standing : undefined;
  }

  /** Why there is no session; `undefined` while there is one, before the first attempt has ended, and for oneself. */
  get problem(): QuorateError | undefined {
    return this.#state.kind === "apart" ? this.#state.problem : undefined;
  }

  /** True if the address leads to this very process: its server showed our own key. */
  get isSelf(): boolean {
    return this.#state.kind === "self";
  }

  /**
   * Tries again at once if the link is waiting before its next attempt, or when the one that runs has failed; after an
   * attempt that a nudge brought about, only after `retryMs`. An address of one's own is left alone.
   */
  nudge(): void {
    this.#isNudged = true;
    this.#retryNow?.();
  }

  /** Ends session and attempts. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(new QuorateError("cancelled", "the link was closed"));
    await this.#running;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { retryMs, retryMaxMs, selfRetryMs } = this.#times;
    const backoff = new Backoff(retryMs, retryMaxMs, Math.random);
    let wasNudged = false;
    while (!signal.aborted) {
      const connectedAt = await this.#follow(signal);
      if (signal.aborted) break;
      if (this.isSelf) {
        await this.#pause(selfRetryMs, { nudgeable: false });
      } else if (connectedAt !== undefined && performance.now() - connectedAt >= retryMaxMs) {
        // It went well for a while; servers also end sessions because of their age.
        backoff.reset();
      } else {
        // Two that can't agree would otherwise nudge each other without end.
        if (wasNudged) await this.#pause(retryMs, { nudgeable: false });
        if (!this.#isNudged) await this.#pause(backoff.next(), { nudgeable: true });
        wasNudged = this.#isNudged;
        this.#isNudged = false;
      }
    }
    this.#become({ kind: "apart", problem: undefined });
  }

  /** One session from dialing to its end. @returns when it came about, by `performance.now()` */
  async #follow(signal: AbortSignal): Promise<number | undefined> {
    let connectedAt: number | undefined;
    try {
      await followPeer(
        this.address,
        { ...this.#ports, ...this.#times },
        signal,
        (session, standing) => {
          connectedAt ??= performance.now();
          this.#become({ kind: "connected", session, standing });
        },
      );
    } catch (cause) {
      if (signal.aborted) return connectedAt;
      const problem = asError(cause);
      this.#become(isOwnKey(problem) ? { kind: "self" } : { kind: "apart", problem });
    }
    return connectedAt;
  }

  #become(next: State): void {
    const before = this.#state;
    this.#state = next;
    if (isSame(before, next)) return;
    this.#report(before, next);
    this.#changed();
  }

  #report(before: State, next: State): void {
    const { log } = this.#ports;
    const { address } = this;
    if (next.kind === "connected" && before.kind !== "connected") {
      const { id, name } = next.session.instance;
      log.info({ address, peer: name, instance: id }, "peer connected");
    } else if (next.kind === "self") {
      log.debug({ address }, "this address of a peer is our own");
    } else if (next.kind === "apart" && next.problem !== undefined) {
      const message = before.kind === "connected" ? "peer lost" : "peer not connected";
      log.info({ address, error: next.problem }, message);
    }
  }

  #pause(millis: number, { nudgeable }: { readonly nudgeable: boolean }): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.#retryNow = undefined;
        resolve();
      };
      const timer = setTimeout(end, millis);
      signal.addEventListener("abort", end, { once: true });
      if (nudgeable) this.#retryNow = end;
    });
  }
}

/** Attempts that fail again for the same reason are no news. */
function isSame(one: State, other: State): boolean {
  if (one.kind === "connected" && other.kind === "connected")
    return one.session === other.session && sameStanding(one.standing, other.standing);
  if (one.kind === "apart" && other.kind === "apart")
    return (
      one.problem?.code === other.problem?.code && one.problem?.message === other.problem?.message
    );
  return one.kind === other.kind;
}

function asError(cause: unknown): QuorateError {
  if (cause instanceof QuorateError) return cause;
  return new QuorateError("internal", "the peer's session failed", { cause });
}
