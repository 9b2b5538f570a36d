/** Runs the configuration-change cases: `simple`, `enter-joint`, `leave-joint` on one configuration. */
import {
  changeSimply,
  enterJoint,
  leaveJoint,
  type ChangeResult,
} from "../../../../src/core/raft/config-change.ts";
import {
  NO_CONFIGURATION,
  type ConfigChangeStep,
  type Configuration,
} from "../../../../src/core/raft/index.ts";
import { Inflights } from "../../../../src/core/raft/inflights.ts";
import { progressFor } from "../../../../src/core/raft/membership.ts";
import { Progress } from "../../../../src/core/raft/progress.ts";
import type { Case } from "./case-file.ts";
import { parseSteps } from "./change-steps.ts";
import { describeProgress, nodeNumber } from "./describe.ts";

/** A configuration and a leader's progress that the cases of one file change in turn. */
export class ConfigChangeCases {
  #configuration: Configuration = NO_CONFIGURATION;
  #progress = new Map<string, Progress>();
  /** Every command takes one position of the log, also one that fails. */
  #lastIndex = 0;

  /** The output of one case. */
  run({ command, args, input }: Case): string {
    const steps = parseSteps(input.join(" "));
    const autoLeave = args.some(({ key, values }) => key === "autoleave" && values[0] === "true");
    const changed = this.#change(command, steps, autoLeave ? "automatic" : "asked");
    const next = Math.max(this.#lastIndex++, 1);
    if (!changed.ok) return changed.error;
    this.#configuration = changed.value;
    this.#progress = progressFor(this.#progress, changed.value, () => newProgress(next));
    return this.#describe();
  }

  #change(
    command: string,
    steps: readonly ConfigChangeStep[],
    leaving: "automatic" | "asked",
  ): ChangeResult {
    switch (command) {
      case "simple":
        return changeSimply(this.#configuration, steps);
      case "enter-joint":
        return enterJoint(this.#configuration, steps, leaving === "automatic");
      case "leave-joint":
        return leaveJoint(this.#configuration);
      default:
        throw new Error(`unknown command ${command}`);
    }
  }

  #describe(): string {
    const { voters, votersOutgoing, learners, learnersNext, autoLeave } = this.#configuration;
    const ids = (nodes: readonly string[]): string => `(${nodes.map(nodeNumber).join(" ")})`;
    const head = [
      `voters=${ids(voters)}${votersOutgoing.length > 0 ? `&&${ids(votersOutgoing)}` : ""}`,
      ...(learners.length > 0 ? [`learners=${ids(learners)}`] : []),
      ...(learnersNext.length > 0 ? [`learners_next=${ids(learnersNext)}`] : []),
      ...(autoLeave ? ["autoleave"] : []),
    ].join(" ");
    const rows = [...this.#progress].map(([id, progress]) => {
      const text = describeProgress({
        learner: learners.includes(id),
        state: progress.state,
        match: progress.match,
        next: progress.next,
        paused: progress.blocked,
        pendingSnapshot: progress.pendingSnapshot,
        recentlyActive: progress.recentlyActive,
        inflight: progress.inflights.count,
        inflightFull: progress.inflights.full,
      });
      return `${nodeNumber(id)}: ${text}`;
    });
    return [head, ...rows].join("\n");
  }
}

function newProgress(next: number): Progress {
  return new Progress({
    match: 0,
    next,
    recentlyActive: true,
    heardAtTick: 0,
    inflights: new Inflights(10, Number.MAX_SAFE_INTEGER),
  });
}
