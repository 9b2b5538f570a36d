/**
 * Everything that must hold in one group, checked from the outside: from the Readies that the hosts carry out, the
 * messages that leave, and what is applied. The host calls these in the order of its duties.
 */
import type {
  Configuration,
  Entry,
  Message,
  ProgressStatus,
  Ready,
  Snapshot,
} from "../../../src/core/raft/index.ts";
import { ElectionChecks } from "./election-checks.ts";
import { LogChecks } from "./log-checks.ts";
import { MembershipChecks } from "./membership-checks.ts";
import { observedNode, type ObservedNode } from "./observed-node.ts";
import { ProposalChecks, type Identify } from "./proposal-checks.ts";
import { ReadChecks } from "./read-checks.ts";
import { demand, Violation } from "./violation.ts";

/** One group's checks; throws a {@link Violation} where something is broken. */
export class GroupChecks {
  readonly elections = new ElectionChecks();
  readonly logs: LogChecks;
  readonly membership: MembershipChecks;
  readonly proposals: ProposalChecks;
  readonly reads = new ReadChecks();
  readonly #nodes = new Map<string, ObservedNode>();

  /** @param initial what the founding members begin with. */
  constructor(initial: Snapshot, identify: Identify) {
    this.logs = new LogChecks(initial.index);
    this.membership = new MembershipChecks(initial);
    this.proposals = new ProposalChecks(initial.index, identify);
  }

  /** A new instance; founding ones begin with `initial`. */
  onStart(id: string, initial: Snapshot | undefined): void {
    demand(!this.#nodes.has(id), "an instance is used once", () => id);
    this.#nodes.set(id, observedNode(id, initial));
  }

  node(id: string): ObservedNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Violation("every node is known", id);
    return node;
  }

  /** Everything in `ready` that must be durable has just become so on `id`. */
  onDurable(id: string, ready: Ready): void {
    const node = this.node(id);
    const { hardState, softState, snapshot, entries } = ready;
    const commitBefore = node.hard.commit;
    if (snapshot !== undefined) {
      this.logs.onSnapshot(node, snapshot);
      this.membership.onSnapshot(node, snapshot.index, snapshot.configuration);
      node.log.restore(snapshot);
    }
    if (hardState !== undefined) {
      this.elections.onHardState(node, hardState);
      node.hard = hardState;
    }
    if (softState !== undefined) this.#onRole(node, softState.role);
    if (entries.length > 0) {
      this.logs.onStore(node, entries, commitBefore);
      this.membership.onStore(node, entries);
      node.log.store(entries);
    }
    if (node.hard.commit > commitBefore) {
      this.logs.onCommit(node, Math.max(commitBefore, snapshot?.index ?? 0));
    }
  }

  #onRole(node: ObservedNode, role: ObservedNode["role"]): void {
    const begins = role === "leader" && node.role !== "leader";
    node.role = role;
    if (!begins) return;
    this.elections.onLeader(node);
    this.logs.onLeader(node);
  }

  /** `id` has left the group for good. */
  onHalt(id: string): void {
    this.node(id).isHalted = true;
  }

  /** `id` sends `message`. */
  onSend(id: string, message: Message): void {
    const node = this.node(id);
    demand(!node.isHalted, "a halted node says nothing", () => `${id}: ${message.type}`);
    this.elections.onSend(node, message);
    if (message.type !== "append-accepted") return;
    demand(message.term === node.hard.term, "an answer is of the durable term", () => id);
    const leader = this.elections.leaderOf(message.term);
    const known = leader === undefined ? undefined : this.#nodes.get(leader);
    this.logs.onAcknowledge(node, message.index, known);
  }

  /** `id` is about to load `snapshot`, and is in its state `digest` then. */
  onLoad(id: string, snapshot: Snapshot, digest: number): void {
    const node = this.node(id);
    node.applied = snapshot.index;
    node.configuration = snapshot.configuration;
    node.configurationIndex = snapshot.index;
    this.logs.onState(node, snapshot.index, digest);
  }

  /** `id` applies `entry`, and is in the state `digest` then. */
  onApply(id: string, entry: Entry, digest: number): void {
    const node = this.node(id);
    this.logs.onApply(node, entry);
    this.proposals.onApply(entry);
    node.applied = entry.index;
    this.logs.onState(node, entry.index, digest);
  }

  /** `id` has applied a membership change, the one at `index`. */
  onConfiguration(id: string, index: number, configuration: Configuration): void {
    const node = this.node(id);
    this.membership.onApplied(node, index, configuration);
    node.configuration = configuration;
    node.configurationIndex = index;
  }

  /** A leader stepped the refusal of a position that it knew to match, `before`: it must not fall back. */
  onRefusal(refused: number, before: ProgressStatus, after: ProgressStatus | undefined): void {
    if (before.state !== "replicate" || refused > before.match) return;
    demand(
      after?.state === "replicate" && after.next === before.next,
      "a stale refusal changes nothing",
      () => `${before.id} refuses ${refused}, matching were ${before.match}`,
    );
  }

  /** True if the group lives on with only the nodes that are `alive`. */
  survives(alive: (id: string) => boolean): boolean {
    return this.membership.survives(
      this.#nodes.values(),
      alive,
      (index) => this.logs.committedAt(index)?.term,
    );
  }
}
