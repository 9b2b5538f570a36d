/** What a run is made of: everything is drawn from its seed, and can be printed. */
import { Prng } from "../../src/core/prng.ts";
import type { RaftLimits } from "../../src/core/raft/index.ts";
import type { LinkQuality } from "./virtual/network.ts";

/** The faults and disturbances that a run draws from, in the order of the report. */
export const FAULT_KINDS = [
  "partition",
  "lost leader",
  "flap",
  "clog",
  "loss burst",
  "delay burst",
  "kill",
  "shutdown",
  "halt",
  "twin",
  "pause",
  "slow node",
  "slow journal",
  "tick drift",
  "transfer",
  "compaction",
  "transport report",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** One run, completely determined. */
export interface SimulationOptions {
  readonly seed: number;
  /** Machines; a machine runs one process at a time, or two instances of a name while one replaces the other. */
  readonly places: number;
  /** The founding voters, at the first places; the other places join by membership changes. */
  readonly founders: number;
  readonly electionTimeoutTicks: number;
  readonly heartbeatTicks: number;
  readonly tickMicros: number;
  /** Each node's tick is longer or shorter by up to this fraction. */
  readonly tickSkew: number;
  readonly link: LinkQuality;
  readonly limits: Partial<RaftLimits>;
  readonly clients: number;
  readonly registers: number;
  /** Mean pause of a client between two operations. */
  readonly thinkMicros: number;
  /** Payloads are filled up to this size. */
  readonly payloadBytesMax: number;
  /** Length of the phase with faults. */
  readonly safetyMicros: number;
  /** Mean time between two faults. */
  readonly faultEveryMicros: number;
  /** How often each fault is drawn, relative to the others; 0 for never. */
  readonly faultWeights: Readonly<Record<FaultKind, number>>;
  /** Mean time between membership changes that nothing forces; Infinity for none. */
  readonly churnEveryMicros: number;
  /** Whether a process of an older group still sends its messages to the members. */
  readonly hasStranger: boolean;
}

const SECOND = 1_000_000;
const TICK_MICROS = 30_000;

/** The options that `seed` stands for. `only` leaves no other fault than those. */
export function drawOptions(seed: number, only?: readonly FaultKind[]): SimulationOptions {
  const prng = new Prng(seed);
  const founders = prng.pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 5]);
  const electionTimeoutTicks = prng.pick([5, 10, 10, 10, 20]);
  return {
    seed,
    places: founders + prng.int(0, 2),
    founders,
    electionTimeoutTicks,
    heartbeatTicks: prng.pick([1, 2, 3]),
    tickMicros: TICK_MICROS,
    tickSkew: prng.pick([0, 0.01, 0.05, 0.2]),
    link: drawLink(prng),
    limits: drawLimits(prng),
    clients: prng.int(2, 5),
    registers: prng.int(1, 4),
    thinkMicros: prng.pick([0.1, 0.4, 0.4, 1, 2]) * SECOND,
    payloadBytesMax: prng.pick([24, 24, 200, 4_000]),
    safetyMicros: prng.int(40, 160) * SECOND,
    faultEveryMicros: prng.pick([0.3, 1, 2, 4]) * SECOND,
    faultWeights: drawWeights(prng, only),
    churnEveryMicros: prng.pick([1, 4, 10, Infinity]) * SECOND,
    hasStranger: prng.chance(0.3),
  };
}

/** Swarm testing (Groce et al. 2012): each run leaves out some faults, so that others are not hidden by them. */
function drawWeights(
  prng: Prng,
  only: readonly FaultKind[] | undefined,
): Record<FaultKind, number> {
  const weights = FAULT_KINDS.map((kind): [FaultKind, number] => {
    const weight = prng.pick([0, 0, 1, 1, 2, 4]);
    if (only === undefined) return [kind, weight];
    return [kind, only.includes(kind) ? Math.max(weight, 1) : 0];
  });
  return Object.fromEntries(weights) as Record<FaultKind, number>;
}

function drawLink(prng: Prng): LinkQuality {
  const delayMicros = prng.pick([200, 1_000, 5_000, 20_000]);
  return {
    delayMicros,
    jitterMicros: delayMicros * prng.pick([0, 1, 3]),
    lossRate: prng.pick([0, 0.001, 0.02, 0.1]),
    duplicateRate: prng.pick([0, 0.02, 0.2]),
    detourRate: prng.pick([0, 0.01, 0.1]),
    detourMicros: prng.pick([10, 100, 1_000]) * 1_000,
  };
}

/** Tight bounds make the rare paths common: one entry an append, a window of one, a log of a few entries. */
function drawLimits(prng: Prng): Partial<RaftLimits> {
  return {
    appendBytesMax: prng.pick([1, 100, 1_000, 1_000_000]),
    inflightMessagesMax: prng.pick([1, 2, 8, 64]),
    inflightBytesMax: prng.pick([100, 10_000, 4_000_000]),
    uncommittedBytesMax: prng.pick([100, 8_000_000]),
    applyBytesMax: prng.pick([1, 4_000_000]),
    applyEntriesMax: prng.pick([1, 4, 1_024]),
    logEntriesMax: prng.pick([8, 64, 8_192]),
    waitingMax: prng.pick([4, 4_096]),
    answersKeptMax: prng.pick([1, 4, 1_024]),
  };
}

/** The options as text, one line an option. */
export function describeOptions(options: SimulationOptions): string {
  return Object.entries(options)
    .map(
      ([name, value]) =>
        `  ${name}: ${typeof value === "object" ? flat(value as object) : String(value)}`,
    )
    .join("\n");
}

function flat(value: object): string {
  return Object.entries(value)
    .map(([name, one]) => `${name}=${String(one)}`)
    .join(" ");
}
