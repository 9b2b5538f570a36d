/** The authority's state in the metrics. */
import type { Authority } from "../authority/authority.ts";
import { assert } from "../core/assert.ts";
import type { InstanceId } from "../core/brand.ts";
import { parseCertificate } from "../crypto/x509-view.ts";
import type { VerifiedHistory } from "../history/verified-history.ts";
import type { Metrics, StoreCondition } from "../observability/metrics.ts";
import type { PeerLink } from "../recovery/peer-link.ts";
import { modeLabel } from "./mode.ts";

export interface StateMetricsPorts {
  readonly metrics: Metrics;
  /** This process's: what it made itself is no news. */
  readonly instance: InstanceId;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly now: () => number;
}

/** Shows one authority's state. */
export class StateMetrics {
  readonly #ports: StateMetricsPorts;
  #seen: string | undefined;
  #reassertions = 0;

  constructor(ports: StateMetricsPorts) {
    this.#ports = ports;
  }

  /** To be called whenever the state has changed. */
  show(authority: Authority): void {
    const { metrics } = this.#ports;
    const enforced = authority.state?.payload.history;
    metrics.setMode(modeLabel(authority));
    metrics.generation.set(enforced?.record.generation ?? 0);
    metrics.epoch.set(enforced?.record.epoch ?? 0);
    metrics.suspended.set(authority.suspended === undefined ? 0 : 1);
    metrics.setStoreCondition(conditionOf(authority));
    const reassertions = authority.reasserted?.count ?? 0;
    metrics.storeReassertions.inc(reassertions - this.#reassertions);
    this.#reassertions = reassertions;
    if (enforced !== undefined) this.#showExpiry(enforced);
    if (authority.history !== undefined) this.#showLag(authority.history);
  }

  /** To be called whenever a peer has come, gone, or changed. */
  showPeers(links: readonly Pick<PeerLink, "standing">[]): void {
    const standings = links.flatMap(({ standing }) => standing ?? []);
    this.#ports.metrics.setPeers({
      connected: standings.length,
      ready: standings.filter(({ mode }) => mode === "ready").length,
      unreachable: links.length - standings.length,
    });
  }

  #showExpiry(history: VerifiedHistory): void {
    const { rootCaCertificate, meshCaCertificate } = history.record;
    const { certificateExpiry } = this.#ports.metrics;
    const expiryOf = (hash: typeof rootCaCertificate): number => {
      const parsed = parseCertificate(history.documentOf(hash));
      assert(parsed.ok, "a record in force has certificates that were verified");
      return parsed.value.notAfter / 1000;
    };
    certificateExpiry.set({ certificate: "root-ca" }, expiryOf(rootCaCertificate));
    certificateExpiry.set({ certificate: "mesh-ca" }, expiryOf(meshCaCertificate));
  }

  /** Once for every head. One from before the start tells nothing of the store; clocks that differ give 0 at least. */
  #showLag({ recordHash, record }: VerifiedHistory): void {
    if (recordHash === this.#seen) return;
    this.#seen = recordHash;
    const { metrics, instance, startedAt, now } = this.#ports;
    const createdAt = Date.parse(record.createdAt);
    if (record.author.instance === instance || createdAt < startedAt) return;
    metrics.headLag.observe(Math.max(0, now() - createdAt) / 1000);
  }
}

/** What the store shows, in one word. */
function conditionOf({ problem, suspended }: Authority): StoreCondition {
  switch (problem?.code) {
    case undefined:
      return suspended === undefined ? "fine" : "unreachable";
    case "rollback":
      return "rollback";
    case "store-corrupt":
      return "corrupt";
    case "fork":
      return "fork";
    default:
      return "unverified";
  }
}
