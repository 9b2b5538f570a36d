/** Prometheus metrics. Every series exists from the start with value 0, so that a rate over it never misses the first event. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";

/** Values of the `mode` label of `quorate_mode`; exactly one of them is 1. */
export const MODES = [
  "uninitialized",
  "ready",
  "stale",
  "awaiting-recovery",
  "activating",
] as const;
export type ModeLabel = (typeof MODES)[number];

const STORE_OPERATIONS = ["read-head", "swap-head", "put-document", "get-document"] as const;
const STORE_OUTCOMES = ["ok", "conflict", "unknown", "error"] as const;

/** The metrics of one coordinator. */
export class Metrics {
  readonly registry = new Registry();

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
  readonly sessions = this.#gauge("quorate_attested_sessions", "Attested sessions that are open.");

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.setMode("uninitialized");
    this.appraisals.inc({ result: "accepted", reason: "" }, 0);
    this.appraisals.inc({ result: "refused", reason: "" }, 0);
    for (const operation of STORE_OPERATIONS) {
      for (const outcome of STORE_OUTCOMES) this.storeOperations.inc({ operation, outcome }, 0);
    }
  }

  /** Marks `mode` as the one that the coordinator is in. */
  setMode(mode: ModeLabel): void {
    for (const each of MODES) this.mode.set({ mode: each }, each === mode ? 1 : 0);
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
}
