/** A case's output: lines, indented where a command says so, silenced at log level `none`. */
export class Output {
  #text = "";
  #indent = "";
  #level = "debug";

  /** The whole output of the case; `ok` if there was none. */
  get text(): string {
    const text = this.#text.replace(/\n$/, "");
    return text === "" ? "ok" : text;
  }

  clear(): void {
    this.#text = "";
  }

  /** `none` silences everything but errors; the other levels differ only in log lines, which there are none of. */
  setLevel(level: string): void {
    this.#level = level.toLowerCase();
  }

  /** Does `work` at another level. */
  atLevel(level: string, work: () => void): void {
    const before = this.#level;
    this.setLevel(level);
    work();
    this.#level = before;
  }

  /** Does `work` with its lines two columns in. */
  indented(work: () => void): void {
    this.#indent += "  ";
    work();
    this.#indent = this.#indent.slice(2);
  }

  /** Whole lines, each ended. */
  write(text: string): void {
    if (this.#level === "none") return;
    for (const line of text.replace(/\n$/, "").split("\n"))
      this.#text += `${this.#indent}${line}\n`;
  }

  line(line: string): void {
    this.write(`${line}\n`);
  }

  /** An error shows at every level. */
  fail(message: string): void {
    this.#text += `${message}\n`;
  }
}
