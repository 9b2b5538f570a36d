/** Ports for processes that must know each other's addresses before they start. */
import { createServer } from "node:net";

/**
 * Below the range from which the system picks ports of outgoing connections: a port here stays free while the process
 * that has it is restarted.
 */
const FIRST = 10_000;
const LAST = 32_000;
const given = new Set<number>();

/** Ports of 127.0.0.1 that are free, and that no earlier call gave. */
export async function choosePorts(count: number): Promise<number[]> {
  const chosen: number[] = [];
  while (chosen.length < count) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    chosen.push(port);
  }
  return chosen;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => {
      resolve(false);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
