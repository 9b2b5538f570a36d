/** Assertions for programmer errors. They stay on in production: a broken invariant must stop the process. */

/** A broken invariant: a fault of the program, never of its input. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws {@link AssertionError} unless `condition` holds. `statement` says positively what must be true. */
export function assert(condition: boolean, statement: string): asserts condition {
  if (!condition) throw new AssertionError(`invariant does not hold: ${statement}`);
}

/** Marks a branch that exhaustive matching leaves impossible; a missing case does not compile. */
export function assertNever(value: never): never {
  throw new AssertionError(
    `invariant does not hold: this case is impossible: ${JSON.stringify(value)}`,
  );
}
