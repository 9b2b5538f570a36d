// A flood of strangers in a thread of its own: as many TLS handshakes as it can do, each with a proof that is garbage.
import { connect } from "node:tls";
import { parentPort, workerData } from "node:worker_threads";

const { port, key, cert, alpn, connections } = workerData;
const frame = Buffer.alloc(4 + 2_000, 0xff);
frame.writeUInt32BE(2_000);
let attempts = 0;
let stopped = false;

function flood() {
  if (stopped) return;
  attempts++;
  const socket = connect({
    port,
    host: "127.0.0.1",
    key,
    cert,
    ALPNProtocols: [alpn],
    rejectUnauthorized: false,
  });
  socket.on("error", () => undefined);
  socket.once("secureConnect", () => {
    socket.write(frame);
    socket.resume();
  });
  socket.once("close", () => setImmediate(flood));
}

for (let i = 0; i < connections; i++) flood();
parentPort.once("message", () => {
  stopped = true;
  parentPort.postMessage(attempts);
  process.exit(0);
});
