/**
 * Parsers and verifier of SNP evidence against anything: no exception, no acceptance. `QUORATE_LONG=1` runs forty
 * times as many cases.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { concat } from "../../../src/core/bytes.ts";
import { parseDer, type DerReader } from "../../../src/crypto/der.ts";
import { derElement } from "../../../src/crypto/der-writer.ts";
import { parseRevocationList } from "../../../src/crypto/revocation-list.ts";
import { parseCertificate } from "../../../src/crypto/x509-view.ts";
import { CertificateCache } from "../../../src/attestation/certificate-cache.ts";
import { describeEvidence } from "../../../src/attestation/describe.ts";
import { parseEvidenceFile } from "../../../src/attestation/evidence-file.ts";
import {
  encodeCertificateTable,
  parseCertificateTable,
} from "../../../src/attestation/snp/certificate-table.ts";
import { SNP_REPORT_BYTES, parseSnpReport } from "../../../src/attestation/snp/report.ts";
import { verifySnp } from "../../../src/attestation/snp/verify-snp.ts";
import { NO_COLLATERAL } from "../../../src/attestation/verification.ts";
import {
  type MadeEvidence,
  NOW,
  type VendorKeys,
  makeEvidence,
  makeRevocationList,
  vendorKeys,
} from "../../support/attestation/snp-vendor.ts";

const IS_LONG = process.env["QUORATE_LONG"] === "1";
const RUNS = IS_LONG ? 20_000 : 500;

let keys: VendorKeys;
let made: MadeEvidence;
let list: Uint8Array;
beforeAll(async () => {
  keys = await vendorKeys();
  made = await makeEvidence(keys);
  list = await makeRevocationList(keys.ark.privateKey, { serials: [5, 6, 7] });
});

/** A few bytes of a real structure replaced, cut or repeated: garbage that gets past the first checks. */
const mutationsOf = (original: () => Uint8Array): fc.Arbitrary<Uint8Array> =>
  fc
    .array(
      fc.record({
        at: fc.nat(1_000_000),
        kind: fc.constantFrom("flip", "set", "cut", "insert" as const),
        byte: fc.nat(255),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((edits) =>
      edits.reduce<Uint8Array>((bytes, { at, kind, byte }) => {
        if (bytes.length === 0) return Uint8Array.of(byte);
        const offset = at % bytes.length;
        switch (kind) {
          case "flip":
            return bytes.with(offset, (bytes[offset] ?? 0) ^ (1 << (byte & 7)));
          case "set":
            return bytes.with(offset, byte);
          case "cut":
            return concat(bytes.subarray(0, offset), bytes.subarray(offset + 1 + (byte & 15)));
          case "insert":
            return concat(bytes.subarray(0, offset), Uint8Array.of(byte), bytes.subarray(offset));
          default:
            return bytes;
        }
      }, original()),
    );

const anyBytes = fc.uint8Array({ maxLength: 3000 });

describe("no parser throws, whatever it is given", () => {
  it("reports", () => {
    const sized = fc
      .tuple(fc.uint8Array({ minLength: SNP_REPORT_BYTES, maxLength: SNP_REPORT_BYTES }), fc.nat(6))
      .map(([bytes, version]) => bytes.with(0, version).fill(0, 1, 4));
    fc.assert(
      fc.property(fc.oneof(anyBytes, sized), (bytes) => {
        const { parsed, failures } = parseSnpReport(bytes);
        expect(parsed !== undefined || failures.length > 0).toBe(true);
        describeEvidence({ platform: "snp", quote: bytes, certificates: bytes });
      }),
      { numRuns: RUNS },
    );
  });

  it("certificate tables, whose entries stay inside the table and bounded in number", () => {
    const table = (): Uint8Array =>
      encodeCertificateTable([
        { kind: "vcek", data: new Uint8Array(30).fill(1) },
        { kind: "crl", data: new Uint8Array(20).fill(2) },
      ]);
    fc.assert(
      fc.property(fc.oneof(anyBytes, mutationsOf(table)), (bytes) => {
        const { entries } = parseCertificateTable(bytes);
        expect(entries.length).toBeLessThanOrEqual(32);
        for (const { data } of entries) {
          expect(data.buffer).toBe(bytes.buffer);
          expect(data.byteOffset + data.length).toBeLessThanOrEqual(
            bytes.byteOffset + bytes.length,
          );
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("certificates and revocation lists", () => {
    const seen = { certificates: 0, lists: 0 };
    const anything = fc.oneof(
      anyBytes,
      mutationsOf(() => made.leaf),
      mutationsOf(() => made.ask),
      mutationsOf(() => list),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        if (parseCertificate(bytes).ok) seen.certificates += 1;
        if (parseRevocationList(bytes).ok) seen.lists += 1;
      }),
      { numRuns: 4 * RUNS },
    );
    // Changes inside strings, keys and signatures leave a certificate readable: both outcomes must occur.
    expect(seen.certificates).toBeGreaterThan(10);
    expect(seen.lists).toBeGreaterThan(10);
  });

  it("files of evidence", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anyBytes,
          mutationsOf(() => made.evidence.quote),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          const result = parseEvidenceFile(bytes);
          if (result.ok) describeEvidence(result.value);
          else expect(result.error.code).toBe("evidence-malformed");
        },
      ),
      { numRuns: RUNS },
    );
  });
});

describe("DER", () => {
  interface Tree {
    readonly tag: number;
    readonly content: Uint8Array | readonly Tree[];
  }
  const isConstructed = (tag: number): boolean => (tag & 0x20) !== 0;
  const encode = ({ tag, content }: Tree): Uint8Array =>
    content instanceof Uint8Array
      ? derElement(tag, content)
      : derElement(tag, ...content.map(encode));
  const readTree = (der: DerReader): Tree => {
    const tag = der.peekTag() ?? der.fail("nothing");
    return isConstructed(tag)
      ? { tag, content: der.inside((inner) => inner.list(readTree, 1000), tag) }
      : { tag, content: der.any().content };
  };
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.record({
        tag: fc.constantFrom(2, 4, 6, 12, 0x80),
        content: fc.uint8Array({ maxLength: 300 }),
      }),
      fc.record({
        tag: fc.constantFrom(0x30, 0x31, 0xa0),
        content: fc.array(tie("tree"), { maxLength: 4 }),
      }),
    ),
  }));

  it("is read back as it was written", () => {
    fc.assert(
      fc.property(tree, (original) => {
        const result = parseDer(encode(original), readTree);
        expect(result.ok && encode(result.value)).toEqual(encode(original));
      }),
      { numRuns: RUNS },
    );
  });

  it("has one encoding: what is accepted encodes to the same bytes again", () => {
    let accepted = 0;
    const mutated = tree.chain((original) => mutationsOf(() => encode(original)));
    fc.assert(
      fc.property(mutated, (bytes) => {
        const result = parseDer(bytes, readTree);
        if (!result.ok) return;
        accepted += 1;
        expect(encode(result.value)).toEqual(bytes);
      }),
      { numRuns: 4 * RUNS },
    );
    expect(accepted).toBeGreaterThan(20);
  });
});

describe("the verifier", () => {
  it("accepts nothing that was changed anywhere, and never rejects", async () => {
    const context = {
      now: NOW,
      developmentRoots: new Set([made.root]),
      cache: new CertificateCache(),
    };
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.constant(made.evidence.quote),
          mutationsOf(() => made.evidence.quote),
        ),
        fc.oneof(
          mutationsOf(() => made.evidence.certificates),
          anyBytes,
        ),
        fc.array(
          fc.oneof(
            anyBytes,
            mutationsOf(() => made.leaf),
          ),
          { maxLength: 3 },
        ),
        async (quote, certificates, garbage) => {
          const collateral = { ...NO_COLLATERAL, certificates: garbage, revocationLists: garbage };
          const verified = await verifySnp(
            { platform: "snp", quote, certificates },
            { ...context, collateral },
          );
          if (verified.failures.length > 0) return;
          // Only changes of the table's unused bytes, or none, may pass.
          expect(quote).toEqual(made.evidence.quote);
          expect(parseCertificateTable(certificates).entries.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: IS_LONG ? 5_000 : 150 },
    );
  });
});
