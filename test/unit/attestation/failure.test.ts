import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FAILURE_MEANINGS, failure } from "../../../src/attestation/failure.ts";

describe("the failure codes", () => {
  it("are documented, each with its meaning, and no other", () => {
    const text = readFileSync(new URL("../../../docs/attestation.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| `([a-z0-9-]+)` +\| (.+?) +\|$/gm)];
    const documented: Readonly<Record<string, string>> = Object.fromEntries(
      rows.map(([, code = "", meaning = ""]) => [code, meaning] as const),
    );
    expect(documented).toEqual(FAILURE_MEANINGS);
  });
});

describe("every code that SNP evidence can meet", () => {
  // Beside these, the appraiser's own codes; TDX has its own tests.
  const files = ["snp/verify-snp.test.ts", "snp/snp-set.test.ts", "appraiser.test.ts"];
  const tests = files.map((file) => readFileSync(new URL(file, import.meta.url), "utf8")).join("");
  const codes = Object.keys(FAILURE_MEANINGS).filter((code) => !code.startsWith("tdx-"));

  it.each(codes)("%s is the expectation of a test", (code) => {
    expect(tests).toContain(`"${code}"`);
  });
});

describe("a failure", () => {
  it("says what it is about, what was expected and what was found", () => {
    expect(failure("snp-vmpl", 0, 2, "report")).toEqual({
      code: "snp-vmpl",
      message: "report: The report was asked for at another privilege level",
      expected: "0",
      found: "2",
    });
  });

  it("carries no control characters of a stranger, and not too much", () => {
    const { found } = failure("certificate-name", "x", `\u001b[31m${"n".repeat(500)}`);
    expect(found).toMatch(/^\?\[31mn+\.\.\.$/);
    expect(found.length).toBeLessThan(210);
  });
});
