/** The SPKI of a key, which identifies it throughout the project. */
import { createPublicKey, type KeyObject } from "node:crypto";
import type { Sha256 } from "../core/brand.ts";
import { sha256 } from "./hash.ts";

/** SPKI DER of a public key, or of a private key's public half, as OpenSSL writes it: canonical for its own keys. */
export function spkiOf(key: KeyObject): Uint8Array {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
}

/** A key's id: SHA-256 of its SPKI. */
export function keyIdOf(key: KeyObject): Sha256 {
  return sha256(spkiOf(key));
}
