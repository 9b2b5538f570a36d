/** A message as a line of a trace. */
import type { Entry, EntryId, Message } from "../../src/core/raft/index.ts";

/** `from → to: type, term, …`. */
export function describeMessage(message: Message): string {
  return `${message.from} → ${message.to}: ${message.type} t${message.term}${detailsOf(message)}`;
}

function detailsOf(message: Message): string {
  switch (message.type) {
    case "pre-vote":
      return ` last ${place(message.last)}`;
    case "vote":
      return ` last ${place(message.last)}${message.transfer ? " transfer" : ""}`;
    case "pre-vote-answer":
    case "vote-answer":
      return message.granted ? " granted" : " refused";
    case "append":
      return ` after ${place(message.previous)} [${message.entries.map(describeEntry).join(" ")}] commit ${message.commit} minimum ${message.minimumMatch}`;
    case "append-accepted":
      return ` ${message.index}`;
    case "append-refused":
      return ` ${message.refused} hint ${place(message.hint)}`;
    case "heartbeat":
      return ` commit ${message.commit} round ${message.readRound} minimum ${message.minimumMatch}`;
    case "heartbeat-answer":
      return ` round ${message.readRound}`;
    case "snapshot":
      return ` ${place(message.snapshot)}`;
    case "transfer-leadership":
      return ` to ${message.target}`;
    case "propose":
      return ` #${message.id} ${message.payload.kind}`;
    case "propose-answer":
      return ` #${message.id} ${message.appended ? place(message.appended) : (message.reason ?? "")}`;
    case "read-index":
      return ` #${message.context}`;
    case "read-index-answer":
      return ` #${message.context} ${message.index ?? "not confirmed"}`;
    case "higher-term":
    case "timeout-now":
    case "step-down":
    case "other-group":
      return "";
  }
}

/** An entry's place, with the steps of a membership change. */
export function describeEntry(entry: Entry): string {
  if (entry.kind === "normal") return place(entry);
  const steps = entry.change.steps.map(({ kind, node }) => `${kind} ${node}`);
  return `${place(entry)}(${steps.length === 0 ? "leave joint" : steps.join(", ")})`;
}

function place({ term, index }: EntryId): string {
  return `${index}@t${term}`;
}
