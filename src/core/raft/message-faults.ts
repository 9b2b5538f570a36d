/** What no correct node would send: checked before a message touches any state. */
import { assertNever } from "../assert.ts";
import type { Append, Message } from "./messages.ts";
import type { EntryId } from "./types.ts";

/**
 * What is wrong with `message` in itself; undefined if nothing is.
 *
 * **Security:** the sender is attested, but a fault in its code must not break this node's invariants.
 */
export function faultOf(message: Message): string | undefined {
  if (!isCount(message.term)) return "a term is not a whole number";
  switch (message.type) {
    case "append":
      return faultOfAppend(message);
    case "append-accepted":
      return isCount(message.index) ? undefined : "an index is not a whole number";
    case "append-refused":
      return isCount(message.refused) && isPlace(message.hint)
        ? undefined
        : "a refusal's index is not a whole number";
    case "heartbeat":
      return isCount(message.commit) && isCount(message.readRound) && isCount(message.minimumMatch)
        ? undefined
        : "a heartbeat's number is not a whole number";
    case "heartbeat-answer":
      return isCount(message.readRound) ? undefined : "a round is not a whole number";
    case "snapshot":
      return isPlace(message.snapshot) &&
        message.snapshot.index > 0 &&
        message.snapshot.term <= message.term
        ? undefined
        : "a snapshot ends nowhere or after its sender's term";
    case "pre-vote":
    case "vote":
      if (!isPlace(message.commit)) return "a commit is not a position";
      return isPlace(message.last) && message.last.term <= message.term
        ? undefined
        : "a candidate's log ends after its term";
    case "propose":
      return isCount(message.id) ? undefined : "a proposal's number is not a whole number";
    case "propose-answer":
      return message.appended === undefined || isPlace(message.appended)
        ? undefined
        : "a proposal's place is not a position";
    case "read-index-answer":
      return message.index === undefined || isCount(message.index)
        ? undefined
        : "a read's index is not a whole number";
    case "pre-vote-answer":
    case "vote-answer":
      return isPlace(message.commit) ? undefined : "a commit is not a position";
    case "higher-term":
    case "timeout-now":
    case "step-down":
    case "transfer-leadership":
    case "read-index":
    case "other-group":
      return undefined;
    default:
      return assertNever(message);
  }
}

function faultOfAppend({
  term,
  previous,
  entries,
  commit,
  minimumMatch,
}: Append): string | undefined {
  if (!isPlace(previous) || !isCount(commit) || !isCount(minimumMatch)) {
    return "an append's number is not a whole number";
  }
  let { index, term: lastTerm } = previous;
  for (const entry of entries) {
    index++;
    if (entry.index !== index) return "an append's entries have a gap";
    if (!(entry.term >= lastTerm && entry.term <= term))
      return "an append's terms are out of order";
    lastTerm = entry.term;
  }
  return undefined;
}

function isPlace({ term, index }: EntryId): boolean {
  return isCount(term) && isCount(index);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
