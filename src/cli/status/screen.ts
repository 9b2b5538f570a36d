/** Shows a text again and again: on a terminal each time in the place of the one before, elsewhere below it. */
import type { Writable } from "node:stream";

export class Screen {
  readonly #out: Writable;
  #shown = "";

  constructor(out: Writable) {
    this.#out = out;
  }

  show(text: string): void {
    const columns = terminalColumns(this.#out);
    if (columns !== undefined && this.#shown !== "") {
      const rows = this.#shown.split("\n").map((line) => rowsOf(line, columns));
      const up = rows.reduce((sum, each) => sum + each, 0);
      this.#out.write(`\x1b[${up}A\r\x1b[J`);
    }
    this.#shown = text;
    this.#out.write(`${text}\n`);
  }
}

/** `undefined` if it is no terminal. */
function terminalColumns(out: Writable): number | undefined {
  if (!("isTTY" in out) || out.isTTY !== true) return undefined;
  return "columns" in out && typeof out.columns === "number" && out.columns > 0 ? out.columns : 80;
}

/** How many rows of the terminal a line takes. */
function rowsOf(line: string, columns: number): number {
  return Math.max(1, Math.ceil(line.length / columns));
}
