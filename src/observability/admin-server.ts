/** The operators' HTTP port: probes and metrics. Loopback unless told otherwise; it carries no secret. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Address } from "../config/address.ts";
import type { Metrics } from "./metrics.ts";

/** One condition of a probe. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** Why not, or what was found; for people. */
  readonly detail: string;
}

/** What the probes ask. */
export interface Probes {
  /** Conditions for taking traffic. */
  readiness(): readonly Check[];
  /** True once start-up has ended; never false again. */
  started(): boolean;
}

/** Time for a request to arrive in full, in milliseconds. */
const REQUEST_TIMEOUT_MS = 5_000;
/** Connections at once: probes and one or two scrapers. */
const CONNECTIONS_MAX = 64;

/** A running admin server. */
export interface AdminServer {
  readonly address: Address;
  close(): Promise<void>;
}

/** Listens; rejects with the system's error if it can't. Liveness says only that the event loop turns: it never asks the store. */
export async function startAdminServer(
  address: Address,
  probes: Probes,
  metrics: Metrics,
): Promise<AdminServer> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      void answer(request, response, probes, metrics);
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { address: { host: address.host, port }, close: () => closeServer(server) };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  probes: Probes,
  metrics: Metrics,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    send(response, 405, "only GET\n");
    return;
  }
  const url = new URL(request.url ?? "/", "http://admin");
  switch (url.pathname) {
    case "/livez": {
      send(response, 200, "ok\n");
      return;
    }
    case "/startupz": {
      probes.started() ? send(response, 200, "ok\n") : send(response, 503, "starting\n");
      return;
    }
    case "/readyz": {
      const checks = probes.readiness();
      const ok = checks.every((check) => check.ok);
      const lines = checks.map(
        (check) => `[${check.ok ? "+" : "-"}] ${check.name}: ${check.detail}`,
      );
      const body = url.searchParams.has("verbose") || !ok ? lines.join("\n") : "ok";
      send(response, ok ? 200 : 503, `${body}\n`);
      return;
    }
    case "/metrics": {
      send(response, 200, await metrics.registry.metrics(), metrics.registry.contentType);
      return;
    }
    default: {
      send(response, 404, "try /livez, /readyz?verbose, /startupz or /metrics\n");
      return;
    }
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  type = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  response.end(body);
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
