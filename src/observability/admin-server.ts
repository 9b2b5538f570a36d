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
      void replyTo(request, probes, metrics).then((reply) => send(response, reply));
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

interface Reply {
  readonly status: number;
  readonly body: string;
  /** @default text/plain */
  readonly type?: string;
}

const OK: Reply = { status: 200, body: "ok\n" };

async function replyTo(request: IncomingMessage, probes: Probes, metrics: Metrics): Promise<Reply> {
  if (request.method !== "GET" && request.method !== "HEAD")
    return { status: 405, body: "only GET\n" };
  const url = new URL(request.url ?? "/", "http://admin");
  switch (url.pathname) {
    case "/livez":
      return OK;
    case "/startupz":
      return probes.started() ? OK : { status: 503, body: "starting\n" };
    case "/readyz":
      return readiness(probes.readiness(), url.searchParams.has("verbose"));
    case "/metrics":
      return {
        status: 200,
        body: await metrics.registry.metrics(),
        type: metrics.registry.contentType,
      };
    default:
      return { status: 404, body: "try /livez, /readyz?verbose, /startupz or /metrics\n" };
  }
}

function readiness(checks: readonly Check[], verbose: boolean): Reply {
  const ready = checks.every((check) => check.ok);
  if (ready && !verbose) return OK;
  const lines = checks.map((check) => `[${check.ok ? "+" : "-"}] ${check.name}: ${check.detail}\n`);
  return { status: ready ? 200 : 503, body: lines.join("") };
}

function send(response: ServerResponse, reply: Reply): void {
  const type = reply.type ?? "text/plain; charset=utf-8";
  response.writeHead(reply.status, { "content-type": type, "cache-control": "no-store" });
  response.end(reply.body);
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
