import { execFileSync } from "node:child_process";
import { generateKeyPairSync, sign, webcrypto, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { concat, toHex, utf8 } from "../../../src/core/bytes.ts";
import { CERTIFICATE_REQUEST_BYTES_MAX } from "../../../src/core/limits.ts";
import { unwrap } from "../../../src/core/result.ts";
import {
  derBitString,
  derElement,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
} from "../../../src/crypto/der-writer.ts";
import { spkiOf } from "../../../src/crypto/spki.ts";
import {
  createCertificateRequest,
  verifyCertificateRequest,
} from "../../../src/pki/certificate-request.ts";
import { signingKeyOf, x509 } from "../../../src/pki/x509-library.ts";
import { leafKey } from "./mesh-fixture.ts";

const p256 = leafKey("P-256");
const p384 = leafKey("P-384");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "quorate-request-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function refusalOf(der: Uint8Array): Promise<string> {
  const result = await verifyCertificateRequest(der);
  if (result.ok) return "accepted";
  expect(result.error.code).toBe("invalid-argument");
  return result.error.message;
}

function verifyingKeyOf(namedCurve: string, spki: Uint8Array): Promise<webcrypto.CryptoKey> {
  const algorithm = { name: "ECDSA", namedCurve };
  return webcrypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]);
}

/** A request put together by hand, with any part replaced. */
function assemble(parts: {
  readonly version?: Uint8Array;
  readonly spki?: Uint8Array;
  readonly attributes?: Uint8Array;
  readonly algorithm?: string;
  readonly hash?: string | null;
  readonly key?: KeyObject;
}): Uint8Array {
  const info = derSequence(
    parts.version ?? derInteger(0),
    derSequence(),
    parts.spki ?? p256.elliptic.spki,
    parts.attributes ?? derElement(0xa0),
  );
  const hash = parts.hash === undefined ? "sha256" : parts.hash;
  const signature = sign(hash, info, parts.key ?? p256.privateKey);
  return derSequence(
    info,
    derSequence(derOid(parts.algorithm ?? "1.2.840.10045.4.3.2")),
    derBitString(signature),
  );
}

describe("a certificate request", () => {
  it.each([p256, p384])(
    "that we make is accepted by us, the X.509 library and openssl",
    async (key) => {
      const der = await createCertificateRequest(key.privateKey);
      const accepted = unwrap(await verifyCertificateRequest(der));
      expect(toHex(accepted.spki)).toBe(toHex(key.elliptic.spki));
      expect(accepted.curve).toBe(key.elliptic.curve);
      const theirs = new x509.Pkcs10CertificateRequest(der);
      expect(await theirs.verify()).toBe(true);
      expect(theirs.subject).toBe("");
      const path = join(folder, "request.der");
      writeFileSync(path, der);
      const command = ["req", "-in", path, "-inform", "DER", "-verify", "-noout"];
      execFileSync("openssl", command, { stdio: "pipe" });
    },
  );

  it.each([
    ["prime256v1", "-sha256"],
    ["prime256v1", "-sha384"],
    ["secp384r1", "-sha256"],
    ["secp384r1", "-sha384"],
  ])("that openssl makes for %s with %s is accepted for its key alone", async (curve, hash) => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: curve });
    const keyFile = join(folder, `${curve}.pem`);
    writeFileSync(keyFile, privateKey.export({ format: "pem", type: "pkcs8" }));
    const names = "subjectAltName=URI:spiffe://mesh.example/admin,DNS:*.example,IP:10.0.0.1";
    const der = execFileSync(
      "openssl",
      ["req", "-new", "-key", keyFile, hash, "-subj", "/CN=admin/O=Ünï", "-utf8"].concat([
        "-addext",
        names,
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-outform",
        "DER",
      ]),
      { stdio: "pipe" },
    );
    const accepted = unwrap(await verifyCertificateRequest(der));
    expect(Object.keys(accepted).sort()).toEqual(["curve", "keyObject", "point", "spki"]);
    expect(toHex(accepted.spki)).toBe(toHex(spkiOf(publicKey)));
  });

  it("is judged like the X.509 library judges it, whatever it asks for", async () => {
    const signingKeys = {
      "P-256": await signingKeyOf(p256.privateKey),
      "P-384": await signingKeyOf(p384.privateKey),
    };
    const publicKeys = {
      "P-256": await verifyingKeyOf("P-256", p256.elliptic.spki),
      "P-384": await verifyingKeyOf("P-384", p384.elliptic.spki),
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("P-256" as const, "P-384" as const),
        fc.constantFrom("SHA-256", "SHA-384"),
        fc.array(fc.tuple(fc.constantFrom("CN", "O", "OU"), fc.stringMatching(/^[a-z ]{1,20}$/)), {
          maxLength: 4,
        }),
        fc.array(fc.domain(), { maxLength: 3 }),
        fc.option(fc.nat()),
        async (curve, hash, name, dnsNames, flip) => {
          const request = await x509.Pkcs10CertificateRequestGenerator.create({
            name: name.map(([type, value]) => ({ [type]: [value] })),
            keys: {
              privateKey: signingKeys[curve],
              publicKey: publicKeys[curve],
            },
            signingAlgorithm: { name: "ECDSA", hash },
            extensions: [
              new x509.SubjectAlternativeNameExtension(
                dnsNames.map((value) => ({ type: "dns" as const, value })),
              ),
            ],
          });
          const der = new Uint8Array(request.rawData);
          if (flip !== null) der[flip % der.length]! ^= 1 << (flip % 8);
          const ours = await verifyCertificateRequest(der);
          // Strictness goes one way: what we accept, the library accepts, with the same key.
          if (flip === null) expect(ours.ok).toBe(true);
          if (!ours.ok) return;
          const theirs = new x509.Pkcs10CertificateRequest(der);
          expect(await theirs.verify()).toBe(true);
          expect(toHex(new Uint8Array(theirs.publicKey.rawData))).toBe(toHex(ours.value.spki));
        },
      ),
      { numRuns: 80 },
    );
  });

  it("is refused after a change of any single bit", async () => {
    const der = await createCertificateRequest(p256.privateKey);
    let accepted = 0;
    for (let index = 0; index < der.length; index++) {
      const changed = der.slice();
      changed[index]! ^= 1 << (index % 8);
      if ((await verifyCertificateRequest(changed)).ok) accepted++;
    }
    expect(accepted).toBe(0);
  });

  it("is refused with the reason: other keys, algorithms, versions and signers", async () => {
    const ed25519 = generateKeyPairSync("ed25519");
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const p521 = generateKeyPairSync("ec", { namedCurve: "secp521r1" });
    const offCurve = p256.elliptic.spki.slice();
    offCurve[offCurve.length - 1]! ^= 1;
    expect(await refusalOf(assemble({}))).toBe("accepted");
    expect(await refusalOf(assemble({ attributes: new Uint8Array(0) }))).toBe("accepted");
    const refused: [Uint8Array, string][] = [
      [assemble({ key: p384.privateKey }), "its own key"],
      [assemble({ hash: "sha384" }), "its own key"],
      [assemble({ spki: offCurve }), "not on P-256 or P-384"],
      [assemble({ spki: spkiOf(p521.publicKey), key: p521.privateKey }), "not on P-256"],
      [assemble({ spki: spkiOf(rsa.publicKey), key: rsa.privateKey }), "not on P-256"],
      [
        assemble({
          spki: spkiOf(ed25519.publicKey),
          key: ed25519.privateKey,
          hash: null,
          algorithm: "1.3.101.112",
        }),
        "not signed with ECDSA",
      ],
      [assemble({ algorithm: "1.2.840.10045.4.1", hash: "sha1" }), "not signed with ECDSA"],
      [assemble({ version: derInteger(1) }), "version"],
      [assemble({ attributes: concat(derElement(0xa0), derElement(0xa1)) }), "left over"],
      [concat(assemble({}), Uint8Array.of(0)), "left over"],
      [assemble({}).subarray(0, -1), "PKCS#10"],
      [new Uint8Array(0), "PKCS#10"],
      [utf8("-----BEGIN CERTIFICATE REQUEST-----"), "PKCS#10"],
      [new Uint8Array(CERTIFICATE_REQUEST_BYTES_MAX + 1), "more than"],
      [
        assemble({ attributes: derElement(0xa0, derOctetString(new Uint8Array(9000))) }),
        "more than",
      ],
    ];
    for (const [der, reason] of refused) expect(await refusalOf(der)).toContain(reason);
  });

  it("never makes the verifier throw, whatever the bytes are", async () => {
    const good = await createCertificateRequest(p256.privateKey);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc
            .tuple(fc.nat(good.length), fc.uint8Array({ maxLength: 20 }), fc.nat(40))
            .map(([at, patch, cut]) => concat(good.slice(0, at), patch, good.slice(at + cut))),
        ),
        async (bytes) => {
          const result = await verifyCertificateRequest(bytes);
          if (!result.ok) expect(result.error.code).toBe("invalid-argument");
        },
      ),
      { numRuns: 300 },
    );
  });

  it("is verified with its own key, whichever key is known from before", async () => {
    const der = await createCertificateRequest(p256.privateKey);
    const known = unwrap(await verifyCertificateRequest(der));
    expect(unwrap(await verifyCertificateRequest(der, known))).toBe(known);
    const other = await createCertificateRequest(p384.privateKey);
    const { curve } = unwrap(await verifyCertificateRequest(other, known));
    expect(curve).toBe("P-384");
    const forged = await verifyCertificateRequest(assemble({ hash: "sha384" }), known);
    expect(forged).toMatchObject({ ok: false, error: { code: "invalid-argument" } });
  });

  it("gives a key that does not share the request's memory", async () => {
    const der = await createCertificateRequest(p256.privateKey);
    const { spki, point } = unwrap(await verifyCertificateRequest(der));
    der.fill(0);
    expect(toHex(spki)).toBe(toHex(p256.elliptic.spki));
    expect(toHex(point)).toBe(toHex(p256.elliptic.point));
  });
});
