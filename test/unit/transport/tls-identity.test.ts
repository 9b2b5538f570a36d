import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { certificatesPem } from "../../../src/pki/pem.ts";
import { generateInstance } from "../../../src/transport/instance-identity.ts";
import { generateTlsIdentity, tlsOptions } from "../../../src/transport/tls-identity.ts";

describe("a TLS identity", () => {
  it("has a self-signed P-256 certificate that Node and OpenSSL accept", async () => {
    const identity = await generateTlsIdentity(["coordinator-0", "127.0.0.1", "::1"]);
    const certificate = new X509Certificate(identity.certificate);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.subjectAltName).toBe(
      "DNS:coordinator-0, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
    );
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    const folder = await mkdtemp(path.join(tmpdir(), "quorate-tls-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = path.join(folder, "own.pem");
    await writeFile(file, certificatesPem(identity.certificate));
    const arguments_ = ["verify", "-x509_strict", "-partial_chain", "-CAfile", file, file];
    const { stdout } = await promisify(execFile)("openssl", arguments_);
    expect(stdout).toContain("OK");
  });

  it("says nothing about time and needs no names", async () => {
    const certificate = new X509Certificate((await generateTlsIdentity()).certificate);
    expect(certificate.subjectAltName).toBeUndefined();
    expect(certificate.validFrom).toBe("Jan  1 00:00:00 2020 GMT");
    expect(certificate.validTo).toBe("Dec 31 23:59:59 9999 GMT");
  });

  it("allows TLS 1.3 only, without tickets", async () => {
    const options = tlsOptions(await generateTlsIdentity());
    expect(options).toMatchObject({ minVersion: "TLSv1.3", maxVersion: "TLSv1.3" });
    expect(options.secureOptions).toBe(0x4000);
  });
});

describe("an instance", () => {
  it("is new each time, in everything but its name", async () => {
    const [first, second] = [await generateInstance("a"), await generateInstance("a")];
    expect(first.keys.id).toMatch(/^[0-9a-f]{32}$/);
    expect(first.keys.hpkeKey).toHaveLength(32);
    expect(first.keys.signingKey).toEqual(first.tls.spki);
    expect(first.keys.name).toBe(second.keys.name);
    for (const field of ["id", "signingKey", "hpkeKey"] as const) {
      expect(first.keys[field]).not.toEqual(second.keys[field]);
    }
  });
});
