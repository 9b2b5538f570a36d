/** The names of a leaf as its SubjectAltName extension's value (RFC 5280 section 4.2.1.6). */
import { assert } from "../core/assert.ts";
import { utf8 } from "../core/bytes.ts";
import { parseIpAddress } from "../core/manifest/ip-address.ts";
import type { Policy } from "../core/manifest/manifest.ts";
import { derElement, derSequence } from "../crypto/der-writer.ts";

/** Who a leaf speaks for: the part of a manifest's policy that goes into certificates. */
export type LeafIdentity = Pick<Policy, "spiffePath" | "dnsNames" | "ipAddresses">;

const TAG = { dns: 0x82, uri: 0x86, ip: 0x87 } as const;

/** The SPIFFE id that is a leaf's only URI. */
export function spiffeId(trustDomain: string, identity: LeafIdentity): string {
  return `spiffe://${trustDomain}${identity.spiffePath}`;
}

/**
 * GeneralNames: the SPIFFE id, then the DNS names and the IP addresses in the manifest's order.
 *
 * **Security:** names come from the manifest alone, whose parser has checked their syntax; nothing of a request is in
 * here.
 */
export function subjectAltName(trustDomain: string, identity: LeafIdentity): Uint8Array {
  return derSequence(
    derElement(TAG.uri, ascii(spiffeId(trustDomain, identity))),
    ...identity.dnsNames.map((name) => derElement(TAG.dns, ascii(name))),
    ...identity.ipAddresses.map((text) => {
      const address = parseIpAddress(text);
      assert(address !== undefined, "a manifest's IP addresses can be parsed");
      return derElement(TAG.ip, address);
    }),
  );
}

function ascii(text: string): Uint8Array {
  const bytes = utf8(text);
  assert(bytes.length === text.length, "a name in a certificate is ASCII");
  return bytes;
}
