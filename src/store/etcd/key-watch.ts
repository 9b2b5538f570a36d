/**
 * Notices changes of one key. The stream of events is a hint only: it is opened at the present revision, so that
 * compaction never matters, its events are not looked at, and whenever it begins, breaks, or was silent about a change,
 * the listener is woken to read for itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import { ETCD_ATTEMPT_MS, ETCD_RETRY_PAUSE_MS, ETCD_WATCH_POLL_MS } from "../../core/limits.ts";
import type { Endpoint, Endpoints } from "./endpoints.ts";

/** A running watch. */
export interface KeyWatch {
  /** Fulfilled when the first stream stands, or the watch was closed. Never rejected. */
  readonly started: Promise<void>;
  readonly close: () => void;
}

/**
 * Starts a watch that goes on until it is closed.
 *
 * @param look says briefly what the key's state is, read linearizably; errors included, it does not throw.
 */
export function watchKey(
  endpoints: Endpoints,
  key: Buffer,
  look: () => Promise<string>,
  wake: () => void,
): KeyWatch {
  const closing = new AbortController();
  let markStarted: () => void = () => undefined;
  const started = new Promise<void>((resolve) => (markStarted = resolve));
  void run();
  return { started, close: () => closing.abort() };

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      const endpoint = endpoints.current();
      const stream = await openStream(endpoint, key, wake, closing.signal);
      if (stream !== undefined) {
        markStarted();
        // What happened between two streams was reported by neither.
        wake();
        await untilBroken(stream);
        stream.cancel();
        wake();
      }
      endpoints.leave(endpoint);
      await pause(ETCD_RETRY_PAUSE_MS);
    }
    markStarted();
  }

  /** Ends when the stream has ended, or has kept silent about a change. */
  async function untilBroken(stream: EventStream): Promise<void> {
    let seen = await look();
    while (!closing.signal.aborted && !stream.hasEnded()) {
      const events = stream.events();
      await Promise.race([stream.ended, pause(ETCD_WATCH_POLL_MS)]);
      const found = await look();
      if (found === seen) continue;
      seen = found;
      if (stream.events() === events) return;
    }
  }

  async function pause(ms: number): Promise<void> {
    // Ends early only because the watch is being closed.
    await delay(ms, undefined, { signal: closing.signal }).catch(() => undefined);
  }
}

/** One stream of events of the key. */
interface EventStream {
  /** Number of events so far. */
  readonly events: () => number;
  readonly hasEnded: () => boolean;
  readonly ended: Promise<void>;
  readonly cancel: () => void;
}

/** Opens a stream; `undefined` if the endpoint does not confirm it within ETCD_ATTEMPT_MS. */
async function openStream(
  endpoint: Endpoint,
  key: Buffer,
  wake: () => void,
  closing: AbortSignal,
): Promise<EventStream | undefined> {
  let markCreated: (isCreated: boolean) => void = () => undefined;
  const created = new Promise<boolean>((resolve) => (markCreated = resolve));
  let markEnded: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (markEnded = resolve));
  let hasEnded = false;
  let events = 0;
  const end = (): void => {
    hasEnded = true;
    closing.removeEventListener("abort", end);
    markCreated(false);
    markEnded();
  };
  closing.addEventListener("abort", end, { once: true });
  const timer = setTimeout(end, ETCD_ATTEMPT_MS);

  let cancel: () => void = () => undefined;
  const opening = async (): Promise<void> => {
    const options = await endpoint.callOptions(ETCD_ATTEMPT_MS);
    const stream = await endpoint.client.watchClient.watch(options);
    cancel = () => {
      // Ended first: the client library closes the endpoint's other connections when an open stream is cancelled.
      stream.end();
      stream.cancel();
    };
    stream
      .on("data", (response) => {
        if (response.canceled) end();
        else if (response.created) markCreated(true);
        else if (response.events.length > 0) {
          events++;
          wake();
        }
      })
      .on("error", end)
      .on("end", end);
    if (hasEnded) cancel();
    else stream.write({ create_request: { key } });
  };
  opening().catch(end);

  const isCreated = await created;
  clearTimeout(timer);
  if (!isCreated) {
    cancel();
    return undefined;
  }
  return { events: () => events, hasEnded: () => hasEnded, ended, cancel };
}
