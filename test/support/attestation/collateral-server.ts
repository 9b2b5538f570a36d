/** A local HTTP server in the shape of KDS and PCS, with every fault that a service on the way can show. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What to answer at a path (query included). */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface CollateralServer {
  readonly url: string;
  /** Paths asked for, in order. */
  readonly asked: string[];
  /** Replaces what a path answers; `undefined` path: what every path answers. */
  answer(path: string | undefined, handler: Handler | undefined): void;
  close(): Promise<void>;
}

export async function startCollateralServer(): Promise<CollateralServer> {
  const handlers = new Map<string | undefined, Handler>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const handler = handlers.get(undefined) ?? handlers.get(request.url);
    if (handler === undefined) response.writeHead(404).end();
    else handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    answer(path, handler) {
      if (handler === undefined) handlers.delete(path);
      else handlers.set(path, handler);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A proper answer. */
export const body =
  (bytes: Uint8Array, headers: Record<string, string> = {}): Handler =>
  (_, response) => {
    response.writeHead(200, headers).end(bytes);
  };
