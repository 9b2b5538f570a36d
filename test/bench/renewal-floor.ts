/**
 * A process of its own that does nothing but the cryptography of a renewal, as often as its parent says: import the
 * request's public key, verify its signature, sign the leaf. Answers with the CPU microseconds that one took.
 */
import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import process from "node:process";

/** Of a request's info and of a leaf's to-be-signed part. */
const SIGNED_BYTES = { request: 120, leaf: 560 };

const ca = generateKeyPairSync("ec", { namedCurve: "P-256" });
const subject = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = subject.publicKey.export({ format: "jwk" });
const info = Buffer.alloc(SIGNED_BYTES.request);
const leaf = Buffer.alloc(SIGNED_BYTES.leaf);
const signature = sign("sha256", info, subject.privateKey);

process.on("message", (count: number) => {
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const key = createPublicKey({ format: "jwk", key: jwk });
    if (!verify("sha256", info, key, signature)) throw new Error("the signature verifies");
    sign("sha256", leaf, ca.privateKey);
  }
  const { user, system } = process.cpuUsage(before);
  process.send?.((user + system) / count);
});
process.send?.("ready");
process.once("disconnect", () => process.exit(0));
