import { readFile } from "node:fs/promises";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { GRPC_CODES } from "../../../src/observability/grpc-code.ts";
import { Metrics } from "../../../src/observability/metrics.ts";

const GET_STATUS = {
  service: "quorate.userapi.v1.UserService",
  name: "GetStatus",
  kind: "unary",
} as const;
const LABELS =
  'grpc_type="unary",grpc_service="quorate.userapi.v1.UserService",grpc_method="GetStatus"';

interface Documented {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** The rows of the document's tables of series. */
async function documented(): Promise<{ text: string; rows: readonly Documented[] }> {
  const text = await readFile(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
  const row = /^\| `(\w+)` +\| (counter|gauge|histogram) +\| ([^|]*)\|/gm;
  const rows = [...text.matchAll(row)].map(([, name = "", type = "", labels = ""]) => ({
    name,
    type,
    labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = ""]) => label),
  }));
  return { text, rows };
}

const isStandard = (name: string): boolean => /^(process|nodejs)_/.test(name);

describe("docs/metrics.md", () => {
  it("has exactly the series that exist, with their types and labels", async () => {
    const { registry } = new Metrics();
    const existing = (await registry.getMetricsAsJSON())
      .filter(({ name }) => !isStandard(name))
      .map(({ name, type }) => {
        const metric = registry.getSingleMetric(name) as unknown as { labelNames: string[] };
        return { name, type: String(type), labels: [...metric.labelNames] };
      });
    const { rows } = await documented();
    const byName = (a: Documented, b: Documented): number => (a.name < b.name ? -1 : 1);
    expect([...rows].sort(byName)).toEqual(existing.sort(byName));
    expect(rows.length).toBeGreaterThan(15);
  });

  it("has alerts on series that exist, and one at least for every series", async () => {
    const { registry } = new Metrics();
    const existing = new Set((await registry.getMetricsAsJSON()).map(({ name }) => name));
    const { text, rows } = await documented();
    const used = new Set(
      [...text.matchAll(/^ +expr: (.*)$/gm)].flatMap(([, expression = ""]) =>
        [...expression.matchAll(/\b(?:quorate|grpc_server|nodejs)_\w+/g)].map(([name]) =>
          name.replace(/_bucket$/, ""),
        ),
      ),
    );
    expect([...used].filter((name) => !existing.has(name))).toEqual([]);
    expect(rows.filter(({ name }) => !used.has(name))).toEqual([]);
  });
});

describe("the metrics", () => {
  it("have every series of a method at 0 before its first call", async () => {
    const metrics = new Metrics();
    metrics.calls.meterOf(GET_STATUS);
    const text = await metrics.registry.metrics();
    expect(text).toContain(`grpc_server_started_total{${LABELS}} 0`);
    expect(text).toContain(`grpc_server_msg_received_total{${LABELS}} 0`);
    expect(text).toContain(`grpc_server_msg_sent_total{${LABELS}} 0`);
    for (const code of GRPC_CODES) {
      expect(text).toContain(`grpc_server_handled_total{${LABELS},grpc_code="${code}"} 0`);
    }
    expect(text).toContain(`grpc_server_handling_seconds_bucket{le="0.001",${LABELS}} 0`);
    expect(text).toContain(`grpc_server_handling_seconds_bucket{le="30",${LABELS}} 0`);
    expect(text).toContain(`grpc_server_handling_seconds_count{${LABELS}} 0`);
  });

  it("count a method that two ports have as one", async () => {
    const metrics = new Metrics();
    const meter = metrics.calls.meterOf(GET_STATUS);
    for (const each of [meter, metrics.calls.meterOf({ ...GET_STATUS })]) {
      each.started();
      each.received();
      each.sent();
      each.handled(status.OK, 0.02);
    }
    meter.started();
    meter.handled(status.DATA_LOSS, 31);
    const text = await metrics.registry.metrics();
    expect(text).toContain(`grpc_server_started_total{${LABELS}} 3`);
    expect(text).toContain(`grpc_server_msg_received_total{${LABELS}} 2`);
    expect(text).toContain(`grpc_server_msg_sent_total{${LABELS}} 2`);
    expect(text).toContain(`grpc_server_handled_total{${LABELS},grpc_code="OK"} 2`);
    expect(text).toContain(`grpc_server_handled_total{${LABELS},grpc_code="DataLoss"} 1`);
    expect(text).toContain(`grpc_server_handling_seconds_bucket{le="0.01",${LABELS}} 0`);
    expect(text).toContain(`grpc_server_handling_seconds_bucket{le="0.025",${LABELS}} 2`);
    expect(text).toContain(`grpc_server_handling_seconds_bucket{le="30",${LABELS}} 2`);
    expect(text).toContain(`grpc_server_handling_seconds_bucket{le="+Inf",${LABELS}} 3`);
    // A second scrape shows the same.
    expect(await metrics.registry.metrics()).toContain(`grpc_server_started_total{${LABELS}} 3`);
  });

  it("name codes as Go does", () => {
    const words = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`);
    const constant = (name: string): string =>
      name === "OK" ? name : words(name).slice(1).toUpperCase().replace("CANCELED", "CANCELLED");
    GRPC_CODES.forEach((name, code) => expect(status[code]).toBe(constant(name)));
    expect(GRPC_CODES).toHaveLength(17);
  });

  it("name the types of methods as go-grpc-prometheus does", async () => {
    const metrics = new Metrics();
    for (const kind of ["client_streaming", "server_streaming", "bidi_streaming"] as const) {
      metrics.calls.meterOf({ service: "a.B", name: kind, kind });
    }
    const text = await metrics.registry.metrics();
    for (const type of ["client_stream", "server_stream", "bidi_stream"]) {
      expect(text).toContain(`grpc_server_started_total{grpc_type="${type}",grpc_service="a.B"`);
    }
  });

  it("show peers and recoveries from them", async () => {
    const metrics = new Metrics();
    const before = await metrics.registry.metrics();
    expect(before).toContain('quorate_peers{state="ready"} 0');
    expect(before).toContain('quorate_peer_recoveries_total{result="failed"} 0');
    expect(before).toContain('quorate_peer_recovery_seconds_count{result="ok"} 0');
    metrics.setPeers({ connected: 2, ready: 1, unreachable: 3 });
    metrics.peerRecovery("ok", 0.03);
    metrics.peerRecovery("failed", 12);
    const after = await metrics.registry.metrics();
    expect(after).toContain('quorate_peers{state="connected"} 2');
    expect(after).toContain('quorate_peers{state="ready"} 1');
    expect(after).toContain('quorate_peers{state="unreachable"} 3');
    expect(after).toContain('quorate_peer_recoveries_total{result="ok"} 1');
    expect(after).toContain('quorate_peer_recovery_seconds_bucket{le="0.05",result="ok"} 1');
    expect(after).toContain('quorate_peer_recovery_seconds_sum{result="failed"} 12');
  });

  it("have every reason for refusing evidence before it was ever met", async () => {
    const text = await new Metrics().registry.metrics();
    expect(text).toContain(
      'quorate_appraisals_total{result="refused",reason="measurement-mismatch"} 0',
    );
    expect(text).toContain('quorate_appraisals_total{result="accepted",reason=""} 0');
  });

  it("show the delay of the event loop", async () => {
    const { registry } = new Metrics();
    const delay = async (): Promise<number> => {
      const before = performance.now();
      while (performance.now() - before < 60);
      // It samples on a timer: what held the loop up shows in the next sample.
      await new Promise((resolve) => setTimeout(resolve, 30));
      const text = await registry.metrics();
      expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \S+$/m);
      expect(text).toMatch(/^nodejs_eventloop_lag_seconds \S+$/m);
      return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1]);
    };
    await expect.poll(delay, { timeout: 5_000 }).toBeGreaterThan(0.05);
  });
});
