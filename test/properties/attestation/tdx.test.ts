/** The TDX and collateral parsers against anything: typed errors only, in bounded time, and nothing forged passes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CertificateCache } from "../../../src/attestation/certificate-cache.ts";
import { parseCollateralFile } from "../../../src/attestation/collateral/collateral-file.ts";
import { needsOf } from "../../../src/attestation/collateral/collateral-need.ts";
import { pckExtension } from "../../../src/attestation/dev/intel-writer.ts";
import { SIMULATED_PCK } from "../../../src/attestation/dev/simulated-intel.ts";
import { FAILURE_MEANINGS } from "../../../src/attestation/failure.ts";
import { parsePckExtension } from "../../../src/attestation/tdx/pck-extension.ts";
import { decodePemChain } from "../../../src/attestation/tdx/pem.ts";
import { parseQeIdentity } from "../../../src/attestation/tdx/qe-identity.ts";
import { parseTdxQuote } from "../../../src/attestation/tdx/quote.ts";
import { parseTcbInfo } from "../../../src/attestation/tdx/tcb-info.ts";
import { convergeTcb, TCB_STATUSES } from "../../../src/attestation/tdx/tcb-status.ts";
import { verifyTdx } from "../../../src/attestation/tdx/verify-tdx.ts";
import { concat, utf8 } from "../../../src/core/bytes.ts";
import { makeTdxEvidence, NOW } from "../../support/attestation/tdx-vendor.ts";

const { evidence, collateral, root } = await makeTdxEvidence();
const cache = new CertificateCache();

const bytes = fc.uint8Array({ maxLength: 2_000 });

/** A good input with some of it replaced, cut out or repeated. */
function damaged(good: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat({ max: good.length });
  return fc.oneof(
    fc.tuple(at, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([start, patch]) => {
      const out = good.slice();
      out.set(patch.subarray(0, good.length - start), start);
      return out;
    }),
    fc
      .tuple(at, at)
      .map(([a, b]) => concat(good.subarray(0, Math.min(a, b)), good.subarray(Math.max(a, b)))),
    fc.tuple(at, at).map(([a, b]) => concat(good.subarray(0, a), good.subarray(b))),
    at.map((length) => good.subarray(0, length)),
  );
}

describe("anything at all", () => {
  it("given to a parser is refused by an error value, never by an exception", () => {
    const extension = pckExtension(SIMULATED_PCK).value;
    const inputs = fc.oneof(
      bytes,
      damaged(evidence.quote),
      damaged(extension),
      damaged(collateral.tcbInfos[0]!),
      damaged(collateral.qeIdentities[0]!),
      fc.json().map(utf8),
    );
    let refused = 0;
    fc.assert(
      fc.property(inputs, (input) => {
        for (const parse of [
          parseTdxQuote,
          parsePckExtension,
          decodePemChain,
          parseTcbInfo,
          parseQeIdentity,
          parseCollateralFile,
        ]) {
          const result = parse(input);
          if (!result.ok) refused++;
        }
        needsOf({ platform: "tdx", quote: input, certificates: new Uint8Array() });
        needsOf({ platform: "snp", quote: input, certificates: input });
      }),
      { numRuns: 1_500 },
    );
    expect(refused).toBeGreaterThan(1_500);
  });

  it("that was a quote or its collateral fails verification with codes of the closed list", async () => {
    const [tcbInfo, qeIdentity] = [collateral.tcbInfos[0]!, collateral.qeIdentities[0]!];
    const proper = { collateral, now: NOW, developmentRoots: new Set([root]), cache };
    const original = await verifyTdx(evidence, proper);
    expect(original.failures).toEqual([]);
    let refused = 0;
    let wholeQuotes = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(damaged(evidence.quote), fc.constant(evidence.quote)),
        fc.oneof(damaged(tcbInfo), fc.constant(tcbInfo)),
        fc.oneof(damaged(qeIdentity), fc.constant(qeIdentity)),
        async (quote, info, identity) => {
          const heap = { ...collateral, tcbInfos: [info], qeIdentities: [identity] };
          const context = { ...proper, collateral: heap };
          const { claims, failures } = await verifyTdx({ ...evidence, quote }, context);
          for (const { code } of failures) expect(Object.keys(FAILURE_MEANINGS)).toContain(code);
          // What nobody signed may vary: padding behind the quote, white space around a value, case of hex.
          if (failures.length === 0) expect(claims).toEqual(original.claims);
          if (Buffer.compare(quote, evidence.quote) === 0) wholeQuotes++;
          if (failures.length > 0) refused++;
        },
      ),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(200);
    expect(wholeQuotes).toBeGreaterThan(100);
  });
});

it("long hostile texts take linear time", () => {
  const started = performance.now();
  const many = "-----BEGIN CERTIFICATE-----\n";
  decodePemChain(utf8(many + `${"A".repeat(76)}\n`.repeat(20_000)));
  decodePemChain(utf8(many.repeat(40_000)));
  parseTcbInfo(utf8(`{"tcbInfo":${"[".repeat(100_000)}`));
  parseTcbInfo(utf8(`{"tcbInfo":{${'"a":1,'.repeat(15_000)}"b":1},"signature":""}`));
  expect(performance.now() - started).toBeLessThan(2_000);
});

describe("converging", () => {
  const assessment = fc.record({
    status: fc.constantFrom(...TCB_STATUSES),
    advisories: fc.uniqueArray(fc.constantFrom("SA-1", "SA-2", "SA-3")),
  });

  it("knows no order, and changes nothing the second time", () => {
    fc.assert(
      fc.property(fc.array(assessment, { minLength: 1, maxLength: 4 }), (parts) => {
        const whole = convergeTcb(parts);
        expect(convergeTcb(parts.toReversed())).toEqual(whole);
        expect(convergeTcb([whole, ...parts])).toEqual(whole);
      }),
    );
  });

  it("never makes the whole look better than a part", () => {
    const good = ["UpToDate", "SWHardeningNeeded"];
    fc.assert(
      fc.property(fc.array(assessment, { minLength: 1, maxLength: 4 }), (parts) => {
        const { status, advisories } = convergeTcb(parts);
        if (good.includes(status)) {
          expect(parts.every((part) => good.includes(part.status))).toBe(true);
        }
        expect(parts.some((part) => part.status === "Revoked")).toBe(status === "Revoked");
        for (const part of parts)
          expect(advisories).toEqual(expect.arrayContaining([...part.advisories]));
      }),
    );
  });
});
