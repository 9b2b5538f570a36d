/**
 * A process of its own that renews on one attested session: `<folder> <mesh address> <new|same> <waiting>`.
 * Its parent sends a number of renewals to do; it answers with the number when they are done.
 */
import { generateKeyPairSync } from "node:crypto";
import process from "node:process";
import { createCertificateRequest } from "../../src/pki/index.ts";
import { meshClient } from "./mesh-client.ts";

/** Requests that are made beforehand and used in turn: more keys than a server could know again by accident. */
const KEYS = 400;

const [folder = "", mesh = "", kind, waiting] = process.argv.slice(2);
const client = await (await meshClient(folder, mesh))();
const requests: Uint8Array[] = [];
for (let i = 0; i < (kind === "new" ? KEYS : 1); i++) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  requests.push(await createCertificateRequest(privateKey));
}
let next = 0;
process.on("message", (count: number) => {
  let left = count;
  const renew = async (): Promise<void> => {
    while (left-- > 0) {
      const certificateRequest = requests[next++ % requests.length] ?? new Uint8Array();
      await client.mesh.newMeshCert({ certificateRequest });
    }
  };
  void Promise.all(Array.from({ length: Number(waiting) }, renew)).then(() =>
    process.send?.(count),
  );
});
process.send?.("ready");
process.once("disconnect", () => process.exit(0));
