/** A difference of two texts that a person can read: common lines, removed ones, added ones. */

/** Lines of `expected` that are missing as `-`, of `actual` that are new as `+`, the rest indented. */
export function lineDiff(expected: string, actual: string): string {
  const a = expected.split("\n");
  const b = actual.split("\n");
  // Longest common subsequence, from the end: outputs are short.
  const length = a.map(() => new Array<number>(b.length + 1).fill(0));
  length.push(new Array<number>(b.length + 1).fill(0));
  const at = (row: number, column: number): number => length[row]?.[column] ?? 0;
  for (let row = a.length - 1; row >= 0; row--) {
    for (let column = b.length - 1; column >= 0; column--) {
      const same = a[row] === b[column];
      const best = same
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
      length[row]![column] = best;
    }
  }
  const lines: string[] = [];
  let row = 0;
  let column = 0;
  while (row < a.length || column < b.length) {
    if (row < a.length && column < b.length && a[row] === b[column]) {
      lines.push(`  ${a[row++] ?? ""}`);
      column++;
    } else if (
      row < a.length &&
      (column === b.length || at(row + 1, column) >= at(row, column + 1))
    ) {
      lines.push(`- ${a[row++] ?? ""}`);
    } else {
      lines.push(`+ ${b[column++] ?? ""}`);
    }
  }
  return lines.join("\n");
}
