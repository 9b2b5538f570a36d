/**
 * The groups of a healing world made of real consensus nodes: each instance's Raft node over a lossy network, with a
 * state machine that keeps what was applied. Its own checks look from outside: one leader a term, committed entries
 * that never change, and no act of a group after a fenced heal.
 */
import { assert } from "../../src/core/assert.ts";
import type { InstanceId, Sha256 } from "../../src/core/brand.ts";
import { utf8 } from "../../src/core/bytes.ts";
import type { Configuration, LocalGroup, Remains } from "../../src/core/healing/index.ts";
import { Prng } from "../../src/core/prng.ts";
import { changeConfiguration } from "../../src/core/raft/config-change.ts";
import type {
  ConfigChangeStep,
  Entry,
  Message,
  Configuration as RaftConfiguration,
} from "../../src/core/raft/index.ts";
import { isVoter, NO_DATA, plainConfiguration, RaftNode } from "../../src/core/raft/index.ts";
import type { Groups, Reach } from "../support/healing/groups.ts";

export const ELECTION_TICKS = 10;
const HEARTBEAT_TICKS = 2;
const READ_EVERY_TICKS = 3;

interface Member {
  readonly instance: InstanceId;
  readonly group: Sha256;
  readonly node: RaftNode;
  /** What was applied, in order. */
  machine: string[];
  /** When a read was last confirmed. */
  confirmedAt: number;
  /** The tick in which each read that waits was asked. */
  readonly reads: Map<number, number>;
}

/** What the host of a group's members does with what they apply and decide. */
export interface Host {
  readonly reach: Reach;
  /** Whether a message gets lost. */
  readonly loses: () => boolean;
  /** An entry's data was applied. */
  readonly onApplied: (instance: InstanceId, data: string) => void;
}

export class RaftGroups implements Groups {
  /** Properties that were broken. */
  readonly broken: string[] = [];
  readonly counts = new Map<string, number>();
  readonly #host: Host;
  readonly #prng: Prng;
  readonly #members = new Map<InstanceId, Member>();
  readonly #leaders = new Map<string, InstanceId>();
  readonly #committed = new Map<string, string>();
  /** When a heal fenced a group, and the highest term in it then. */
  readonly #fenced = new Map<Sha256, { readonly at: number; readonly term: number }>();
  readonly #outcomes = new Map<number, string>();
  #inFlight: Message[] = [];
  #time = 0;
  #serial = 0;

  constructor(host: Host, seed: number) {
    this.#host = host;
    this.#prng = new Prng(seed);
  }

  /** The group that there is from the beginning. */
  found(id: Sha256, voters: readonly InstanceId[]): void {
    for (const voter of voters) this.#add(id, voter, plainConfiguration(voters));
  }

  view(instance: InstanceId): LocalGroup | undefined {
    const member = this.#members.get(instance);
    if (member === undefined) return undefined;
    const { last, configuration, halted } = member.node.status();
    if (!isVoter(configuration, instance) && !halted) return undefined;
    const isRecent = this.#time - member.confirmedAt <= ELECTION_TICKS;
    const live = !halted && member.node.leader !== undefined && isRecent;
    return { id: member.group, term: last.term, index: last.index, live };
  }

  halt(instance: InstanceId): Remains {
    const member = this.#members.get(instance);
    if (member === undefined) return { group: undefined, configurations: [] };
    const configurations = configurationsOf(member.node);
    member.node.halt();
    this.#carryOut(member);
    return { group: member.group, configurations };
  }

  open(id: Sha256, instance: InstanceId): void {
    const member = this.#add(id, instance, plainConfiguration([instance]));
    member.node.campaign();
    this.#carryOut(member);
  }

  /** As a learner first; when it has caught up, by one joint change in the place of its name's other instances. */
  join(id: Sha256, instance: InstanceId): void {
    const leader = [...this.#members.values()].find(
      ({ group, node, instance: other }) =>
        group === id && node.role === "leader" && this.#host.reach(instance, other),
    );
    if (leader === undefined) return;
    if (!this.#members.has(instance)) this.#add(id, instance, undefined);
    const { configuration, progress, commit } = leader.node.status();
    const known = progress.find((one) => one.id === instance);
    if (known === undefined) {
      this.#change(leader, [{ kind: "add-learner", node: instance }]);
    } else if (!isVoter(configuration, instance) && known.match >= commit) {
      const { voters, learners } = configuration;
      const isFormer = (one: string) => one !== instance && one[0] === instance[0];
      const others = [...voters, ...learners].filter(isFormer);
      const removals = others.map((node) => ({ kind: "remove", node }) as const);
      this.#change(leader, [{ kind: "add-voter", node: instance }, ...removals]);
    }
  }

  /** Whether some node that has not halted could be elected under the configuration that it has applied. */
  canAct(id: Sha256): boolean {
    const alive = [...this.#members.values()].filter(
      ({ group, node }) => group === id && !node.status().halted,
    );
    const isAlive = (voters: readonly string[]) =>
      alive.filter(({ instance }) => voters.includes(instance)).length * 2 > voters.length;
    const term = Math.max(0, ...[...this.#members.values()].map(({ node }) => node.term));
    this.#fenced.set(id, { at: this.#time, term });
    return alive.some(({ node, instance }) => {
      const { voters, votersOutgoing } = node.status().configuration;
      if (!voters.includes(instance) && !votersOutgoing.includes(instance)) return false;
      return isAlive(voters) && (votersOutgoing.length === 0 || isAlive(votersOutgoing));
    });
  }

  tick(): void {
    this.#time++;
    const arrived = this.#inFlight;
    this.#inFlight = [];
    for (const message of arrived) {
      const to = this.#members.get(message.to as InstanceId);
      const isLost =
        to === undefined ||
        this.#host.loses() ||
        !this.#host.reach(message.from as InstanceId, to.instance);
      this.#reportSnapshot(message, isLost ? "failed" : "delivered");
      if (isLost) {
        this.#count("lost raft message");
        continue;
      }
      to.node.step(message);
      this.#carryOut(to);
    }
    for (const member of this.#members.values()) {
      if (!this.#host.reach(member.instance, member.instance)) continue;
      member.node.tick();
      if (this.#time % READ_EVERY_TICKS === 0 && !member.node.status().halted) this.#read(member);
      this.#carryOut(member);
      this.#checkLeader(member);
    }
  }

  /** Who leads the group of `id` and runs, if anybody thinks so. */
  leaderOf(id: Sha256): InstanceId | undefined {
    return [...this.#members.values()].find(
      ({ group, node, instance }) =>
        group === id && node.role === "leader" && this.#host.reach(instance, instance),
    )?.instance;
  }

  /** Proposes an entry. @returns the number by which {@link outcomeOf} knows it */
  propose(instance: InstanceId, data: string): number {
    const member = this.#members.get(instance);
    assert(member !== undefined, `${instance} is a member`);
    const id = ++this.#serial;
    if (member.node.propose(id, utf8(data)).kind === "pending") this.#outcomes.set(id, "pending");
    this.#carryOut(member);
    return id;
  }

  outcomeOf(proposal: number): string {
    return this.#outcomes.get(proposal) ?? "refused";
  }

  #add(group: Sha256, instance: InstanceId, configuration: RaftConfiguration | undefined): Member {
    const member: Member = {
      instance,
      group,
      machine: [],
      confirmedAt: -Infinity,
      reads: new Map(),
      node: new RaftNode({
        id: instance,
        groupId: group,
        prng: this.#prng.fork(),
        initial:
          configuration === undefined
            ? undefined
            : { index: 1, term: 1, configuration, data: NO_DATA },
        electionTimeoutTicks: ELECTION_TICKS,
        heartbeatTicks: HEARTBEAT_TICKS,
        snapshotData: () => utf8(JSON.stringify(member.machine)),
      }),
    };
    this.#members.set(instance, member);
    return member;
  }

  #change(leader: Member, steps: readonly ConfigChangeStep[]): void {
    const change = { transition: "auto", steps, context: NO_DATA } as const;
    const outcome = leader.node.proposeConfigChange(++this.#serial, change);
    if (outcome.kind === "pending") this.#count("membership change");
    this.#carryOut(leader);
  }

  #read(member: Member): void {
    const context = ++this.#serial;
    if (member.node.readIndex(context).kind === "pending") member.reads.set(context, this.#time);
  }

  /** In the order of a Ready: nothing to make durable here, send, load, apply, look, advance. */
  #carryOut(member: Member): void {
    const { node, instance } = member;
    while (node.hasReady()) {
      const ready = node.ready();
      this.#inFlight.push(...ready.messages);
      if (ready.snapshot !== undefined && ready.snapshot.data.length > 0) {
        member.machine = JSON.parse(new TextDecoder().decode(ready.snapshot.data)) as string[];
        for (const data of member.machine) this.#host.onApplied(instance, data);
        this.#count("snapshot");
      }
      for (const entry of ready.committedEntries) this.#apply(member, entry);
      for (const { context, index } of ready.reads) {
        const asked = member.reads.get(context) ?? 0;
        member.reads.delete(context);
        if (index === undefined) continue;
        member.confirmedAt = this.#time;
        const fenced = this.#fenced.get(member.group);
        if (fenced !== undefined && asked > fenced.at) {
          this.broken.push(`${instance} read in a fenced group`);
        }
      }
      for (const proposal of ready.proposals) this.#outcomes.set(proposal.id, proposal.outcome);
      node.advance(ready);
    }
  }

  /** A host's duty: the leader waits for a snapshot until it knows what became of it. */
  #reportSnapshot(message: Message, outcome: "delivered" | "failed"): void {
    if (message.type !== "snapshot") return;
    this.#members.get(message.from as InstanceId)?.node.reportSnapshot(message.to, outcome);
  }

  #apply(member: Member, entry: Entry): void {
    const what = entry.kind === "normal" ? new TextDecoder().decode(entry.data) : "membership";
    const key = `${member.group} ${entry.index}`;
    const text = `${entry.term} ${what}`;
    if ((this.#committed.get(key) ?? text) !== text) {
      this.broken.push(`index ${entry.index} of ${member.group} changed after it was committed`);
    }
    this.#committed.set(key, text);
    if (what === "" || entry.kind !== "normal") return;
    member.machine.push(what);
    this.#host.onApplied(member.instance, what);
  }

  #checkLeader({ node, group, instance }: Member): void {
    if (node.role !== "leader") return;
    const key = `${group} ${node.term}`;
    if (!this.#leaders.has(key)) this.#count("leader");
    if ((this.#leaders.get(key) ?? instance) !== instance) {
      this.broken.push(`two leaders in term ${node.term} of ${group}`);
    }
    this.#leaders.set(key, instance);
    const fenced = this.#fenced.get(group);
    if (fenced !== undefined && node.term > fenced.term) {
      this.broken.push(`${instance} was elected in a fenced group`);
    }
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

/** Every configuration in a node's log at or after the applied one, as a vote carries them. */
function configurationsOf(node: RaftNode): readonly Configuration[] {
  const { configuration, applied } = node.status();
  const list = [configuration];
  for (const entry of node.logEntries()) {
    if (entry.index <= applied || entry.kind !== "config-change") continue;
    const next = changeConfiguration(list.at(-1) ?? configuration, entry.change);
    if (next.ok) list.push(next.value);
  }
  return list.map(({ voters, votersOutgoing }) => ({
    voters: voters as InstanceId[],
    outgoing: votersOutgoing as InstanceId[],
  }));
}
