/** Runs the quorum cases: `committed` and `vote` over a majority or a joint configuration. */
import { committedIndex, voteResult } from "../../../../src/core/raft/quorum/joint.ts";
import {
  EVERYTHING,
  majorityCommitted,
  majorityVote,
} from "../../../../src/core/raft/quorum/majority.ts";
import type { Case } from "./case-file.ts";
import { nodeId, nodeNumber } from "./describe.ts";

const VOTE_NAMES = { won: "VoteWon", pending: "VotePending", lost: "VoteLost" } as const;

/** The output of one case. */
export function runQuorumCase({ command, args }: Case): string {
  const values = (key: string): readonly string[] | undefined =>
    args.find((arg) => arg.key === key)?.values;
  const voters = (values("cfg") ?? []).map(idOf);
  const outgoing = values("cfgj");
  const votersOutgoing = (outgoing ?? []).filter((word) => word !== "zero").map(idOf);
  const all = [...new Set([...voters, ...votersOutgoing])];
  const input = values(command === "vote" ? "votes" : "idx") ?? [];
  if (input.length !== all.length) return `error: ${input.length} inputs for ${all.length} voters`;
  const known = new Map(all.map((id, at) => [id, input[at] ?? "_"] as const));
  for (const [id, word] of known) if (word === "_") known.delete(id);
  const halves = { voters, votersOutgoing };
  const swapped = { voters: votersOutgoing, votersOutgoing: voters };
  if (command === "vote") {
    const votes = (id: string): boolean | undefined =>
      known.has(id) ? known.get(id) === "y" : undefined;
    const result = outgoing === undefined ? majorityVote(voters, votes) : voteResult(halves, votes);
    const symmetric = voteResult(swapped, votes);
    return symmetric === result ? VOTE_NAMES[result] : `${VOTE_NAMES[symmetric]} <-- via symmetry`;
  }
  const acknowledged = (id: string): number | undefined =>
    known.has(id) ? Number(known.get(id)) : undefined;
  const index =
    outgoing === undefined
      ? majorityCommitted(voters, acknowledged)
      : committedIndex(halves, acknowledged);
  const picture = describeIndexes(all, acknowledged);
  const symmetric = committedIndex(swapped, acknowledged);
  const doubled = committedIndex({ voters, votersOutgoing: voters }, acknowledged);
  const remarks = [
    symmetric === index ? "" : `${indexText(symmetric)} <-- via symmetry\n`,
    outgoing !== undefined || doubled === index ? "" : `${indexText(doubled)} <-- via itself\n`,
  ];
  return `${picture}${remarks.join("")}${indexText(index)}`;
}

/** A bar a voter: the more others it is ahead of, the longer. */
function describeIndexes(
  all: readonly string[],
  acknowledged: (id: string) => number | undefined,
): string {
  if (all.length === 0) return "<empty majority quorum>";
  const ids = [...all].sort();
  const rows = ids.map((id) => {
    const index = acknowledged(id);
    const behind = ids.filter((other) => (acknowledged(other) ?? 0) < (index ?? 0)).length;
    const bar =
      index === undefined
        ? `?${" ".repeat(ids.length)}`
        : `${"x".repeat(behind)}>${" ".repeat(ids.length - behind)}`;
    return `${bar} ${String(index ?? 0).padStart(5)}    (id=${nodeNumber(id)})\n`;
  });
  return `${" ".repeat(ids.length)}    idx\n${rows.join("")}`;
}

function idOf(word: string): string {
  return nodeId(Number(word));
}

function indexText(index: number): string {
  return index === EVERYTHING ? "∞" : String(index);
}
