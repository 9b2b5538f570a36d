/** Prometheus metrics. Every series exists from the start with value 0, so that a rate over it never misses the first event. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { FAILURE_MEANINGS } from "../attestation/failure.ts";
import { CallMetrics } from "./call-metrics.ts";

/** Values of the `mode` label of `quorate_mode`; exactly one of them is 1. */
export const MODES = [
  "uninitialized",
  "ready",
  "stale",
  "awaiting-recovery",
  "activating",
] as const;
export type ModeLabel = (typeof MODES)[number];

/** Values of the `condition` label of `quorate_store_condition`; exactly one of them is 1. */
const STORE_CONDITIONS = [
  "fine",
  "unreachable",
  "rollback",
  "corrupt",
  "fork",
  "unverified",
] as const;
export type StoreCondition = (typeof STORE_CONDITIONS)[number];

const STORE_OPERATIONS = ["read-head", "swap-head", "put-document", "get-document"] as const;
const STORE_OUTCOMES = ["ok", "conflict", "unknown", "error"] as const;

const CERTIFICATES = ["root-ca", "mesh-ca"] as const;

/** States of `quorate_peers`: a peer counts under each that fits. */
const PEER_STATES = ["connected", "ready", "unreachable"] as const;
/** Number of other coordinators in each state. */
export type PeerCounts = Readonly<Record<(typeof PEER_STATES)[number], number>>;

const RECOVERY_RESULTS = ["ok", "failed"] as const;
export type RecoveryResult = (typeof RECOVERY_RESULTS)[number];

/** From a watch that tells at once to a store that was away for minutes, in seconds. */
const HEAD_LAG_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300];
/** From two round trips in one room to an attempt that waits out its deadline, in seconds. */
const PEER_RECOVERY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The metrics of one coordinator. */
export class Metrics {
  readonly registry = new Registry();
  /** Calls on all ports. */
  readonly calls = new CallMetrics(this.registry);
  readonly #scrapeListeners = new Set<() => void>();

  readonly mode = this.#gauge(
    "quorate_mode",
    "1 for the mode that the coordinator is in, 0 for the others.",
    ["mode"],
  );
  readonly generation = this.#gauge(
    "quorate_generation",
    "Generation of the enforced manifest; 0 without one.",
  );
  readonly epoch = this.#gauge("quorate_epoch", "Epoch of the enforced record; 0 without one.");
  readonly suspended = this.#gauge(
    "quorate_issuing_suspended",
    "1 while nothing is issued because of what the store shows.",
  );
  readonly #storeCondition = this.#gauge(
    "quorate_store_condition",
    "1 for what the last read of the store's head showed, 0 for the rest.",
    ["condition"],
  );
  readonly storeReassertions = this.#counter(
    "quorate_store_reassertions_total",
    "Times that this coordinator put the newest record back into the store.",
  );
  readonly certificatesIssued = this.#counter(
    "quorate_certificates_issued_total",
    "Mesh certificates issued.",
  );
  readonly appraisals = this.#counter(
    "quorate_appraisals_total",
    "Evidence appraised; reason is the first failure.",
    ["result", "reason"],
  );
  readonly storeOperations = this.#counter(
    "quorate_store_operations_total",
    "Operations on the store.",
    ["operation", "outcome"],
  );
  readonly headLag = this.#histogram(
    "quorate_head_lag_seconds",
    "Time from when another coordinator made a record to when it was seen here, by the clocks of both.",
    HEAD_LAG_BUCKETS,
  );
  readonly certificateExpiry = this.#gauge(
    "quorate_certificate_expiry_timestamp_seconds",
    "When a CA certificate of the enforced record expires, in seconds since 1970; 0 without one.",
    ["certificate"],
  );
  readonly evidenceExpiry = new Gauge({
    name: "quorate_evidence_expiry_timestamp_seconds",
    help: "When the certificates and collateral behind this coordinator's own quote expire, in seconds since 1970; 0 until known.",
    registers: [this.registry],
    collect: () => {
      for (const listener of this.#scrapeListeners) listener();
    },
  });
  readonly #peers = this.#gauge(
    "quorate_peers",
    "Other coordinators; a ready one is connected too.",
    ["state"],
  );
  readonly #peerRecoveries = this.#counter(
    "quorate_peer_recoveries_total",
    "Attempts to get the secrets of the newest record from a peer.",
    ["result"],
  );
  readonly #peerRecoverySeconds = this.#histogram(
    "quorate_peer_recovery_seconds",
    "How long these attempts took.",
    PEER_RECOVERY_BUCKETS,
    ["result"],
  );
  readonly sessions = this.#gauge("quorate_attested_sessions", "Attested sessions that are open.");

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.setMode("uninitialized");
    this.setStoreCondition("fine");
    this.appraisals.inc({ result: "accepted", reason: "" }, 0);
    for (const reason of Object.keys(FAILURE_MEANINGS)) {
      this.appraisals.inc({ result: "refused", reason }, 0);
    }
    for (const certificate of CERTIFICATES) this.certificateExpiry.set({ certificate }, 0);
    this.setPeers({ connected: 0, ready: 0, unreachable: 0 });
    for (const result of RECOVERY_RESULTS) {
      this.#peerRecoveries.inc({ result }, 0);
      this.#peerRecoverySeconds.zero({ result });
    }
    for (const operation of STORE_OPERATIONS) {
      for (const outcome of STORE_OUTCOMES) this.storeOperations.inc({ operation, outcome }, 0);
    }
  }

  /** Marks `mode` as the one that the coordinator is in. */
  setMode(mode: ModeLabel): void {
    for (const each of MODES) this.mode.set({ mode: each }, each === mode ? 1 : 0);
  }

  /** Marks `condition` as what the store shows. */
  setStoreCondition(condition: StoreCondition): void {
    for (const each of STORE_CONDITIONS)
      this.#storeCondition.set({ condition: each }, each === condition ? 1 : 0);
  }

  /** The listener is called at every scrape, and must not throw. */
  onScrape(listener: () => void): void {
    this.#scrapeListeners.add(listener);
  }

  /** Shows how many of the other coordinators are connected, ready, and out of reach. */
  setPeers(counts: PeerCounts): void {
    for (const state of PEER_STATES) this.#peers.set({ state }, counts[state]);
  }

  /** Counts one attempt to recover from a peer. @param seconds how long it took */
  peerRecovery(result: RecoveryResult, seconds: number): void {
    this.#peerRecoveries.inc({ result });
    this.#peerRecoverySeconds.observe({ result }, seconds);
  }

  #counter<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly Label[] = [],
  ): Histogram<Label> {
    return new Histogram({ name, help, buckets, labelNames, registers: [this.registry] });
  }
}
