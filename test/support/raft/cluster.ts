/** A group in memory for tests: messages travel only when told to, over the links that are open. */
import { Prng } from "../../../src/core/prng.ts";
import { concat } from "../../../src/core/bytes.ts";
import {
  plainConfiguration,
  RaftNode,
  type Entry,
  type Message,
  type ProposalResult,
  type RaftOptions,
  type ReadResult,
  type Snapshot,
} from "../../../src/core/raft/index.ts";

/** What all nodes of a cluster have in common, or what one of them has of its own. */
export type ClusterOptions = Partial<RaftOptions> & { readonly learners?: readonly string[] };

/** One node and what its host keeps. */
export interface Member {
  readonly raft: RaftNode;
  /** Everything applied, in order. */
  readonly applied: Entry[];
  readonly reads: ReadResult[];
  readonly proposals: ProposalResult[];
  state: Uint8Array;
}

/** Nodes `a`, `b`, `c`, …; election timeout 10 ticks, heartbeat 1. */
export class Cluster {
  readonly members = new Map<string, Member>();
  /** Messages under way. */
  network: Message[] = [];
  /** True for a message that is lost. */
  lost: (message: Message) => boolean = () => false;
  readonly #options: ClusterOptions;
  #proposals = 0;

  constructor(ids: readonly string[], options: ClusterOptions = {}) {
    this.#options = options;
    const learners = options.learners ?? [];
    const initial: Snapshot = {
      index: 1,
      term: 0,
      configuration: plainConfiguration(
        ids.filter((id) => !learners.includes(id)),
        learners,
      ),
      data: new Uint8Array(),
    };
    for (const id of ids) this.add(id, { initial });
  }

  /** Adds a node that knows nothing, or what `options` say. */
  add(id: string, options: ClusterOptions = {}): RaftNode {
    const raft = new RaftNode({
      id,
      groupId: "group",
      prng: new Prng(id.charCodeAt(0)),
      electionTimeoutTicks: 10,
      heartbeatTicks: 1,
      snapshotData: () => this.member(id).state,
      ...this.#options,
      ...options,
    });
    this.members.set(id, {
      raft,
      applied: [],
      reads: [],
      proposals: [],
      state: options.initial?.data ?? new Uint8Array(),
    });
    return raft;
  }

  member(id: string): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  node(id: string): RaftNode {
    return this.member(id).raft;
  }

  /** Carries out the Readies of `id`; its messages wait in the network. */
  flush(id: string): void {
    const member = this.member(id);
    while (member.raft.hasReady()) {
      const ready = member.raft.ready();
      this.network.push(...ready.messages);
      if (ready.snapshot !== undefined) member.state = ready.snapshot.data;
      for (const entry of ready.committedEntries) {
        member.applied.push(entry);
        if (entry.kind === "normal") member.state = concat(member.state, entry.data);
      }
      member.reads.push(...ready.reads);
      member.proposals.push(...ready.proposals);
      member.raft.advance(ready);
    }
  }

  /** Delivers the messages that are under way now and not lost. */
  deliver(wanted: (message: Message) => boolean = () => true): void {
    const now = this.network.filter(wanted);
    this.network = this.network.filter((message) => !wanted(message));
    for (const message of now) {
      if (this.lost(message) || !this.members.has(message.to)) continue;
      const stepped = this.node(message.to).step(message);
      if (!stepped.ok) throw stepped.error;
    }
  }

  /** Readies and messages until nothing is left. */
  settle(): void {
    do {
      this.deliver();
      for (const id of this.members.keys()) this.flush(id);
    } while (this.network.length > 0);
  }

  /** Time passes for everybody. */
  run(ticks: number): void {
    for (let tick = 0; tick < ticks; tick++) {
      for (const { raft } of this.members.values()) raft.tick();
      this.settle();
    }
  }

  /** Makes `id` campaign, and everything that follows. */
  elect(id: string): RaftNode {
    this.node(id).campaign();
    this.settle();
    return this.node(id);
  }

  /** Proposes text; returns the proposal's number. */
  propose(id: string, text: string): number {
    const outcome = this.node(id).propose(++this.#proposals, new TextEncoder().encode(text));
    if (outcome.kind !== "pending") throw new Error(`refused: ${outcome.reason}`);
    return this.#proposals;
  }

  /** A number for a proposal that a test makes itself. */
  nextId(): number {
    return ++this.#proposals;
  }

  /** Cuts `ids` off from everybody else. */
  isolate(...ids: readonly string[]): void {
    this.lost = ({ from, to }) => ids.includes(from) !== ids.includes(to);
  }

  /** All links carry again. */
  heal(): void {
    this.lost = () => false;
  }

  /** Who leads, of those that are the highest term's. */
  leaders(): string[] {
    return [...this.members].filter(([, { raft }]) => raft.role === "leader").map(([id]) => id);
  }

  /** Applied texts of a node. */
  texts(id: string): string[] {
    return this.member(id)
      .applied.filter((entry) => entry.kind === "normal" && entry.data.length > 0)
      .map((entry) => (entry.kind === "normal" ? new TextDecoder().decode(entry.data) : ""));
  }
}
