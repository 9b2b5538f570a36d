/** A process of its own that measures what idle connections cost a server: `<attested|bare> <count>`; reports KiB each. */
import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { generateTlsIdentity } from "../../src/transport/tls-identity.ts";
import { startAttested, startBareGrpc } from "./transport-rig.ts";

/** What the first connections allocate once and for all is not a connection's cost. */
const WARM_UP = 50;

const [kind = "attested", count = "1"] = process.argv.slice(2);
const script = `./transport-idle-clients${path.extname(import.meta.filename)}`;
const server =
  kind === "bare" ? await startBareGrpc(await generateTlsIdentity()) : await startAttested();
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const first = await open(WARM_UP);
const before = await resident();
const second = await open(Number(count));
process.send?.(((await resident()) - before) / Number(count) / 1024);
for (const clients of [first, second]) clients.disconnect();
await server.stop();

async function open(connections: number) {
  const address = [kind, String(server.port), String(connections)];
  const clients = fork(fileURLToPath(new URL(script, import.meta.url)), address);
  await once(clients, "message");
  return clients;
}

async function resident(): Promise<number> {
  // The collector gives memory back piece by piece.
  for (let round = 0; round < 6; round++) {
    collect();
    await setTimeout(100);
  }
  return process.memoryUsage().rss;
}
