import { beforeAll, describe, expect, it } from "vitest";
import { toBase64 } from "../../../src/core/base64.ts";
import { toHex, utf8 } from "../../../src/core/bytes.ts";
import { describeEvidence } from "../../../src/attestation/describe.ts";
import type { Evidence } from "../../../src/attestation/evidence.ts";
import { formatEvidenceFile, parseEvidenceFile } from "../../../src/attestation/evidence-file.ts";
import { makeEvidence, vendorKeys } from "../../support/attestation/snp-vendor.ts";
import { hasVectors, vector, vectorsNote } from "../../support/attestation/vectors.ts";

let evidence: Evidence;
beforeAll(async () => {
  ({ evidence } = await makeEvidence(await vendorKeys()));
});

function parsed(bytes: Uint8Array): unknown {
  const result = parseEvidenceFile(bytes);
  return result.ok ? result.value : result.error.code;
}

describe("a file of evidence", () => {
  it("keeps quote and certificates in our own form", () => {
    expect(parsed(formatEvidenceFile(evidence))).toEqual(evidence);
  });

  it("may be a bare report: raw, hex with line breaks, base64 with line breaks", () => {
    const bare = { ...evidence, certificates: new Uint8Array(0) };
    const wrapped = (text: string): Uint8Array => utf8(text.replace(/.{64}/g, "$&\r\n"));
    expect(parsed(evidence.quote)).toEqual(bare);
    expect(parsed(wrapped(toHex(evidence.quote)))).toEqual(bare);
    expect(parsed(wrapped(toHex(evidence.quote).toUpperCase()))).toEqual(bare);
    expect(parsed(wrapped(toBase64(evidence.quote)))).toEqual(bare);
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["a sentence", utf8("hello world")],
    ["random bytes", new Uint8Array(1185).fill(200)],
    ["a huge file", new Uint8Array(300_000)],
    ["JSON of another format", utf8('{"format":"x"}')],
    ["broken JSON", utf8("{")],
    [
      "an unknown platform",
      utf8('{"format":"quorate/evidence/v1","platform":"sgx","quote":"AA==","certificates":""}'),
    ],
  ])("is refused if it holds %s", (_what, bytes) => {
    expect(parsed(bytes)).toBe("evidence-malformed");
  });
});

describe("a description", () => {
  it("names what a report says", () => {
    const { facts, failures } = describeEvidence(evidence);
    expect(failures).toEqual([]);
    const byName = new Map(facts.map(({ name, value }) => [name, value]));
    expect(byName.get("processor")).toBe("Milan (family 0x19, model 0x1, stepping 1)");
    expect(byName.get("guest policy")).toBe("0x3001f: ABI 0.31 or newer, smt");
    expect(byName.get("platform info")).toBe("0x25: smt, ecc, aliasCheckComplete");
    expect(byName.get("reported TCB")).toBe("bootloader 4, tee 1, snp 24, microcode 219");
    expect(byName.get("host's certificates")).toMatch(/^ark \(\d+ bytes\), ask .*, vcek /);
  });

  it("says why a report cannot be read", () => {
    const quote = evidence.quote.with(0, 9);
    expect(describeEvidence({ ...evidence, quote }).failures.map(({ code }) => code)).toEqual([
      "snp-report-version",
    ]);
  });
});

describe.skipIf(!hasVectors)(`real quotes${vectorsNote}`, () => {
  it.each([
    ["virtee__sev/report_milan.hex", "snp"],
    ["google__go-sev-guest/attestation.bin", "snp"],
    ["phala-network__dcap-qvl/tdx_quote", "tdx"],
    ["phala-network__dcap-qvl/tdx_quote_outdated", "tdx"],
    ["google__go-tdx-guest/ccel/cos-113-tdx-quote.dat", "tdx"],
  ])("%s is recognized and described", (path, platform) => {
    const result = parseEvidenceFile(vector(path));
    const found = result.ok ? describeEvidence(result.value) : undefined;
    expect(found).toMatchObject({ platform, failures: [] });
    expect(found?.facts.length).toBeGreaterThan(10);
  });

  it("an SGX quote is described as no TD", () => {
    const result = parseEvidenceFile(vector("phala-network__dcap-qvl/sgx_quote"));
    const failures = result.ok ? describeEvidence(result.value).failures : [];
    expect(failures.map(({ code }) => code)).toEqual(["tdx-not-a-td"]);
  });
});
