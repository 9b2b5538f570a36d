/**
 * Progress: from every state that a search has reached, and for every set of processes that still go on and hold a
 * majority of the names, a fair run ends with everybody in a living group, or with the wait declared where nothing
 * else is possible.
 */
import type { Local } from "./local.ts";
import type { Search } from "./search.ts";
import { StateTable } from "./state-table.ts";
import type { System, Vector } from "./system.ts";

/** What the fair runs came to. */
export interface Progress {
  /** Pairs of a state and a set of processes. */
  readonly checked: number;
  /** Steps that were worked out; runs that meet share the rest. */
  readonly steps: number;
  readonly stuck: Stuck | undefined;
}

interface Stuck {
  readonly alive: readonly string[];
  /** Number of the state from which nothing led on. */
  readonly state: number;
  readonly reason: string;
}

/** A fair run that needs more steps than this goes round in circles. */
const STEPS_MAX = 2_000;

/** Checks every state of a search. */
export function checkProgress({ system, table, states }: Search): Progress {
  let checked = 0;
  let steps = 0;
  for (const alive of majorities(system)) {
    const runs = new StateTable(system.width);
    const isGood: boolean[] = [];
    for (let state = 0; state < states; state++) {
      checked++;
      const path: number[] = [];
      let vector = table.vector(state);
      for (;;) {
        const at = runs.add(vector, -1);
        if (isGood[at] === true) break;
        path.push(at);
        if (isSettled(system, vector, alive)) break;
        const next = system.fairMove(vector, alive);
        steps++;
        if (next === undefined || path.length > STEPS_MAX) {
          const reason = next === undefined ? "nothing can happen" : "it goes on for ever";
          const names = alive.map((process) => system.local(vector, process).state.local.instance);
          return { checked, steps, stuck: { alive: names, state, reason } };
        }
        vector = next;
      }
      for (const at of path) isGood[at] = true;
    }
  }
  return { checked, steps, stuck: undefined };
}

/** Sets of processes with a majority of the manifest's names. */
function majorities(system: System): readonly (readonly number[])[] {
  const { names } = system.assignment;
  const sets: number[][] = [];
  for (let mask = 1; mask < 2 ** system.processes.length; mask++) {
    const alive = system.processes.flatMap((_, process) =>
      (mask & (2 ** process)) === 0 ? [] : [process],
    );
    const present = new Set(alive.map((process) => system.processes[process]?.name ?? ""));
    if (names.filter((name) => present.has(name)).length * 2 > names.length) sets.push(alive);
  }
  return sets;
}

function isSettled(system: System, vector: Vector, alive: readonly number[]): boolean {
  const locals = alive.map((process) => system.local(vector, process));
  const mayWait = !canOpen(system, vector, alive);
  return locals.every(({ state: { phase, local, waiting } }) => {
    const isCurrent = local.held?.hash === system.head(vector);
    const isMember = phase.kind === "watching" && local.group?.live === true && isCurrent;
    if (isMember || phase.kind === "ended" || waiting === "fork") return true;
    return mayWait && waiting !== undefined;
  });
}

/** Whether those that go on can do it alone: enough names that heal, and one that may open. */
function canOpen(system: System, vector: Vector, alive: readonly number[]): boolean {
  const { assignment, ledger } = system;
  const head = ledger.get(system.head(vector));
  if (assignment.policy === "off") return false;
  const healing = alive.filter((process) => heals(system.local(vector, process)));
  const names = new Set(healing.map((process) => system.processes[process]?.name ?? ""));
  const named = head.names.filter((name) => names.has(name));
  const needed = assignment.failover ? head.names.length / 2 : head.names.length - 1;
  if (named.length <= needed) return false;
  return healing.some((process) => {
    const member = assignment.members[process];
    const { secrets } = system.local(vector, process).state.local;
    if (member === undefined || head.generation >= member.ineligibleFrom) return false;
    if (!head.names.includes(system.processes[process]?.name ?? "")) return false;
    return secrets === "memory" || (secrets === "sealed" && assignment.policy === "sealed");
  });
}

/** Neither ended nor stopped by a fork (which only a store that was rolled back can show). */
function heals({ state: { phase, waiting } }: Local): boolean {
  return phase.kind !== "ended" && waiting !== "fork";
}
