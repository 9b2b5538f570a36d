/** Every call that started is accounted for exactly once, whatever its end: metrics, and one event for the log. */
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QuorateError } from "../../../src/core/errors.ts";
import { ServerReflection } from "../../../src/gen/grpc/reflection/v1/reflection_pb.ts";
import { NewMeshCertResponseSchema } from "../../../src/gen/quorate/meshapi/v1/mesh_pb.ts";
import { Metrics } from "../../../src/observability/metrics.ts";
import { serviceClient } from "../../../src/transport/grpc-client.ts";
import { service } from "../../../src/transport/grpc-service.ts";
import type { SessionServerOptions } from "../../../src/transport/session-server.ts";
import {
  attestedClient,
  failureOf,
  type FixturePeer,
  meshService,
  startServer,
} from "./fixture.ts";

/** How the handler, or what befalls it, ends a call. */
const ENDINGS = ["ok", "error", "bug", "cancelled", "deadline", "connection lost"] as const;
type Ending = (typeof ENDINGS)[number];
const KINDS = ["unary", "server_stream", "bidi_stream"] as const;
type Kind = (typeof KINDS)[number];

/** Codes that an ending may be counted under: a client's own timer may end a call before the server's. */
const CODES: Readonly<Record<Ending, readonly string[]>> = {
  ok: ["OK"],
  error: ["InvalidArgument"],
  bug: ["Internal"],
  cancelled: ["Canceled"],
  deadline: ["DeadlineExceeded", "Canceled"],
  "connection lost": ["Canceled"],
};

/** Long enough for a call on an open connection to reach its handler on a busy machine. */
const DEADLINE_MS = 400;

/** Ends at once, or stays until nobody waits any more. */
async function endAs(ending: Ending, signal: AbortSignal): Promise<void> {
  if (ending === "ok") return;
  if (ending === "error") throw new QuorateError("invalid-argument", "as asked for");
  if (ending === "bug") throw new TypeError("as asked for");
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Services whose handlers end as the test says; a server stream's request has no room for it, so it is set beforehand. */
function scriptedServices() {
  const script: { next: Ending } = { next: "ok" };
  let running = 0;
  const begun = new Set<() => void>();
  const begin = (): void => {
    running++;
    for (const tell of begun) tell();
  };
  const mesh = meshService({
    async newMeshCert({ certificateRequest }, { signal }) {
      begin();
      await endAs(new TextDecoder().decode(certificateRequest) as Ending, signal);
      return create(NewMeshCertResponseSchema);
    },
    async *watchTrust(_request, { signal }) {
      const ending = script.next;
      begin();
      yield { generation: 1n };
      yield { generation: 2n };
      await endAs(ending, signal);
    },
  });
  const bidi = service<typeof ServerReflection, FixturePeer>(ServerReflection, {
    async *serverReflectionInfo(requests, { signal }) {
      for await (const { host } of requests) {
        begin();
        yield { validHost: host };
        await endAs(host as Ending, signal);
        return;
      }
    },
  });
  const started = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (running < count) return;
        begun.delete(look);
        resolve();
      };
      begun.add(look);
      look();
    });
  return { services: [mesh, bidi], script, started };
}

async function scripted(options: Partial<SessionServerOptions<FixturePeer>> = {}) {
  const metrics = new Metrics();
  const { services, script, started } = scriptedServices();
  const fixture = await startServer({
    services,
    meterOf: (method) => metrics.calls.meterOf(method),
    ...options,
  });
  let calls = 0;
  /** Makes one call on a connection of its own, and ends it as told. */
  const run = async (kind: Kind, ending: Ending): Promise<void> => {
    const { channel, mesh } = await attestedClient(fixture.address);
    const reflection = serviceClient(ServerReflection, channel);
    await promisify(channel.grpc.waitForReady.bind(channel.grpc))(Date.now() + 20_000);
    const giveUp = new AbortController();
    const options = {
      signal: giveUp.signal,
      timeoutMs: ending === "deadline" ? DEADLINE_MS : 20_000,
    };
    script.next = ending;
    const certificateRequest = new TextEncoder().encode(ending);
    const call = {
      unary: () => mesh.newMeshCert({ certificateRequest }, options),
      server_stream: () => drain(mesh.watchTrust({}, options)),
      bidi_stream: () => drain(reflection.serverReflectionInfo(one({ host: ending }), options)),
    }[kind]();
    const settled = call.then(
      () => undefined,
      () => undefined,
    );
    await started(++calls);
    if (ending === "cancelled") giveUp.abort();
    if (ending === "connection lost") channel.close();
    await settled;
    channel.close();
  };
  return { metrics, fixture, script, run };
}

async function* one<T>(message: T): AsyncGenerator<T> {
  yield await Promise.resolve(message);
}

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const message of messages) expect(message).toBeDefined();
}

/** Series of one metric that are not zero, summed by one label. */
async function sums(metrics: Metrics, name: string, label: string) {
  const metric = await metrics.registry.getSingleMetric(name)!.get();
  const sum: Record<string, number> = {};
  for (const { value, labels } of metric.values) {
    const key = String((labels as Record<string, unknown>)[label]);
    if (value > 0) sum[key] = (sum[key] ?? 0) + value;
  }
  return sum;
}

const total = (sum: Readonly<Record<string, number>>): number =>
  Object.values(sum).reduce((a, b) => a + b, 0);

describe("the account of calls", () => {
  it("has every started call as handled once, under the code of its end", async () => {
    const { metrics, fixture, run } = await scripted();
    let made = 0;
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...KINDS), fc.constantFrom(...ENDINGS)), {
          minLength: 1,
          maxLength: 6,
        }),
        async (calls) => {
          const before = await sums(metrics, "grpc_server_handled_total", "grpc_code");
          for (const [kind, ending] of calls) {
            await run(kind, ending);
            seen.add(`${kind} ${ending}`);
          }
          made += calls.length;
          await fixture.eventCount("call-ended", made);
          const after = await sums(metrics, "grpc_server_handled_total", "grpc_code");
          const delta = (code: string): number => (after[code] ?? 0) - (before[code] ?? 0);
          const count = (...endings: Ending[]): number =>
            calls.filter(([, ending]) => endings.includes(ending)).length;
          expect(total(after)).toBe(made);
          expect(total(await sums(metrics, "grpc_server_started_total", "grpc_type"))).toBe(made);
          expect(delta("OK")).toBe(count("ok"));
          expect(delta("InvalidArgument")).toBe(count("error"));
          expect(delta("Internal")).toBe(count("bug"));
          expect(delta("Canceled") + delta("DeadlineExceeded")).toBe(
            count("cancelled", "deadline", "connection lost"),
          );
          expect(delta("DeadlineExceeded")).toBeLessThanOrEqual(count("deadline"));
        },
      ),
      { numRuns: 12, seed: 7, endOnFailure: true },
    );
    expect(seen.size).toBeGreaterThan(12);
    const ended = fixture.events.filter((event) => event.kind === "call-ended");
    expect(ended).toHaveLength(made);
    expect(await sums(metrics, "grpc_server_handling_seconds", "le")).toMatchObject({
      "+Inf": made,
    });
  }, 60_000);

  it.each(KINDS.flatMap((kind) => ENDINGS.map((ending) => [kind, ending] as const)))(
    "counts a %s call that ends with %s",
    async (kind, ending) => {
      const { metrics, fixture, run } = await scripted();
      await run(kind, ending);
      const { call } = await fixture.event("call-ended");
      const handled = await sums(metrics, "grpc_server_handled_total", "grpc_code");
      expect(Object.keys(handled)).toHaveLength(1);
      expect(CODES[ending]).toContain(Object.keys(handled)[0]);
      expect(await sums(metrics, "grpc_server_handled_total", "grpc_type")).toEqual({ [kind]: 1 });
      expect(await sums(metrics, "grpc_server_msg_received_total", "grpc_type")).toEqual({
        [kind]: 1,
      });
      const sent = { unary: ending === "ok" ? 1 : 0, server_stream: 2, bidi_stream: 1 }[kind];
      expect(call.sent).toBe(sent);
      expect(call.received).toBe(1);
      expect(call.remote).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(call.error?.code).toBe(
        { ok: undefined, error: "invalid-argument", bug: "internal" }[ending as string],
      );
      expect(call.code === status.OK).toBe(ending === "ok");
    },
    20_000,
  );

  it("counts a stream's messages while it runs", async () => {
    const { metrics, fixture } = await scripted();
    const { mesh } = await attestedClient(fixture.address);
    const watch = mesh.watchTrust({})[Symbol.asyncIterator]();
    await watch.next();
    await watch.next();
    expect(await sums(metrics, "grpc_server_msg_sent_total", "grpc_method")).toEqual({
      WatchTrust: 2,
    });
    await watch.return?.();
  });

  it("has the calls that there was no room for", async () => {
    const limits = { strangersCallsMax: 1 };
    const { metrics, fixture, script } = await scripted({ plain: true, limits });
    script.next = "cancelled";
    const { mesh } = await attestedClient(fixture.address);
    const watch = mesh.watchTrust({})[Symbol.asyncIterator]();
    await watch.next();
    const refused = await failureOf(mesh.newMeshCert({}));
    expect(refused.code).toBe("resource-exhausted");
    expect(await sums(metrics, "grpc_server_started_total", "grpc_method")).toEqual({
      WatchTrust: 1,
      NewMeshCert: 1,
    });
    expect(await sums(metrics, "grpc_server_handled_total", "grpc_code")).toEqual({
      ResourceExhausted: 1,
    });
    await watch.return?.();
  });
});
