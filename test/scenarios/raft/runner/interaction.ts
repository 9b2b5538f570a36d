/**
 * A group of nodes that a scenario's commands drive by hand: every Ready, every message is carried out only when
 * a command says so. The commands of etcd-io/raft's interaction scripts, and a few of our own (see the README).
 */
import { Prng } from "../../../../src/core/prng.ts";
import {
  isVoter,
  NO_DATA,
  plainConfiguration,
  RaftNode,
  type ConfigChange,
  type Message,
  type RaftLimits,
  type RequestOutcome,
  type Snapshot,
} from "../../../../src/core/raft/index.ts";
import { parseCommand, type Argument, type Case } from "./case-file.ts";
import { parseSteps } from "./change-steps.ts";
import {
  describeEntry,
  describeHardState,
  describeMessage,
  describeProgress,
  describeReady,
  nodeId,
  nodeNumber,
  roleName,
  typeName,
  V1_CONTEXT,
  type Extra,
} from "./describe.ts";
import { Links } from "./links.ts";
import { Output } from "./output.ts";
import { StateMachine } from "./state-machine.ts";
import { Timeline } from "./timeline.ts";

/** A node and what its host keeps. */
interface Hosted {
  readonly raft: RaftNode;
  readonly machine: StateMachine;
  readonly electionTimeoutTicks: number;
  readonly heartbeatTicks: number;
}

/** What a command may take: its arguments and the lines below it. */
interface Call {
  readonly args: readonly Argument[];
  readonly input: readonly string[];
}

/** More than any scenario needs: a group that never comes to rest is a finding, not an endless test. */
const ROUNDS_MAX = 10_000;

const UNBOUNDED = Number.MAX_SAFE_INTEGER;
const NO_LIMITS: RaftLimits = {
  appendBytesMax: UNBOUNDED,
  inflightMessagesMax: UNBOUNDED,
  inflightBytesMax: UNBOUNDED,
  uncommittedBytesMax: UNBOUNDED,
  proposalBytesMax: UNBOUNDED,
  applyBytesMax: UNBOUNDED,
  applyEntriesMax: UNBOUNDED,
  logEntriesMax: UNBOUNDED,
  logBytesMax: UNBOUNDED,
  waitingMax: UNBOUNDED,
  answersKeptMax: UNBOUNDED,
};

/** One scenario's group. */
export class Interaction {
  readonly #nodes: Hosted[] = [];
  readonly #out = new Output();
  readonly #links = new Links();
  readonly #extras = new Set<Extra>();
  #messages: Message[] = [];
  #proposals = 0;

  readonly #commands: Readonly<Record<string, (call: Call) => void>> = {
    "add-nodes": (call) => this.#addNodes(call),
    campaign: (call) => this.#node(call, 0).raft.campaign(),
    compact: (call) => this.#compact(call),
    "deliver-msgs": (call) => this.#deliverMessages(call),
    "forget-leader": (call) => this.#node(call, 0).raft.forgetLeader(),
    "log-level": (call) => this.#out.setLevel(call.args[0]?.key ?? ""),
    "process-ready": (call) => this.#processReadies(call),
    propose: (call) => this.#propose(call),
    "propose-conf-change": (call) => this.#proposeChange(call),
    "raft-log": (call) => this.#printLog(this.#node(call, 0)),
    "raft-state": () => this.#printStates(),
    "report-unreachable": (call) =>
      this.#node(call, 0).raft.reportUnreachable(this.#node(call, 1).raft.id),
    "send-snapshot": (call) => this.#sendSnapshot(call),
    "set-randomized-election-timeout": (call) =>
      this.#node(call, 0).raft.setRandomizedElectionTimeout(numberOf(call, "timeout") ?? 0),
    stabilize: (call) => this.#stabilize(call),
    status: (call) => this.#printProgress(this.#node(call, 0)),
    "tick-election": (call) => this.#tick(call, this.#node(call, 0).electionTimeoutTicks),
    "tick-heartbeat": (call) => this.#tick(call, this.#node(call, 0).heartbeatTicks),
    "transfer-leadership": (call) => this.#transfer(call),
    // Our own, for what the suite has no words for.
    "hard-state": (call) => this.#printHardState(this.#node(call, 0)),
    halt: (call) => this.#node(call, 0).raft.halt(),
    "known-head": (call) =>
      this.#node(call, 0).raft.setKnownHead(new TextEncoder().encode(call.args[1]?.key)),
    links: (call) => this.#links.set(call.args.map((arg) => arg.key)),
    "read-index": (call) => this.#read(call),
    replace: (call) => this.#replace(call),
    run: (call) => this.#run(call),
    show: (call) => call.args.forEach((arg) => this.#extras.add(arg.key as Extra)),
    "send-append": (call) => this.#sendAppend(call),
    shutdown: (call) => this.#node(call, 0).raft.shutdown(),
    tick: (call) => this.#tick(call, Number(call.args[1]?.key ?? 1)),
  };

  /** Runs one case and returns its output. */
  run(one: Case): string {
    this.#out.clear();
    // A change's steps are its input; below other commands stand further commands.
    if (one.command === "propose-conf-change") {
      this.#execute(one.command, one);
    } else {
      this.#execute(one.command, { args: one.args, input: [] });
      for (const line of one.input) {
        const { command, args } = parseCommand(line);
        this.#execute(command, { args, input: [] });
      }
    }
    return this.#out.text;
  }

  #execute(command: string, call: Call): void {
    const run = this.#commands[command];
    if (run === undefined) {
      this.#out.fail(`unknown command ${command}`);
      return;
    }
    try {
      run(call);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#out.fail(error.message);
    }
  }

  #addNodes(call: Call): void {
    const count = Number(call.args[0]?.key ?? 0);
    const voters = valuesOf(call, "voters").map(idOf);
    const learners = valuesOf(call, "learners").map(idOf);
    const content = valuesOf(call, "content")[0] ?? "";
    const index = numberOf(call, "index") ?? 0;
    for (const unknown of ["async-storage-writes", "disable-conf-change-validation"]) {
      if (valuesOf(call, unknown)[0] === "true") throw new Refused(`${unknown} is not supported`);
    }
    const initial: Snapshot | undefined =
      voters.length + learners.length === 0 && index === 0
        ? undefined
        : {
            index,
            term: 1,
            configuration: plainConfiguration(voters, learners),
            data: new TextEncoder().encode(content),
          };
    if (initial !== undefined && index <= 1) {
      throw new Refused("index must be specified as > 1 due to bootstrap");
    }
    const electionTimeoutTicks = numberOf(call, "election-timeout") ?? 3;
    const heartbeatTicks = numberOf(call, "heartbeat") ?? 1;
    for (let added = 0; added < count; added++) {
      const number = this.#nodes.length + 1;
      const machine = new StateMachine(initial);
      const raft = new RaftNode({
        id: nodeId(number),
        groupId: valuesOf(call, "group")[0] ?? "group",
        prng: new Prng(1_000 * (numberOf(call, "seed") ?? 0) + number),
        initial,
        electionTimeoutTicks,
        heartbeatTicks,
        preVote: valuesOf(call, "prevote")[0] === "true",
        checkQuorum: valuesOf(call, "checkquorum")[0] === "true",
        limits: {
          ...NO_LIMITS,
          appendBytesMax: numberOf(call, "append-bytes") ?? UNBOUNDED,
          inflightMessagesMax: numberOf(call, "inflight") ?? UNBOUNDED,
          inflightBytesMax: numberOf(call, "inflight-bytes") ?? UNBOUNDED,
          applyBytesMax: numberOf(call, "max-committed-size-per-ready") ?? UNBOUNDED,
          uncommittedBytesMax: numberOf(call, "max-uncommitted") ?? UNBOUNDED,
          logEntriesMax: numberOf(call, "log-entries") ?? UNBOUNDED,
          answersKeptMax: numberOf(call, "answers-kept") ?? UNBOUNDED,
        },
        snapshotData: () => machine.data,
      });
      this.#nodes.push({ raft, machine, electionTimeoutTicks, heartbeatTicks });
    }
  }

  #compact(call: Call): void {
    const node = this.#node(call, 0);
    node.raft.compact(Number(call.args[1]?.key));
    this.#printLog(node);
  }

  #processReadies(call: Call): void {
    const nodes = this.#nodesOf(call);
    for (const node of nodes) {
      if (nodes.length === 1) this.#processReady(node);
      else {
        this.#out.line(`> ${nodeNumber(node.raft.id)} handling Ready`);
        this.#out.indented(() => this.#processReady(node));
      }
    }
  }

  #processReady({ raft, machine }: Hosted): void {
    const ready = raft.ready();
    this.#out.write(describeReady(ready, this.#extras));
    this.#messages.push(...ready.messages);
    if (ready.snapshot !== undefined) machine.load(ready.snapshot);
    for (const entry of ready.committedEntries) machine.apply(entry);
    raft.advance(ready);
  }

  #stabilize(call: Call): void {
    const level = valuesOf(call, "log-level")[0];
    const nodes = this.#nodesOf(call);
    const all = nodes.length > 0 ? nodes : this.#nodes;
    if (level === undefined) this.#settle(all);
    else this.#out.atLevel(level, () => this.#settle(all));
  }

  /** Readies in id order, then messages in id order, until nothing is left. */
  #settle(nodes: readonly Hosted[]): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      let idle = true;
      for (const node of nodes) {
        if (!node.raft.hasReady()) continue;
        idle = false;
        this.#out.line(`> ${nodeNumber(node.raft.id)} handling Ready`);
        this.#out.indented(() => this.#processReady(node));
      }
      for (const { raft } of nodes) {
        if (!this.#messages.some((message) => message.to === raft.id)) continue;
        idle = false;
        this.#out.line(`> ${nodeNumber(raft.id)} receiving messages`);
        this.#out.indented(() => this.#deliver(this.#takeMessages((m) => m.to === raft.id)));
      }
      if (idle) return;
    }
    throw new Refused(`not at rest after ${ROUNDS_MAX} rounds`);
  }

  #deliverMessages(call: Call): void {
    const type = valuesOf(call, "type")[0];
    const from = valuesOf(call, "from").map(idOf);
    const wanted = (message: Message): boolean =>
      (type === undefined || typeName(message) === type) &&
      (from.length === 0 || from.includes(message.from));
    let handled = 0;
    for (const { raft } of this.#nodesOf(call)) {
      let messages = this.#takeMessages((m) => m.to === raft.id && wanted(m));
      handled += messages.length;
      if (valuesOf(call, "order")[0] === "reverse") messages.reverse();
      // Copies stay in the network: the same messages are delivered again later.
      if (valuesOf(call, "keep")[0] === "true") this.#messages.push(...messages);
      const count = numberOf(call, "count");
      if (count !== undefined) {
        this.#messages.unshift(...messages.slice(count));
        messages = messages.slice(0, count);
      }
      this.#deliver(messages);
    }
    for (const id of valuesOf(call, "drop").map(idOf)) {
      for (const message of this.#takeMessages((m) => m.to === id && wanted(m))) {
        handled++;
        this.#out.line(`dropped: ${describeMessage(message, this.#extras)}`);
      }
    }
    if (handled === 0) this.#out.line("no messages");
  }

  #deliver(messages: readonly Message[]): void {
    for (const message of messages) {
      const text = describeMessage(message, this.#extras);
      const target = this.#nodes.find(({ raft }) => raft.id === message.to);
      if (target === undefined || !this.#links.carries(message)) {
        this.#out.line(`lost: ${text}`);
        continue;
      }
      this.#out.line(text);
      const stepped = target.raft.step(message);
      if (!stepped.ok) this.#out.line(stepped.error.message);
    }
  }

  #takeMessages(wanted: (message: Message) => boolean): Message[] {
    const taken = this.#messages.filter(wanted);
    this.#messages = this.#messages.filter((message) => !wanted(message));
    return taken;
  }

  #propose(call: Call): void {
    const data = new TextEncoder().encode(call.args[1]?.key ?? "");
    const outcome = this.#node(call, 0).raft.propose(++this.#proposals, data);
    this.#refuse(outcome, "raft proposal dropped");
  }

  #proposeChange(call: Call): void {
    const v1 = valuesOf(call, "v1")[0] === "true";
    const change: ConfigChange = {
      transition: (valuesOf(call, "transition")[0] ?? "auto") as ConfigChange["transition"],
      steps: parseSteps(call.input.join(" ")),
      context: v1 ? V1_CONTEXT : NO_DATA,
    };
    const { raft } = this.#node(call, 0);
    const outcome = raft.proposeConfigChange(++this.#proposals, change);
    const inFlight = outcome.kind === "refused" && outcome.reason === "change-in-flight";
    if (inFlight && !this.#extras.has("proposals")) {
      // The suite's library appends an empty entry in the place of a change that it refuses; ours only refuses.
      raft.propose(++this.#proposals, NO_DATA);
    } else {
      this.#refuse(outcome, "raft proposal dropped");
    }
  }

  #replace(call: Call): void {
    const outcome = this.#node(call, 0).raft.proposeReplacement(++this.#proposals, {
      predecessor: this.#node(call, 1).raft.id,
      successor: this.#node(call, 2).raft.id,
    });
    this.#refuse(outcome, "replacement refused");
  }

  #read(call: Call): void {
    const outcome = this.#node(call, 0).raft.readIndex(Number(call.args[1]?.key));
    this.#refuse(outcome, "read refused");
  }

  /** The suite's words for a refusal; our own reason only where a scenario asked for what the suite hides. */
  #refuse(outcome: RequestOutcome, words: string): void {
    if (outcome.kind !== "refused") return;
    const reason = this.#extras.has("proposals") ? `: ${outcome.reason}` : "";
    throw new Refused(`${words}${reason}`);
  }

  #sendSnapshot(call: Call): void {
    const { raft, machine } = this.#node(call, 0);
    const message: Message = {
      type: "snapshot",
      groupId: raft.status().groupId,
      from: raft.id,
      to: this.#node(call, 1).raft.id,
      term: raft.term,
      snapshot: {
        ...machine.applied,
        configuration: raft.status().configuration,
        data: machine.data,
      },
    };
    this.#messages.push(message);
    this.#out.line(describeMessage(message, this.#extras));
  }

  /** Any append that a leader may send, however short: ours would send more at once. */
  #sendAppend(call: Call): void {
    const { raft } = this.#node(call, 0);
    const index = numberOf(call, "index") ?? 0;
    const entries = raft.logEntries();
    const first = entries.findIndex((entry) => entry.index === index);
    const message: Message = {
      type: "append",
      groupId: raft.status().groupId,
      from: raft.id,
      to: this.#node(call, 1).raft.id,
      term: raft.term,
      previous: { term: entries[first]?.term ?? 0, index },
      entries: entries.slice(first + 1, first + 1 + (numberOf(call, "entries") ?? 0)),
      commit: raft.commit,
      minimumMatch: 0,
    };
    this.#messages.push(message);
    this.#out.line(describeMessage(message, this.#extras));
  }

  #transfer(call: Call): void {
    const from = this.#nodes[(numberOf(call, "from") ?? 0) - 1];
    if (from === undefined) throw new Refused("no such node");
    from.raft.transferLeadership(nodeId(numberOf(call, "to") ?? 0));
  }

  #tick(call: Call, count: number): void {
    const { raft } = this.#node(call, 0);
    for (let ticks = 0; ticks < count; ticks++) raft.tick();
  }

  /** Lets time pass: each tick for every node, then everything that follows from it. Tells who led when. */
  #run(call: Call): void {
    const ticks = Number(call.args[0]?.key ?? 0);
    const timeline = new Timeline(this.#nodes.map(({ raft }) => raft));
    for (let at = 1; at <= ticks; at++) {
      for (const { raft } of this.#nodes) raft.tick();
      this.#out.atLevel("none", () => this.#settle(this.#nodes));
      timeline.observe(at);
    }
    for (const line of timeline.lines(ticks)) this.#out.line(line);
  }

  #printLog({ raft }: Hosted): void {
    const { firstIndex, stable } = raft.status();
    const entries = raft.logEntries().filter((entry) => entry.index <= stable);
    for (const entry of entries) this.#out.line(describeEntry(entry));
    if (entries.length === 0) {
      this.#out.line(`log is empty: first index=${firstIndex}, last index=${stable}`);
    }
  }

  #printHardState({ raft }: Hosted): void {
    const { term, vote, commit } = raft.status();
    this.#out.line(describeHardState({ term, vote, commit }));
  }

  #printStates(): void {
    for (const { raft } of this.#nodes) {
      const { configuration } = raft.status();
      const member = isVoter(configuration, raft.id) ? "(Voter)" : "(Non-Voter)";
      this.#out.line(
        `${nodeNumber(raft.id)}: ${roleName(raft.role)} ${member} Term:${raft.term} Lead:${nodeNumber(raft.leader)}`,
      );
    }
  }

  #printProgress({ raft }: Hosted): void {
    for (const progress of raft.status().progress) {
      this.#out.line(`${nodeNumber(progress.id)}: ${describeProgress(progress)}`);
    }
  }

  #node({ args }: Call, at: number): Hosted {
    const node = this.#nodes[Number(args[at]?.key) - 1];
    if (node === undefined) throw new Refused(`no node ${args[at]?.key ?? ""}`);
    return node;
  }

  #nodesOf({ args }: Call): Hosted[] {
    return args
      .filter((arg) => arg.values.length === 0)
      .map((_, at, plain) => this.#node({ args: plain, input: [] }, at));
  }
}

/** A command that could not do its work: part of a transcript, unlike a fault of the core. */
class Refused extends Error {}

function valuesOf({ args }: Call, key: string): readonly string[] {
  return args.find((arg) => arg.key === key)?.values ?? [];
}

function numberOf(call: Call, key: string): number | undefined {
  const value = valuesOf(call, key)[0];
  return value === undefined ? undefined : Number(value);
}

function idOf(word: string): string {
  return nodeId(Number(word));
}
