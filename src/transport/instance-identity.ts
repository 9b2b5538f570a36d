/** One run of a coordinator process: its random id and the keys that its instance quote vouches for. */
import { sign } from "node:crypto";
import type { InstanceKeys } from "../attestation/report-data.ts";
import type { InstanceId } from "../core/brand.ts";
import { toHex } from "../core/bytes.ts";
import { HpkeRecipient } from "../crypto/hpke.ts";
import { randomBytes } from "../crypto/random.ts";
import { generateTlsIdentity, type TlsIdentity } from "./tls-identity.ts";

/** The keys of this process's instance; the private ones never leave it. */
export interface InstanceIdentity {
  /** What others know of it. */
  readonly keys: InstanceKeys;
  /** TLS side of the same P-256 key. */
  readonly tls: TlsIdentity;
  /** Opens what was sealed to {@link InstanceKeys.hpkeKey}. */
  readonly hpke: HpkeRecipient;
}

const INSTANCE_ID_BYTES = 16;

/**
 * Makes a new instance: at process start, and again after it has voted in a heal.
 *
 * @param name the coordinator's stable name.
 * @param tlsNames further DNS names and IP addresses under which ordinary TLS clients reach it.
 */
export async function generateInstance(
  name: string,
  tlsNames: readonly string[] = [],
): Promise<InstanceIdentity> {
  const [tls, hpke] = await Promise.all([
    generateTlsIdentity([name, ...tlsNames.filter((other) => other !== name)]),
    HpkeRecipient.generate(),
  ]);
  const id = toHex(randomBytes(INSTANCE_ID_BYTES)) as InstanceId;
  return { keys: { id, name, signingKey: tls.spki, hpkeKey: hpke.publicKey }, tls, hpke };
}

/**
 * The instance key's signature (ECDSA P-256 SHA-256, DER) over a statement of `attestation/report-data.ts`.
 *
 * **Security:** only ever over these 64-byte statements, whose purposes keep them apart; TLS signs other lengths.
 */
export function signStatement(instance: InstanceIdentity, statement: Uint8Array): Uint8Array {
  return new Uint8Array(sign("sha256", statement, instance.tls.privateKey));
}
