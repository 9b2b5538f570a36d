/**
 * Is a history linearizable (Herlihy and Wing 1990)? The search of Wing and Gong (1993) with the memory of visited
 * states that Lowe (2017) added, register by register, which is sound because linearizability composes.
 */
import type { Action, Operation, Value } from "./history.ts";

/** A register whose operations fit no order, and the operations. */
export interface Anomaly {
  readonly register: number;
  readonly operations: readonly Operation[];
}

/** The first register whose history is not linearizable; undefined if all are. */
export function findAnomaly(history: readonly Operation[]): Anomaly | undefined {
  const registers = new Map<number, Operation[]>();
  for (const operation of history) {
    const operations = registers.get(operation.register);
    if (operations === undefined) registers.set(operation.register, [operation]);
    else operations.push(operation);
  }
  for (const [register, all] of registers) {
    const operations = withoutUnobserved(all).sort((a, b) => a.calledAt - b.calledAt);
    if (!isLinearizable(operations)) return { register, operations };
  }
  return undefined;
}

/**
 * Drops unknown operations that nobody saw the effect of: if an order with such a one exists, so does the order without
 * it. Without this, every unknown outcome would double the search. Values that are written twice are kept.
 */
function withoutUnobserved(operations: readonly Operation[]): Operation[] {
  const observed = new Set<Value>();
  for (const { action } of operations) {
    if (action.kind === "read") observed.add(action.returned);
    else if (action.kind === "swap") observed.add(action.found);
    // It may have been what the swap found, and the swap may be observed.
    else if (action.kind === "swap-unanswered") observed.add(action.expected);
  }
  return operations.filter(
    ({ action, returnedAt }) =>
      returnedAt !== Infinity || action.kind === "read" || observed.has(action.value),
  );
}

/** A point of the search: the register's value, everything before `first` done, and `done` of the later ones. */
interface Point {
  readonly value: Value;
  readonly first: number;
  readonly done: readonly number[];
}

/** `operations` in the order of their calls, on one register. */
function isLinearizable(operations: readonly Operation[]): boolean {
  const visited = new Set<string>();
  const stack: Point[] = [{ value: 0, first: 0, done: [] }];
  for (let point = stack.pop(); point !== undefined; point = stack.pop()) {
    const key = `${point.first} ${point.value} ${point.done.join()}`;
    if (visited.has(key)) continue;
    visited.add(key);
    if (isComplete(operations, point)) return true;
    stack.push(...successors(operations, point));
  }
  return false;
}

/** Everything that returned has its place; unknown ones need none. */
function isComplete(operations: readonly Operation[], { first, done }: Point): boolean {
  for (let at = first; at < operations.length; at++) {
    if (operations[at]!.returnedAt !== Infinity && !done.includes(at)) return false;
  }
  return true;
}

/** The points one operation further: any that was called before the first return of those not done. */
function successors(operations: readonly Operation[], point: Point): Point[] {
  const { first, done, value } = point;
  const candidates: number[] = [];
  let earliestReturn = Infinity;
  for (let at = first; at < operations.length; at++) {
    const { calledAt, returnedAt } = operations[at]!;
    if (calledAt > earliestReturn) break;
    if (done.includes(at)) continue;
    candidates.push(at);
    earliestReturn = Math.min(earliestReturn, returnedAt);
  }
  const points: Point[] = [];
  for (const at of candidates.reverse()) {
    const operation = operations[at]!;
    if (operation.calledAt > earliestReturn) continue;
    const next = after(operation.action, value);
    if (next !== undefined) points.push(advanced(first, [...done, at], next));
  }
  return points;
}

/** The same point in its one form: `first` as far as possible, the rest sorted. */
function advanced(from: number, done: readonly number[], value: Value): Point {
  let first = from;
  while (done.includes(first)) first++;
  return { value, first, done: done.filter((at) => at > first).sort((a, b) => a - b) };
}

/** The register's value after an action; undefined if what it returned can't have been. */
function after(action: Action, value: Value): Value | undefined {
  switch (action.kind) {
    case "write":
      return action.value;
    case "read":
      return action.returned === value ? value : undefined;
    case "swap":
      if (action.found !== value) return undefined;
      return action.found === action.expected ? action.value : value;
    case "swap-unanswered":
      return value === action.expected ? action.value : value;
  }
}
