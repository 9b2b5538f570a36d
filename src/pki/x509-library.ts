/**
 * The X.509 library, ready to use. Import it from here only: its dependency injection needs `reflect-metadata` loaded
 * before it, and one copy of it. Milliseconds a call: never on the hot path.
 */
import "reflect-metadata";
import { webcrypto, type KeyObject } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { assert } from "../core/assert.ts";
import { Secret } from "../crypto/secret.ts";

x509.cryptoProvider.set(webcrypto);

export { x509 };

const CURVES: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384" };

/** A signing key for the library from a private P-256 or P-384 key; it can't be exported again. */
export async function signingKeyOf(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const namedCurve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""];
  assert(namedCurve !== undefined, "a CA key is on P-256 or P-384");
  const pkcs8 = Secret.take(key.export({ format: "der", type: "pkcs8" }));
  try {
    return await pkcs8.use((bytes) =>
      webcrypto.subtle.importKey("pkcs8", bytes, { name: "ECDSA", namedCurve }, false, ["sign"]),
    );
  } finally {
    pkcs8.dispose();
  }
}
