/** What clients of registers saw, as operations with a beginning and an end. */

/** A register's value; 0 before the first write. */
export type Value = number;

/** One operation on one register, with what it returned. */
export type Action =
  | { readonly kind: "write"; readonly value: Value }
  | { readonly kind: "read"; readonly returned: Value }
  /** Compare and swap: `found` is the value before it, so it took effect exactly if that is `expected`. */
  | {
      readonly kind: "swap";
      readonly expected: Value;
      readonly value: Value;
      readonly found: Value;
    }
  /** A compare-and-swap without an answer. */
  | { readonly kind: "swap-unanswered"; readonly expected: Value; readonly value: Value };

/** An operation and when it happened; all times of a history are different. */
export interface Operation {
  readonly register: number;
  readonly action: Action;
  readonly calledAt: number;
  /** Infinity for an unknown outcome: it may take effect at any later time, or never. */
  readonly returnedAt: number;
}

/** One operation as a line. */
export function describeOperation({ action, calledAt, returnedAt }: Operation): string {
  const when = `${calledAt}–${returnedAt === Infinity ? "?" : returnedAt}`.padEnd(14);
  switch (action.kind) {
    case "write":
      return `${when} write ${action.value}`;
    case "read":
      return `${when} read → ${action.returned}`;
    case "swap":
      return `${when} swap ${action.expected} for ${action.value} → found ${action.found}`;
    case "swap-unanswered":
      return `${when} swap ${action.expected} for ${action.value}`;
  }
}
