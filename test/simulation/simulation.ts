/** One run: a phase with faults, in which nothing wrong may happen, then one without, in which everything owed must. */
import { AssertionError } from "../../src/core/assert.ts";
import { Violation } from "./checks/violation.ts";
import { Clients } from "./clients.ts";
import type { Host } from "./host.ts";
import { Faults } from "./faults.ts";
import { findAnomaly } from "./linearizability/check.ts";
import { describeOperation } from "./linearizability/history.ts";
import { Liveness } from "./liveness.ts";
import { Operator } from "./operator.ts";
import type { SimulationOptions } from "./options.ts";
import type { Tally } from "./tally.ts";
import { World } from "./world.ts";

/** How a run ended. */
export interface SimulationResult {
  readonly seed: number;
  readonly virtualMicros: number;
  readonly events: number;
  readonly tally: Tally;
  /** The same for the same seed, on every machine. */
  readonly traceHash: string;
  readonly failure: Failure | undefined;
}

/** What went wrong, and what happened just before. */
export interface Failure {
  readonly property: string;
  readonly message: string;
  readonly trace: readonly string[];
  /** The processes that are left. */
  readonly nodes: readonly string[];
}

/** Runs one simulation; a failure is part of the result. */
export function simulate(options: SimulationOptions, traceLines = 60): SimulationResult {
  const world = new World(options, traceLines);
  let failure: Failure | undefined;
  try {
    runPhases(world);
  } catch (error) {
    failure = failureOf(error, world);
  }
  finishTally(world);
  return {
    seed: options.seed,
    virtualMicros: world.now,
    events: world.events,
    tally: world.tally,
    traceHash: world.trace.hash,
    failure,
  };
}

function runPhases(world: World): void {
  const clients = new Clients(world);
  const operator = new Operator(world);
  const faults = new Faults(world, clients);
  world.listener = {
    onProposal: (host, result) => clients.onProposal(host, result),
    onRead: (host, context, index) => clients.onRead(host, context, index),
    onApplied: (host) => clients.onApplied(host),
    onStopped: (host) => faults.onStopped(host),
    onLeader: (host) => faults.onLeader(host),
  };
  world.runFor(world.options.safetyMicros);
  clients.stop();
  operator.calm();
  faults.calm();
  world.note("calm");
  new Liveness(world, clients).demand();
  const anomaly = findAnomaly(clients.history);
  if (anomaly !== undefined) {
    const lines = [`register ${anomaly.register}`, ...anomaly.operations.map(describeOperation)];
    throw new Violation("histories are linearizable", lines.join("\n  "));
  }
  world.tally.count("histories checked");
}

/** Whatever is thrown is a failure of this run: an error that nobody foresaw too. */
function failureOf(error: unknown, world: World): Failure {
  const trace = world.trace.lines();
  const nodes = world.running().map(describeHost);
  if (error instanceof Violation) {
    return { property: error.property, message: error.message, trace, nodes };
  }
  if (error instanceof AssertionError) {
    return { property: "assertions of the core", message: error.message, trace, nodes };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { property: "nothing else is thrown", message, trace, nodes };
}

function describeHost({ id, state, raft }: Host): string {
  const { role, term, vote, leader, commit, applied, last, configuration, configurationIndex } =
    raft.status();
  const { voters, votersOutgoing, learners } = configuration;
  const halves = [voters, votersOutgoing].filter((half) => half.length > 0);
  return (
    `${id}: ${state}, ${role} t${term} vote ${vote ?? "-"} leader ${leader ?? "-"}, ` +
    `applied ${applied} commit ${commit} last ${last.index}@t${last.term}, since ${configurationIndex} ` +
    `(${halves.map((half) => half.join(" ")).join(" && ")}) learners ${learners.join(" ")}`
  );
}

function finishTally(world: World): void {
  const { tally, checks } = world;
  for (const host of world.running()) tally.addNode(host.raft.status().counters);
  tally.addMessages(world.network.counts);
  tally.count("elections", checks.elections.elections);
  tally.count("split votes", checks.elections.splitVotes);
  tally.count("joint changes", checks.membership.jointChanges);
  tally.count("reads confirmed", checks.reads.confirmed);
}
