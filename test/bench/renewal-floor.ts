/**
 * A process of its own that does nothing but the cryptography of a renewal, as often as its parent says: import the
 * request's public key (`new`) or know it (`same`), verify its signature, sign the leaf. Answers with the CPU
 * microseconds that one took.
 */
import { generateKeyPairSync, KeyObject, sign, verify, webcrypto } from "node:crypto";
import process from "node:process";

/** Of a request's info and of a leaf's to-be-signed part. */
const SIGNED_BYTES = { request: 120, leaf: 560 };

const ca = generateKeyPairSync("ec", { namedCurve: "P-256" });
const subject = generateKeyPairSync("ec", { namedCurve: "P-256" });
const point = subject.publicKey.export({ format: "der", type: "spki" }).subarray(-65);
const algorithm = { name: "ECDSA", namedCurve: "P-256" };
/** The quickest way that Node has. */
const imported = async (): Promise<KeyObject> =>
  KeyObject.from(await webcrypto.subtle.importKey("raw", point, algorithm, true, ["verify"]));
const info = Buffer.alloc(SIGNED_BYTES.request);
const leaf = Buffer.alloc(SIGNED_BYTES.leaf);
const signature = sign("sha256", info, subject.privateKey);

async function measure(count: number): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const key = process.argv[2] === "new" ? await imported() : subject.publicKey;
    if (!verify("sha256", info, key, signature)) throw new Error("the signature verifies");
    sign("sha256", leaf, ca.privateKey);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

process.on("message", (count: number) => {
  void measure(count).then((micros) => process.send?.(micros));
});
process.send?.("ready");
process.once("disconnect", () => process.exit(0));
