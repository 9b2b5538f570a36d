/** Readies, messages and states as text, in the words and layout of etcd-io/raft's traces. */
import type {
  ConfigChange,
  Configuration,
  Entry,
  HardState,
  Message,
  MessageType,
  ProgressStatus,
  Ready,
  RoleName,
  Snapshot,
} from "../../../../src/core/raft/index.ts";

/** What is printed beyond the traces of etcd-io/raft, which know nothing of it. */
export type Extra = "proposals" | "minimum-match" | "rounds";

/** Marks a change that was asked for with `v1=true`; only its name in a trace differs. */
export const V1_CONTEXT = new TextEncoder().encode("v1");

const TYPE_NAMES: Readonly<Record<MessageType, string>> = {
  "pre-vote": "MsgPreVote",
  "pre-vote-answer": "MsgPreVoteResp",
  vote: "MsgVote",
  "vote-answer": "MsgVoteResp",
  append: "MsgApp",
  "append-accepted": "MsgAppResp",
  "append-refused": "MsgAppResp",
  heartbeat: "MsgHeartbeat",
  "heartbeat-answer": "MsgHeartbeatResp",
  snapshot: "MsgSnap",
  "higher-term": "MsgAppResp",
  "timeout-now": "MsgTimeoutNow",
  "step-down": "MsgStepDown",
  "transfer-leadership": "MsgTransferLeader",
  propose: "MsgProp",
  "propose-answer": "MsgPropResp",
  "read-index": "MsgReadIndex",
  "read-index-answer": "MsgReadIndexResp",
  "other-group": "MsgOtherGroup",
};

const ROLE_NAMES: Readonly<Record<RoleName, string>> = {
  follower: "StateFollower",
  "pre-candidate": "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};

const PROGRESS_NAMES: Readonly<Record<ProgressStatus["state"], string>> = {
  probe: "StateProbe",
  replicate: "StateReplicate",
  snapshot: "StateSnapshot",
};

/** A node's number as its id, so that ids sort as numbers do. */
export function nodeId(number: number): string {
  return String(number).padStart(3, "0");
}

/** The number of a node's id; 0 stands for nobody. */
export function nodeNumber(id: string | undefined): number {
  return id === undefined ? 0 : Number(id);
}

/** Name of a role, as `raft-state` prints it. */
export function roleName(role: RoleName): string {
  return ROLE_NAMES[role];
}

/** Name of a message's type. */
export function typeName(message: Message): string {
  return TYPE_NAMES[message.type];
}

/** A Ready's fields, each line ended. */
export function describeReady(ready: Ready, extras: ReadonlySet<Extra>): string {
  const lines: string[] = [];
  const { softState, hardState, snapshot } = ready;
  if (softState) {
    lines.push(`Lead:${nodeNumber(softState.leader)} State:${ROLE_NAMES[softState.role]}`);
  }
  if (hardState) lines.push(describeHardState(hardState));
  for (const { context, index } of ready.reads) {
    lines.push(index === undefined ? `Read ${context} refused` : `Read ${context} at ${index}`);
  }
  list(lines, "Entries:", ready.entries.map(describeEntry));
  if (snapshot) lines.push(`Snapshot ${describeSnapshot(snapshot)}`);
  list(lines, "CommittedEntries:", ready.committedEntries.map(describeEntry));
  list(
    lines,
    "Messages:",
    ready.messages.map((message) => describeMessage(message, extras)),
  );
  if (extras.has("proposals")) {
    for (const result of ready.proposals) {
      const where = result.outcome === "committed" ? ` at ${result.term}/${result.index}` : "";
      const why = result.outcome === "not-proposed" ? `: ${result.reason}` : "";
      lines.push(`Proposal ${result.id} ${result.outcome}${where}${why}`);
    }
  }
  for (const { from, groupId } of ready.otherGroups) {
    lines.push(`Other group ${groupId} seen at ${nodeNumber(from)}`);
  }
  if (lines.length === 0) return "<empty Ready>\n";
  return [`Ready MustSync=${ready.mustSync}:`, ...lines, ""].join("\n");
}

/** Term, vote if there is one, and commit index. */
export function describeHardState({ term, vote, commit }: HardState): string {
  const voted = vote === undefined ? "" : ` Vote:${nodeNumber(vote)}`;
  return `HardState Term:${term}${voted} Commit:${commit}`;
}

/** One message; several lines if it carries several entries or a snapshot. */
export function describeMessage(message: Message, extras: ReadonlySet<Extra>): string {
  const { from, to, term } = message;
  const head = `${nodeNumber(from)}->${nodeNumber(to)} ${typeName(message)} Term:${term}`;
  return `${head} ${describeBody(message)}${describeExtras(message, extras)}`;
}

/** One entry. */
export function describeEntry(entry: Entry): string {
  const place = `${entry.term}/${entry.index}`;
  if (entry.kind === "normal") {
    return `${place} EntryNormal ${JSON.stringify(new TextDecoder().decode(entry.data))}`;
  }
  const steps = describeChange(entry.change);
  const kind = isV1(entry.change) ? "EntryConfChange" : "EntryConfChangeV2";
  return `${place} ${kind}${steps === "" ? "" : ` ${steps}`}`;
}

/** A leader's view of one member. */
export function describeProgress(progress: Omit<ProgressStatus, "id" | "silentTicks">): string {
  const flags = [
    progress.learner ? " learner" : "",
    progress.paused ? " paused" : "",
    progress.pendingSnapshot > 0 ? ` pendingSnap=${progress.pendingSnapshot}` : "",
    progress.recentlyActive ? "" : " inactive",
    progress.inflight > 0 ? ` inflight=${progress.inflight}` : "",
    progress.inflightFull ? "[full]" : "",
  ];
  const { state, match, next } = progress;
  return `${PROGRESS_NAMES[state]} match=${match} next=${next}${flags.join("")}`;
}

function list(lines: string[], title: string, items: readonly string[]): void {
  if (items.length > 0) lines.push(title, ...items);
}

function describeBody(message: Message): string {
  switch (message.type) {
    case "pre-vote":
    case "vote":
      return `Log:${message.last.term}/${message.last.index}`;
    case "pre-vote-answer":
    case "vote-answer":
      return message.granted ? "Log:0/0" : "Log:0/0 Rejected (Hint: 0)";
    case "append": {
      const { previous, commit, entries } = message;
      const body = `Log:${previous.term}/${previous.index}${describeCommit(commit)}`;
      return `${body}${describeEntries(entries)}`;
    }
    case "append-accepted":
      return `Log:0/${message.index}`;
    case "append-refused":
      return `Log:${message.hint.term}/${message.refused} Rejected (Hint: ${message.hint.index})`;
    case "heartbeat":
      return `Log:0/0${describeCommit(message.commit)}`;
    case "snapshot":
      return `Log:0/0\n  Snapshot: ${describeSnapshot(message.snapshot)}`;
    case "propose":
      return `Log:0/0${describeEntries([{ ...message.payload, term: 0, index: 0 }])}`;
    case "propose-answer": {
      const { appended, reason } = message;
      return appended ? `Log:${appended.term}/${appended.index}` : `Rejected (${reason ?? ""})`;
    }
    case "read-index":
      return `Read:${message.context}`;
    case "read-index-answer":
      return `Read:${message.context} ${message.index === undefined ? "refused" : `at ${message.index}`}`;
    case "transfer-leadership":
      return `Log:0/0 Target:${nodeNumber(message.target)}`;
    case "other-group":
      return `Group:${message.groupId}`;
    case "heartbeat-answer":
    case "higher-term":
    case "timeout-now":
    case "step-down":
      return "Log:0/0";
  }
}

function describeExtras(message: Message, extras: ReadonlySet<Extra>): string {
  let text = "";
  if (extras.has("minimum-match") && (message.type === "append" || message.type === "heartbeat")) {
    text += ` MinimumMatch:${message.minimumMatch}`;
  }
  const rounds = message.type === "heartbeat" || message.type === "heartbeat-answer";
  if (extras.has("rounds") && rounds && message.readRound > 0)
    text += ` Round:${message.readRound}`;
  return text;
}

function describeCommit(commit: number): string {
  return commit === 0 ? "" : ` Commit:${commit}`;
}

function describeEntries(entries: readonly Entry[]): string {
  if (entries.length === 0) return "";
  if (entries.length === 1) return ` Entries:[${entries.map(describeEntry).join("")}]`;
  return ` Entries:[\n${entries.map((entry) => `  ${describeEntry(entry)}\n`).join("")}]`;
}

function describeSnapshot({ index, term, configuration }: Snapshot): string {
  return `Index:${index} Term:${term} ConfState:${describeConfiguration(configuration)}`;
}

function describeConfiguration(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = configuration;
  const ids = (nodes: readonly string[]): string => `[${nodes.map(nodeNumber).join(" ")}]`;
  return (
    `Voters:${ids(voters)} VotersOutgoing:${ids(votersOutgoing)} Learners:${ids(learners)} ` +
    `LearnersNext:${ids(learnersNext)} AutoLeave:${autoLeave}`
  );
}

const STEP_LETTERS = { "add-voter": "v", "add-learner": "l", remove: "r", update: "u" } as const;

function describeChange(change: ConfigChange): string {
  return change.steps.map(({ kind, node }) => `${STEP_LETTERS[kind]}${nodeNumber(node)}`).join(" ");
}

function isV1({ context }: ConfigChange): boolean {
  return context === V1_CONTEXT;
}
