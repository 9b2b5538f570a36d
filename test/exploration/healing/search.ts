/** Breadth-first search over every state of a system, with the shortest way to what breaks a property. */
import type { Assignment } from "./assignment.ts";
import { StateTable } from "./state-table.ts";
import { System } from "./system.ts";

/** What a search found. */
export interface Search {
  readonly system: System;
  readonly table: StateTable;
  readonly states: number;
  readonly edges: number;
  readonly depth: number;
  /** True if every reachable state was seen. */
  readonly isComplete: boolean;
  readonly violation: Violation | undefined;
}

interface Violation {
  readonly properties: readonly string[];
  /** States seen until it was found. */
  readonly states: number;
  /** What happened, from the beginning. */
  readonly trace: readonly string[];
}

/** Visits all states of an assignment, or `statesMax` of them. */
export function search(assignment: Assignment, statesMax = Infinity): Search {
  const system = new System(assignment);
  const table = new StateTable(system.width);
  table.add(system.initial(), -1);
  let edges = 0;
  let depth = 0;
  let levelEnd = table.size;
  let violation: Violation | undefined;
  let at = 0;
  for (; at < table.size && table.size < statesMax; at++) {
    if (at === levelEnd) {
      depth++;
      levelEnd = table.size;
    }
    system.forEachMove(table.vector(at), (next, text) => {
      edges++;
      if (violation === undefined && system.judge.broken.length > 0) {
        const trace = [...traceTo(system, table, at), text()];
        violation = { properties: [...new Set(system.judge.broken)], states: table.size, trace };
      }
      table.add(next, at);
    });
    if (violation !== undefined) break;
  }
  const isComplete = at === table.size;
  return { system, table, states: table.size, edges, depth, isComplete, violation };
}

/** What led to a state, by the shortest way. */
export function traceTo(system: System, table: StateTable, index: number): string[] {
  const texts: string[] = [];
  for (let at = index; table.parent(at) >= 0; at = table.parent(at)) {
    const vector = table.vector(at);
    let found: string | undefined;
    system.forEachMove(table.vector(table.parent(at)), (next, text) => {
      if (found === undefined && next.every((word, i) => word === vector[i])) found = text();
    });
    texts.push(found ?? "?");
  }
  return texts.reverse();
}
