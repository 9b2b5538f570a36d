import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { HANDSHAKES_PER_SECOND_MAX } from "../../../src/core/limits.ts";
import { generateTlsIdentity, tlsOptions } from "../../../src/transport/tls-identity.ts";
import { ALPN_ATTESTED } from "../../../src/transport/tls-profile.ts";
import { attestedClient, startServer } from "./fixture.ts";

const MEASURE_MS = 1_500;

it("a flood of handshakes leaves open sessions served and the event loop responsive", async () => {
  const fixture = await startServer({ limits: { strangersPerAddressMax: 128 } });
  const { user } = await attestedClient(fixture.address);
  await user.getStatus({});

  const call = () => user.getStatus({}, { timeoutMs: 5_000 });
  const quiet = await measure(call);

  const { key, cert } = tlsOptions(await generateTlsIdentity());
  const worker = new Worker(new URL("./flood-worker.mjs", import.meta.url), {
    workerData: { port: fixture.port, key, cert, alpn: ALPN_ATTESTED, connections: 100 },
  });
  onTestFinished(async () => {
    await worker.terminate();
  });
  await fixture.event("refused");
  const before = fixture.events.length;
  const flooded = await measure(call);
  const refused = fixture.events.slice(before).filter(({ kind }) => kind === "refused").length;
  worker.postMessage("stop");
  const [attempts] = (await once(worker, "message")) as [number];
  if (process.env["QUORATE_FIGURES"]) console.log({ attempts, refused, quiet, flooded });

  // The flood was real, and was held to the rate.
  expect(attempts).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(5);
  expect(refused).toBeLessThan((MEASURE_MS / 1000) * HANDSHAKES_PER_SECOND_MAX * 1.5);
  // Beside the quiet time of the same run, because a machine may be busy with other things.
  expect(flooded.calls).toBeGreaterThan(quiet.calls / 50);
  expect(flooded.slowMs).toBeLessThan(25 * quiet.slowMs + 100);
  expect(flooded.loopDelayMs).toBeLessThan(5 * quiet.loopDelayMs + 100);
});

/** Calls one after the other for a while: how many, how slow the slowest of a hundred, how late timers were. */
async function measure(
  call: () => Promise<unknown>,
): Promise<{ calls: number; slowMs: number; loopDelayMs: number }> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const latencies: number[] = [];
  const started = performance.now();
  while (performance.now() - started < MEASURE_MS) {
    const asked = performance.now();
    await call();
    latencies.push(performance.now() - asked);
  }
  delay.disable();
  latencies.sort((a, b) => a - b);
  return {
    calls: latencies.length,
    slowMs: latencies[Math.floor(latencies.length * 0.99)] ?? Infinity,
    loopDelayMs: delay.percentile(99) / 1e6,
  };
}
