/** Keeps the log in memory short: who is behind what was dropped gets a snapshot. */
import type { RaftState } from "./state.ts";

/** Past half of its bound the log loses what every voter holds, past the bound most of what is applied. */
export function boundLog({ log, minimumMatch, settings }: RaftState): void {
  const { logEntriesMax, logBytesMax } = settings.limits;
  if (log.length <= logEntriesMax / 2 && log.bytes <= logBytesMax / 2) return;
  // Voters hold this much, as far as is known: a hint is enough, since a snapshot helps if it was wrong.
  log.compact(minimumMatch);
  if (log.length > logEntriesMax) log.compact(log.applied - Math.floor(logEntriesMax / 4));
  if (log.bytes > logBytesMax) log.compact(log.applied);
}
