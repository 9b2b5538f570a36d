import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  instanceReportData,
  sessionBinding,
  type SessionBindingParts,
  userAttestStatement,
} from "../../../src/attestation/report-data.ts";
import type { InstanceId } from "../../../src/core/brand.ts";

/** A second, deliberately plain implementation of the specification's formula. */
function formula(...parts: (string | Uint8Array)[]): Uint8Array {
  const hash = createHash("sha512");
  for (const part of parts) {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return new Uint8Array(hash.digest());
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

const parts: SessionBindingParts = {
  purpose: "mesh-session",
  role: "client",
  exporter: new Uint8Array(32).fill(7),
  serverCertificate: Uint8Array.of(1, 2, 3),
  clientCertificate: Uint8Array.of(4, 5, 6),
};
const keys = {
  id: "0123456789abcdef0123456789abcdef" as InstanceId,
  name: "coordinator-0",
  signingKey: Uint8Array.of(8),
  hpkeKey: Uint8Array.of(9),
};

describe("statements", () => {
  it("are the specification's hashes", () => {
    expect(sessionBinding(parts)).toEqual(
      formula(
        "quorate/attest/v1",
        "mesh-session",
        "client",
        parts.exporter,
        sha256(parts.serverCertificate),
        sha256(parts.clientCertificate),
      ),
    );
    expect(instanceReportData(keys)).toEqual(
      formula("quorate/attest/v1", "instance", keys.id, keys.name, keys.signingKey, keys.hpkeKey),
    );
    const nonce = new Uint8Array(32).fill(1);
    const serverCertificate = Uint8Array.of(1, 2, 3);
    const headRecord = Uint8Array.of(5, 5);
    expect(
      userAttestStatement({ nonce, serverCertificate, headRecord, mode: "MODE_READY" }),
    ).toEqual(
      formula(
        "quorate/attest/v1",
        "user-attest",
        nonce,
        sha256(serverCertificate),
        headRecord,
        "MODE_READY",
      ),
    );
  });

  it("differ as soon as any part does", () => {
    const variants: SessionBindingParts[] = [
      parts,
      { ...parts, purpose: "peer-session" },
      { ...parts, role: "server" },
      { ...parts, exporter: new Uint8Array(32).fill(8) },
      { ...parts, serverCertificate: parts.clientCertificate },
      { ...parts, clientCertificate: parts.serverCertificate },
    ];
    const seen = new Set(
      variants.map((variant) => Buffer.from(sessionBinding(variant)).toString("hex")),
    );
    expect(seen.size).toBe(variants.length);
  });
});
