/** Terms, votes and leaders (thesis section 3.4): what all nodes' promises must be among themselves. */
import type { HardState, Message } from "../../../src/core/raft/index.ts";
import { isQuorum, type ObservedNode } from "./observed-node.ts";
import { demand } from "./violation.ts";

/** Follows every promise of every node of a group. */
export class ElectionChecks {
  readonly #leaders = new Map<number, string>();
  /** Who was granted what, by term and voter. */
  readonly #grants = new Map<number, Map<string, string>>();
  /** Who asked for votes, by term. */
  readonly #candidates = new Map<number, Set<string>>();

  leaderOf(term: number): string | undefined {
    return this.#leaders.get(term);
  }

  /** Terms in which somebody led. */
  get elections(): number {
    return this.#leaders.size;
  }

  /** Terms in which several asked for votes and nobody ever led. */
  get splitVotes(): number {
    let count = 0;
    for (const [term, candidates] of this.#candidates) {
      if (candidates.size > 1 && !this.#leaders.has(term)) count++;
    }
    return count;
  }

  /** Before `next` becomes durable on `node`. */
  onHardState(node: ObservedNode, next: HardState): void {
    const { id, hard } = node;
    demand(next.term >= hard.term, "term is monotone", () => `${id}: ${hard.term} → ${next.term}`);
    demand(
      next.commit >= hard.commit,
      "commit is monotone",
      () => `${id}: ${hard.commit} → ${next.commit}`,
    );
    demand(
      next.term > hard.term || hard.vote === undefined || next.vote === hard.vote,
      "a vote is constant within its term",
      () => `${id} in term ${hard.term}: ${hard.vote ?? "-"} → ${next.vote ?? "-"}`,
    );
  }

  /** `node` says that it leads its term. */
  onLeader(node: ObservedNode): void {
    const { id, hard, configuration } = node;
    const known = this.#leaders.get(hard.term);
    demand(
      known === undefined || known === id,
      "one leader a term",
      () => `${known ?? ""} and ${id} in term ${hard.term}`,
    );
    this.#leaders.set(hard.term, id);
    const grants = this.#grants.get(hard.term);
    demand(
      isQuorum(configuration, (voter) => voter === id || grants?.get(voter) === id),
      "a leader has the votes of a quorum",
      () => `${id} in term ${hard.term}: ${[...(grants ?? [])].join(" ")}`,
    );
  }

  /** `node` sends `message` after everything that it promises is durable. */
  onSend({ id, hard }: ObservedNode, message: Message): void {
    const { term } = message;
    switch (message.type) {
      case "vote":
        demand(
          hard.term === term && hard.vote === id,
          "a candidate has voted for itself",
          () => id,
        );
        setOf(this.#candidates, term).add(id);
        return;
      case "vote-answer":
        if (message.granted) this.#onGrant(id, hard, message.to, term);
        return;
      case "append":
      case "heartbeat":
      case "snapshot":
        demand(
          this.#leaders.get(term) === id,
          "only the leader of a term speaks for it",
          () => `${id} in term ${term}`,
        );
        return;
      default:
        return;
    }
  }

  #onGrant(voter: string, hard: HardState, candidate: string, term: number): void {
    demand(
      hard.term === term && hard.vote === candidate,
      "a granted vote is durable",
      () => `${voter} votes for ${candidate} in term ${term}`,
    );
    let grants = this.#grants.get(term);
    if (grants === undefined) this.#grants.set(term, (grants = new Map<string, string>()));
    const earlier = grants.get(voter);
    demand(
      earlier === undefined || earlier === candidate,
      "one vote a term",
      () => `${voter} votes for ${earlier ?? ""} and ${candidate} in term ${term}`,
    );
    grants.set(voter, candidate);
  }
}

function setOf(sets: Map<number, Set<string>>, term: number): Set<string> {
  let set = sets.get(term);
  if (set === undefined) sets.set(term, (set = new Set<string>()));
  return set;
}
