/**
 * Renewals on live sessions, by what they cost the server: a coordinator process of its own, several client processes,
 * and CPU time, because a machine that does other things too has no meaningful seconds. One CPU second is "a core".
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Workbench } from "../../src/cli/demo/workbench.ts";
import type { BenchRow } from "./bench-row.ts";

const CLIENTS = 3;
/** Calls in flight in each client. */
const WAITING = 16;
/** Of each client: the compiler is done by then. */
const WARM_UP = 2_500;
/** Renewals of each client in a round. */
const RENEWALS = 1_000;
const FLOOR_CALLS = 3_000;
const ROUNDS = 5;

/** Rows: a new key with every renewal, as `quorate sidecar` does, and the same key again. */
export async function bench(): Promise<BenchRow[]> {
  const folder = await mkdtemp(path.join(tmpdir(), "quorate-bench-"));
  const workbench = new Workbench(folder, new AbortController().signal, () => undefined);
  try {
    await workbench.prepare(["web"], []);
    const { process, addresses } = await workbench.startCoordinator({
      user: "127.0.0.1:0",
      mesh: "127.0.0.1:0",
    });
    try {
      await workbench.approveAndSet("manifest.json", addresses, undefined);
      const { admin } = await process.logged("listening", 1_000);
      const server = { folder, mesh: addresses.mesh, admin: String(admin) };
      return [
        ...(await measure(server, "new", "a new key each time")),
        ...(await measure(server, "same", "the same key")),
      ];
    } finally {
      await process.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface ServerUnderTest {
  readonly folder: string;
  readonly mesh: string;
  readonly admin: string;
}

async function measure(
  { folder, mesh, admin }: ServerUnderTest,
  kind: "new" | "same",
  name: string,
): Promise<BenchRow[]> {
  const clients = Array.from({ length: CLIENTS }, () =>
    start("renewal-client.js", [folder, mesh, kind, String(WAITING)]),
  );
  const floor = start("renewal-floor.js", [kind]);
  try {
    await Promise.all([...clients, floor].map((child) => once(child, "message")));
    await Promise.all(clients.map((client) => answer(client, WARM_UP)));
    await answer(floor, WARM_UP);
    const rounds: { cpu: number; floor: number; perSecond: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [cpuBefore, startedAt] = [await cpuMicros(admin), performance.now()];
      const counts = await Promise.all(clients.map((client) => answer(client, RENEWALS)));
      const total = counts.reduce((sum, count) => sum + count, 0);
      const seconds = (performance.now() - startedAt) / 1000;
      const cpu = ((await cpuMicros(admin)) - cpuBefore) / total;
      rounds.push({ cpu, floor: await answer(floor, FLOOR_CALLS), perSecond: total / seconds });
    }
    const cpu = median(rounds.map((round) => round.cpu));
    const floorCpu = median(rounds.map((round) => round.floor));
    const perSecond = Math.round(median(rounds.map((round) => round.perSecond)));
    const floorName = kind === "new" ? "key import, verify and sign" : "verify and sign";
    return [
      {
        name: `renewals per CPU second of the server, ${name}`,
        value: 1e6 / cpu,
        unit: "/s",
        floor: { name: floorName, value: 1e6 / floorCpu },
        note: `${perSecond} a second by the clock, with ${CLIENTS} clients on the same machine`,
      },
      {
        name: `server's CPU time for a renewal, ${name}`,
        value: cpu,
        unit: "µs",
        floor: { name: floorName, value: floorCpu },
      },
    ];
  } finally {
    for (const child of [...clients, floor]) child.disconnect();
  }
}

function start(file: string, args: readonly string[]): ChildProcess {
  return fork(path.join(import.meta.dirname, file), args);
}

async function answer(child: ChildProcess, count: number): Promise<number> {
  const answered = once(child, "message");
  child.send(count);
  return Number((await answered)[0]);
}

/** CPU time of all threads of the coordinator's process, by its own metrics. */
async function cpuMicros(admin: string): Promise<number> {
  const text = await (await fetch(`http://${admin}/metrics`)).text();
  const seconds = /^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1];
  if (seconds === undefined) throw new Error("the coordinator shows its CPU time");
  return Number(seconds) * 1e6;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
