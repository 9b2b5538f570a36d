/** Certificates as PEM text (RFC 7468), the form in which workloads and verifiers get them. */

/** PEM of certificates in DER, one after the other: a chain, or a trust bundle. */
export function certificatesPem(...certificates: readonly Uint8Array[]): string {
  return certificates.map(certificatePem).join("");
}

function certificatePem(der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}
