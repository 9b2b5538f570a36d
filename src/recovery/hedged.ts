/** Tries several ways to the same result, without waiting long for the first. */
import { setTimeout as delay } from "node:timers/promises";

/**
 * Starts `attempt` on the first candidate, and on the next one whenever `hedgeMillis` have passed or all running attempts
 * have failed. The first success wins, and the others are aborted.
 *
 * @param options.discard gets each result that came after the first: an abort may come too late.
 * @throws what the first candidate's attempt threw, if all of them fail
 */
export async function hedged<Candidate, Result>(
  candidates: readonly Candidate[],
  attempt: (candidate: Candidate, signal: AbortSignal) => Promise<Result>,
  options: {
    readonly hedgeMillis: number;
    readonly signal: AbortSignal;
    readonly discard: (late: Result) => void;
  },
): Promise<Result> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, options.signal]);
  const failures = new Map<Candidate, unknown>();
  let won = false;
  try {
    return await new Promise<Result>((resolve, reject) => {
      const take = (result: Result): void => {
        if (won) options.discard(result);
        else resolve(result);
        won = true;
      };
      const run = async (): Promise<void> => {
        const running = new Set<Promise<void>>();
        for (const candidate of candidates) {
          if (signal.aborted) break;
          const ended = attempt(candidate, signal).then(take, (cause: unknown) => {
            failures.set(candidate, cause);
          });
          const task = ended.finally(() => running.delete(task));
          running.add(task);
          const pause = delay(options.hedgeMillis, undefined, { signal }).catch(() => undefined);
          // Another failure is no reason to hurry while an attempt runs that may still succeed.
          await Promise.race([pause, allEnded(running)]);
        }
        await allEnded(running);
        reject(firstFailure(candidates, failures));
      };
      run().catch(reject);
    });
  } finally {
    over.abort();
  }
}

async function allEnded(running: ReadonlySet<Promise<void>>): Promise<void> {
  while (running.size > 0) await Promise.race(running);
}

function firstFailure<Candidate>(
  candidates: readonly Candidate[],
  failures: ReadonlyMap<Candidate, unknown>,
): Error {
  const first = candidates.find((candidate) => failures.has(candidate));
  const cause = first === undefined ? undefined : failures.get(first);
  return cause instanceof Error ? cause : new Error("nothing could be tried", { cause });
}
