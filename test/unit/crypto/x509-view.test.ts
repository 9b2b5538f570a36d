import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import {
  derBitString,
  derElement,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derTime,
  derTrue,
} from "../../../src/crypto/der-writer.ts";
import { DER_TAG, contextTag } from "../../../src/crypto/der.ts";
import { parseRevocationList } from "../../../src/crypto/revocation-list.ts";
import { verifySignature } from "../../../src/crypto/signature.ts";
import { isSignedBy, parseCertificate, publicKeyOf } from "../../../src/crypto/x509-view.ts";
import { distinguishedName } from "../../../src/attestation/dev/certificate-writer.ts";

const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed25519 = generateKeyPairSync("ed25519");
const SPKI = new Uint8Array(p256.publicKey.export({ format: "der", type: "spki" }));
const ECDSA_SHA256 = derSequence(derOid("1.2.840.10045.4.3.2"));
const NAME = distinguishedName("Organization", "subject");
const T0 = Date.parse("2024-01-01T00:00:00Z");
const T1 = Date.parse("2051-01-01T00:00:00Z");

const extension = (oid: string, value: Uint8Array, isCritical = false): Uint8Array =>
  derSequence(derOid(oid), ...(isCritical ? [derTrue()] : []), derOctetString(value));

interface Parts {
  readonly version?: Uint8Array;
  readonly serial?: Uint8Array;
  readonly algorithm?: Uint8Array;
  readonly outerAlgorithm?: Uint8Array;
  readonly subject?: Uint8Array;
  readonly extensions?: readonly Uint8Array[];
  readonly extra?: readonly Uint8Array[];
}

function certificate(parts: Parts = {}): Uint8Array {
  const algorithm = parts.algorithm ?? ECDSA_SHA256;
  const tbs = derSequence(
    parts.version ?? derElement(contextTag(0), derInteger(2)),
    parts.serial ?? derInteger(0x1234),
    algorithm,
    NAME,
    derSequence(derTime(T0), derTime(T1)),
    parts.subject ?? NAME,
    SPKI,
    derElement(contextTag(3), derSequence(...(parts.extensions ?? []))),
    ...(parts.extra ?? []),
  );
  const signature = sign("sha256", tbs, p256.privateKey);
  return derSequence(tbs, parts.outerAlgorithm ?? algorithm, derBitString(signature));
}

const reason = (der: Uint8Array): string => {
  const result = parseCertificate(der);
  return result.ok ? "readable" : result.error.message;
};

describe("a certificate", () => {
  it("gives what a verifier needs", async () => {
    const constraints = extension("2.5.29.19", derSequence(derTrue(), derInteger(1)), true);
    const usage = extension("2.5.29.15", derElement(3, Uint8Array.of(1, 0b1000_0110)), true);
    const result = parseCertificate(certificate({ extensions: [constraints, usage] }));
    if (!result.ok) throw new Error(result.error.message);
    const view = result.value;
    expect(view).toMatchObject({
      serial: "1234",
      signatureAlgorithm: "ecdsa-sha256",
      subject: { encoded: NAME, commonName: "subject" },
      notBefore: T0,
      notAfter: T1,
      spki: SPKI,
      isAuthority: true,
      pathLength: 1,
      keyUsage: { digitalSignature: true, keyCertSign: true, crlSign: true },
    });
    expect(view.extensions.get("2.5.29.19")?.critical).toBe(true);
    expect(await isSignedBy(view, publicKeyOf(view)!)).toBe(true);
    expect(await isSignedBy(view, other.publicKey)).toBe(false);
  });

  it("without extensions restricts nothing and is no authority", () => {
    const result = parseCertificate(certificate());
    expect(result.ok && result.value).toMatchObject({
      isAuthority: false,
      pathLength: undefined,
      keyUsage: undefined,
    });
  });

  it("with two common names has none", () => {
    const attribute = derSequence(derOid("2.5.4.3"), derElement(DER_TAG.utf8String, utf8("x")));
    const subject = derSequence(
      derElement(DER_TAG.set, attribute),
      derElement(DER_TAG.set, attribute),
    );
    const result = parseCertificate(certificate({ subject }));
    expect(result.ok && result.value.subject.commonName).toBeUndefined();
    expect(result.ok).toBe(true);
  });

  it.each([
    ["version 1", { version: new Uint8Array(0) }, "not an X.509 version 3 certificate"],
    ["version 2", { version: derElement(contextTag(0), derInteger(1)) }, "not an X.509 version 3"],
    [
      "two signature algorithms",
      { outerAlgorithm: derSequence(derOid("1.2.840.10045.4.3.3")) },
      "the two signature algorithms differ",
    ],
    [
      "an extension twice",
      { extensions: [extension("1.2.3", utf8("a")), extension("1.2.3", utf8("b"))] },
      "extension 1.2.3 appears twice",
    ],
    [
      "33 extensions",
      { extensions: Array.from({ length: 33 }, (_, i) => extension(`1.2.${i}`, utf8("a"))) },
      "more than 32 items",
    ],
    [
      "malformed basic constraints",
      { extensions: [extension("2.5.29.19", utf8("x"))] },
      "extension 2.5.29.19:",
    ],
    [
      "malformed key usage",
      { extensions: [extension("2.5.29.15", derInteger(1))] },
      "extension 2.5.29.15:",
    ],
    ["fields behind the extensions", { extra: [derInteger(1)] }, "left over"],
    ["a serial that is no integer", { serial: derOctetString(utf8("1")) }, "expected tag 0x02"],
  ] satisfies [string, Parts, string][])("is refused with %s", (_what, parts, message) => {
    expect(reason(certificate(parts))).toContain(message);
  });

  it("is refused above 16 KiB, unread", () => {
    const huge = certificate({ extensions: [extension("1.2.3", new Uint8Array(17_000))] });
    expect(reason(huge)).toContain("more than 16384");
  });

  it("has no key if OpenSSL refuses it", () => {
    const result = parseCertificate(certificate());
    if (!result.ok) throw new Error(result.error.message);
    const spki = result.value.spki.slice();
    spki.fill(0xff, spki.length - 60);
    expect(publicKeyOf({ ...result.value, spki })).toBeUndefined();
  });

  it("of an unknown signature algorithm is readable and verifies with no key", async () => {
    for (const algorithm of [
      derSequence(derOid("1.2.840.113549.1.1.5"), derElement(DER_TAG.null)),
      // RSA-PSS with other parameters than AMD's: all defaults, so SHA-1.
      derSequence(derOid("1.2.840.113549.1.1.10"), derSequence()),
    ]) {
      const result = parseCertificate(certificate({ algorithm }));
      if (!result.ok) throw new Error(result.error.message);
      expect(result.value.signatureAlgorithm).toBe("unsupported");
      expect(await isSignedBy(result.value, p256.publicKey)).toBe(false);
    }
  });
});

describe("a signature", () => {
  const message = utf8("message");

  it("is verified in both encodings of ECDSA", async () => {
    const der = sign("sha256", message, p256.privateKey);
    const raw = sign("sha256", message, { key: p256.privateKey, dsaEncoding: "ieee-p1363" });
    const check = (signature: Uint8Array, encoding: "der" | "ieee-p1363"): Promise<boolean> =>
      verifySignature("ecdsa-sha256", p256.publicKey, message, signature, encoding);
    expect(await check(der, "der")).toBe(true);
    expect(await check(raw, "ieee-p1363")).toBe(true);
    expect(await check(raw, "der")).toBe(false);
    expect(await check(der, "ieee-p1363")).toBe(false);
  });

  it("counts only with the algorithm that was asked for, and its key type", async () => {
    const signature = sign(null, message, ed25519.privateKey);
    const check = (algorithm: Parameters<typeof verifySignature>[0]): Promise<boolean> =>
      verifySignature(algorithm, ed25519.publicKey, message, signature);
    expect(await check("ed25519")).toBe(true);
    for (const algorithm of [
      "ecdsa-sha256",
      "ecdsa-sha384",
      "rsa-pss-sha384",
      "unsupported",
    ] as const) {
      expect(await check(algorithm)).toBe(false);
    }
  });

  it("that is garbage is false, not an exception", async () => {
    for (const signature of [new Uint8Array(0), new Uint8Array(5), new Uint8Array(64)]) {
      expect(await verifySignature("ecdsa-sha256", p256.publicKey, message, signature)).toBe(false);
      expect(
        await verifySignature("ecdsa-sha256", p256.publicKey, message, signature, "ieee-p1363"),
      ).toBe(false);
    }
  });
});

describe("a revocation list", () => {
  interface ListParts {
    readonly version?: readonly Uint8Array[];
    readonly nextUpdate?: readonly Uint8Array[];
    readonly entries?: readonly Uint8Array[];
    readonly extensions?: readonly Uint8Array[];
    readonly outerAlgorithm?: Uint8Array;
  }
  function list(parts: ListParts = {}): Uint8Array {
    const tbs = derSequence(
      ...(parts.version ?? [derInteger(1)]),
      ECDSA_SHA256,
      NAME,
      derTime(T0),
      ...(parts.nextUpdate ?? [derTime(T1)]),
      ...(parts.entries === undefined ? [] : [derSequence(...parts.entries)]),
      derElement(contextTag(0), derSequence(...(parts.extensions ?? []))),
    );
    const signature = sign("sha256", tbs, p256.privateKey);
    return derSequence(tbs, parts.outerAlgorithm ?? ECDSA_SHA256, derBitString(signature));
  }
  const reasonFor = "2.5.29.21";

  it("gives its dates and serials", () => {
    const entries = [
      derSequence(derInteger(7), derTime(T0)),
      derSequence(derInteger(0x80), derTime(T0), derSequence(extension(reasonFor, utf8("x")))),
    ];
    const result = parseRevocationList(
      list({ entries, extensions: [extension("2.5.29.20", utf8("x"))] }),
    );
    expect(result.ok && result.value).toMatchObject({
      thisUpdate: T0,
      nextUpdate: T1,
      issuer: { commonName: "subject" },
      revokedSerials: new Set(["07", "0080"]),
    });
  });

  it("may be empty", () => {
    const result = parseRevocationList(list());
    expect(result.ok && result.value.revokedSerials.size).toBe(0);
    expect(result.ok).toBe(true);
  });

  it.each([
    ["version 1", { version: [] }, "expected tag 0x02"],
    ["version 3", { version: [derInteger(2)] }, "not a version 2 revocation list"],
    ["no next update", { nextUpdate: [] }, "no next update"],
    [
      "a critical extension: a delta list",
      { extensions: [extension("2.5.29.27", derInteger(1), true)] },
      "critical extension 2.5.29.27",
    ],
    [
      "a critical extension of an entry: an indirect list",
      {
        entries: [
          derSequence(derInteger(7), derTime(T0), derSequence(extension("2.5.29.29", NAME, true))),
        ],
      },
      "critical extension 2.5.29.29",
    ],
    ["an entry without date", { entries: [derSequence(derInteger(7))] }, "breaks off"],
    [
      "two signature algorithms",
      { outerAlgorithm: derSequence(derOid("1.2.840.10045.4.3.3")) },
      "the two signature algorithms differ",
    ],
  ] satisfies [string, ListParts, string][])("is refused with %s", (_what, parts, message) => {
    const result = parseRevocationList(list(parts));
    expect(result.ok ? "readable" : result.error.message).toContain(message);
  });
});
