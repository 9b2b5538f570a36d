/** How fast the consensus core is by itself: no network, no simulator, messages handed over in memory. */
import { performance } from "node:perf_hooks";
import { Prng } from "../../src/core/prng.ts";
import { NO_DATA, plainConfiguration, RaftNode, type Message } from "../../src/core/raft/index.ts";
import type { BenchRow } from "./bench-row.ts";

/** Each figure is the best of this many rounds. */
const ROUNDS = 5;
const PROPOSALS = 20_000;
const PROPOSALS_AT_ONCE = 16;
const IDLE_TICKS = 20_000;
/** The product's election timeout is 300 ms; ten ticks of it. */
const ELECTION_TICKS = 10;
const TICK_SECONDS = 0.03;
const DATA = new Uint8Array(256);

/** What a run did, and how long it took. */
interface Run {
  readonly steps: number;
  readonly seconds: number;
}

/** Rows of the consensus core: steps under load, commits, and virtual time of an idle group. */
export function bench(): Promise<BenchRow[]> {
  const floor = best(() => handOver(1_000_000));
  const rows: BenchRow[] = [];
  for (const nodes of [3, 5]) {
    const loaded = best(() => commit(nodes));
    const note = `${nodes} nodes, ${PROPOSALS_AT_ONCE} proposals of ${DATA.length} bytes at once, one core`;
    rows.push(
      {
        name: `core steps under load, ${nodes} nodes`,
        value: loaded.steps / loaded.seconds,
        unit: "/s",
        floor: { name: "handing messages over", value: floor.steps / floor.seconds },
        note,
      },
      {
        name: `core commits, ${nodes} nodes`,
        value: PROPOSALS / loaded.seconds,
        unit: "/s",
        note,
      },
    );
  }
  const idle = best(() => beIdle(5));
  rows.push({
    name: "core, idle group of 5",
    value: (IDLE_TICKS * TICK_SECONDS) / idle.seconds,
    unit: "× real time",
    note: `a tick is ${TICK_SECONDS * 1_000} ms, heartbeats every third, one core`,
  });
  return Promise.resolve(rows);
}

/** A group in memory: every message arrives at once, in order. */
class Group {
  readonly nodes: readonly RaftNode[];
  readonly #byId: ReadonlyMap<string, RaftNode>;
  steps = 0;

  constructor(count: number) {
    const ids = Array.from({ length: count }, (_, at) => `node-${at}`);
    this.nodes = ids.map(
      (id, at) =>
        new RaftNode({
          id,
          groupId: "bench",
          prng: new Prng(at),
          initial: { index: 1, term: 1, configuration: plainConfiguration(ids), data: NO_DATA },
          electionTimeoutTicks: ELECTION_TICKS,
          heartbeatTicks: 3,
          snapshotData: () => NO_DATA,
        }),
    );
    this.#byId = new Map(this.nodes.map((node) => [node.id, node]));
  }

  /** Carries out everything there is to do. */
  settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const node of this.nodes) {
        if (!node.hasReady()) continue;
        busy = true;
        const ready = node.ready();
        node.advance(ready);
        for (const message of ready.messages) this.#deliver(message);
      }
    }
  }

  #deliver(message: Message): void {
    this.steps++;
    const stepped = this.#byId.get(message.to)?.step(message);
    if (stepped?.ok !== true) throw new Error("the core refused its own message");
  }
}

function commit(count: number): Run {
  const group = new Group(count);
  const leader = group.nodes[0]!;
  leader.campaign();
  group.settle();
  group.steps = 0;
  const start = performance.now();
  for (let id = 0; id < PROPOSALS;) {
    for (const end = id + PROPOSALS_AT_ONCE; id < end; id++) leader.propose(id, DATA);
    group.settle();
  }
  const seconds = (performance.now() - start) / 1_000;
  if (leader.commit < PROPOSALS) throw new Error("not everything was committed");
  return { steps: group.steps, seconds };
}

function beIdle(count: number): Run {
  const group = new Group(count);
  group.nodes[0]!.campaign();
  group.settle();
  group.steps = 0;
  const start = performance.now();
  for (let tick = 0; tick < IDLE_TICKS; tick++) {
    for (const node of group.nodes) node.tick();
    group.settle();
  }
  const seconds = (performance.now() - start) / 1_000;
  if (group.nodes[0]!.term !== 1) throw new Error("an idle group keeps its leader");
  return { steps: group.steps, seconds };
}

/** The floor: a message made, put into a map's queue, and taken out again. */
function handOver(count: number): Run {
  const queues = new Map<string, Message[]>([["node-1", []]]);
  let seen = 0;
  const start = performance.now();
  for (let at = 0; at < count; at++) {
    const message: Message = {
      type: "append-accepted",
      groupId: "bench",
      from: "node-0",
      to: "node-1",
      term: 1,
      index: at,
    };
    queues.get(message.to)?.push(message);
    seen += queues.get(message.to)?.pop() === message ? 1 : 0;
  }
  const seconds = (performance.now() - start) / 1_000;
  return { steps: seen, seconds };
}

function best(run: () => Run): Run {
  const runs = Array.from({ length: ROUNDS }, run);
  return runs.reduce((a, b) => (b.steps / b.seconds > a.steps / a.seconds ? b : a));
}
