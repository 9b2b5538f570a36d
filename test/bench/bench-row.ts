/** One measured figure. */
export interface BenchRow {
  /** What was measured. */
  readonly name: string;
  readonly value: number;
  /** Unit of {@link value} and of the floor, e.g. `µs`, `/s`. */
  readonly unit: string;
  /** What the machine can do at best, measured in the same run, in the same unit. */
  readonly floor?: { readonly name: string; readonly value: number };
  /** How to read the figure, in a few words. */
  readonly note?: string;
}
