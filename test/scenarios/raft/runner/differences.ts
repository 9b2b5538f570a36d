/** Where our traces differ from those of etcd-io/raft because `specs/raft.md` demands it: all of them. */
import type { Case } from "./case-file.ts";

/** One case whose output is another one by design. */
export interface Difference {
  /** File name of the script. */
  readonly script: string;
  /** Line of the case's command in that file. */
  readonly line: number;
  /** The command line itself, so that an entry never fits another version of the file by chance. */
  readonly command: string;
  /** The sentence of the specification that demands it. */
  readonly reason: string;
  readonly output: string;
}

const DIFFERENCES: readonly Difference[] = [];

/** The listed difference of a case, if there is one. */
export function listedDifference(script: string, one: Case): Difference | undefined {
  return DIFFERENCES.find(
    (entry) => entry.script === script && entry.line === one.line && entry.command === one.text,
  );
}

/** All entries, for the test that demands that each is needed. */
export function allDifferences(): readonly Difference[] {
  return DIFFERENCES;
}
