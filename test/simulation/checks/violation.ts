/** A run that went wrong: a broken property, or a node that said or did what no correct one would. */
export class Violation extends Error {
  override readonly name = "Violation";
  /** The broken property, in a few words. */
  readonly property: string;

  constructor(property: string, detail: string) {
    super(`${property}: ${detail}`);
    this.property = property;
  }
}

/** Throws a {@link Violation} unless `holds`; `detail` is evaluated only then. */
export function demand(holds: boolean, property: string, detail: () => string): asserts holds {
  if (!holds) throw new Violation(property, detail());
}
