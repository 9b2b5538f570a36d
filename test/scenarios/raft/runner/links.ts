/** Who can reach whom: all, unless a scenario says otherwise. */
import type { Message } from "../../../../src/core/raft/index.ts";
import { nodeId } from "./describe.ts";

/** The links that carry messages, each in one direction. */
export class Links {
  #open: ReadonlySet<string> | undefined;

  /** `all`, `none`, or the only ones that carry: `1-2` both ways, `1->2` one way. */
  set(words: readonly string[]): void {
    if (words.length === 1 && words[0] === "all") {
      this.#open = undefined;
      return;
    }
    const open = new Set<string>();
    for (const word of words.filter((one) => one !== "none")) {
      const [from = "", to = ""] = word.split(/->|-/).map((number) => nodeId(Number(number)));
      open.add(`${from} ${to}`);
      if (!word.includes("->")) open.add(`${to} ${from}`);
    }
    this.#open = open;
  }

  carries({ from, to }: Message): boolean {
    return this.#open === undefined || this.#open.has(`${from} ${to}`);
  }
}
