/** Runs the cases of one file, of whichever kind. */
import { parseCases, type Case } from "./case-file.ts";
import { ConfigChangeCases } from "./config-change-cases.ts";
import { listedDifference, type Difference } from "./differences.ts";
import { Interaction } from "./interaction.ts";
import { runQuorumCase } from "./quorum-cases.ts";

/** How one case ended. */
export interface CaseResult {
  readonly one: Case;
  readonly output: string;
  readonly verdict: "as expected" | "as listed" | "different";
  /** Why another output than the file's is right. */
  readonly difference: Difference | undefined;
}

/** @param name the file's name without folders: listed differences are found by it. */
export function runFile(name: string, text: string): CaseResult[] {
  const cases = parseCases(text);
  const run = runnerFor(cases);
  return cases.map((one) => {
    const output = run(one);
    const difference = listedDifference(name, one);
    const verdict =
      output === one.expected
        ? "as expected"
        : output === difference?.output
          ? "as listed"
          : "different";
    return { one, output, verdict, difference };
  });
}

function runnerFor(cases: readonly Case[]): (one: Case) => string {
  const commands = new Set(cases.map((one) => one.command));
  if (commands.has("committed") || commands.has("vote")) return runQuorumCase;
  if (commands.has("simple") || commands.has("enter-joint")) {
    const group = new ConfigChangeCases();
    return (one) => group.run(one);
  }
  const group = new Interaction();
  return (one) => group.run(one);
}
