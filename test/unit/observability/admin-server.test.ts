import { afterEach, describe, expect, it } from "vitest";
import {
  type AdminServer,
  type Check,
  startAdminServer,
} from "../../../src/observability/admin-server.ts";
import { Metrics } from "../../../src/observability/metrics.ts";

let server: AdminServer | undefined;
afterEach(() => server?.close());

async function start(checks: readonly Check[], started = true) {
  const metrics = new Metrics();
  server = await startAdminServer(
    { host: "127.0.0.1", port: 0 },
    { readiness: () => checks, started: () => started },
    metrics,
  );
  const { port } = server.address;
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: response.status, body: await response.text() };
  };
  return { get, metrics };
}

describe("the admin server", () => {
  it("is alive whatever the state, and ready only if every check holds", async () => {
    const { get } = await start([
      { name: "state", ok: true, detail: "ready" },
      { name: "store", ok: false, detail: "connection refused" },
    ]);
    expect(await get("/livez")).toEqual({ status: 200, body: "ok\n" });
    expect(await get("/readyz")).toEqual({
      status: 503,
      body: "[+] state: ready\n[-] store: connection refused\n",
    });
  });

  it("explains readiness when asked to", async () => {
    const { get } = await start([{ name: "state", ok: true, detail: "ready" }]);
    expect(await get("/readyz")).toEqual({ status: 200, body: "ok\n" });
    expect(await get("/readyz?verbose")).toEqual({ status: 200, body: "[+] state: ready\n" });
  });

  it("tells start-up apart from readiness", async () => {
    const { get } = await start([], false);
    expect(await get("/startupz")).toMatchObject({ status: 503 });
  });

  it("serves metrics that exist before anything happened", async () => {
    const { get, metrics } = await start([]);
    metrics.certificatesIssued.inc();
    const { body } = await get("/metrics");
    expect(body).toContain('quorate_mode{mode="uninitialized"} 1');
    expect(body).toContain(
      'quorate_store_operations_total{operation="swap-head",outcome="conflict"} 0',
    );
    expect(body).toContain("quorate_certificates_issued_total 1");
  });

  it("answers what it does not know with what it does", async () => {
    const { get } = await start([]);
    expect(await get("/")).toMatchObject({ status: 404 });
    expect(await get("/livez", "POST")).toMatchObject({ status: 405 });
  });
});
