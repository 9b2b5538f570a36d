/** Who led when, over a run of ticks: what a topology does to a group. */
import type { RaftNode } from "../../../../src/core/raft/index.ts";
import { nodeNumber } from "./describe.ts";

/** Lines beyond these are counted, not told: a group that flaps would fill pages. */
const TOLD_MAX = 6;

/** Watches the leaders of a group. */
export class Timeline {
  readonly #nodes: readonly RaftNode[];
  readonly #told: string[] = [];
  #leaders: string;
  #changes = 0;
  #ticksWithLeader = 0;

  constructor(nodes: readonly RaftNode[]) {
    this.#nodes = nodes;
    this.#leaders = this.#describe();
  }

  /** Call after each tick. */
  observe(tick: number): void {
    const leaders = this.#describe();
    if (leaders !== "nobody leads") this.#ticksWithLeader++;
    if (leaders === this.#leaders) return;
    this.#leaders = leaders;
    this.#changes++;
    if (this.#changes <= TOLD_MAX) this.#told.push(`tick ${tick}: ${leaders}`);
  }

  /** What happened, told once the run of `ticks` is over. */
  lines(ticks: number): string[] {
    const hidden = this.#changes - this.#told.length;
    const terms = Math.max(...this.#nodes.map((node) => node.term));
    return [
      ...this.#told,
      ...(hidden > 0 ? [`and ${hidden} more changes`] : []),
      `after ${ticks} ticks: ${this.#leaders}; a leader for ${this.#ticksWithLeader} of them, ` +
        `${this.#changes} changes, highest term ${terms}`,
    ];
  }

  #describe(): string {
    const leaders = this.#nodes.filter((node) => node.role === "leader");
    if (leaders.length === 0) return "nobody leads";
    return leaders.map((node) => `${nodeNumber(node.id)} leads term ${node.term}`).join(", ");
  }
}
