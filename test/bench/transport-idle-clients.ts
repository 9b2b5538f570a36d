/** A process of its own that opens idle connections: `<attested|bare> <port> <count>`; ends when its parent says so. */
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { once } from "node:events";
import process from "node:process";
import { createSecureContext } from "node:tls";
import { attestToServer } from "../../src/transport/client-handshake.ts";
import { generateTlsIdentity, tlsOptions } from "../../src/transport/tls-identity.ts";
import { freshProver, verifier } from "./transport-rig.ts";

const [kind, port, count] = process.argv.slice(2);
const identity = await generateTlsIdentity();
const context = createSecureContext(tlsOptions(identity));
const attestation = { purpose: "mesh-session" as const, prover: freshProver, verifier };
for (let i = 0; i < Number(count); i++) {
  if (kind === "bare") {
    await once(
      connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false }),
      "remoteSettings",
    );
    continue;
  }
  const tcp = connectTcp(Number(port), "127.0.0.1");
  await once(tcp, "connect");
  const { signal } = new AbortController();
  const { socket } = await attestToServer(tcp, identity, context, attestation, signal);
  await once(connectHttp2("https://bench", { createConnection: () => socket }), "remoteSettings");
}
process.send?.("open");
process.once("disconnect", () => process.exit(0));
