/** Lists of membership changes as text: `v1 l2 r3 u4`. */
import type { ConfigChangeStep } from "../../../../src/core/raft/index.ts";
import { nodeId } from "./describe.ts";

const KINDS: Readonly<Record<string, ConfigChangeStep["kind"]>> = {
  v: "add-voter",
  l: "add-learner",
  r: "remove",
  u: "update",
};

/** @throws Error for a word that is no change. Node 0 stands for nobody. */
export function parseSteps(words: string): ConfigChangeStep[] {
  return words
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => {
      const kind = KINDS[word.slice(0, 1)];
      const number = Number(word.slice(1));
      if (kind === undefined || !Number.isInteger(number))
        throw new Error(`unknown change ${word}`);
      return { kind, node: number === 0 ? "" : nodeId(number) };
    });
}
