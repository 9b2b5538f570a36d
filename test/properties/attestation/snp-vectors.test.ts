/**
 * Every real SNP vector with one bit flipped or cut short somewhere is refused. By default a sample runs; with
 * `QUORATE_LONG=1` every single bit and every length does.
 */
import { describe, expect, it } from "vitest";
import { Prng } from "../../../src/core/prng.ts";
import { CertificateCache } from "../../../src/attestation/certificate-cache.ts";
import { encodeCertificateTable } from "../../../src/attestation/snp/certificate-table.ts";
import { verifySnp } from "../../../src/attestation/snp/verify-snp.ts";
import { NO_COLLATERAL, type VerifiedEvidence } from "../../../src/attestation/verification.ts";
import {
  certificatesIn,
  hasVectors,
  vector,
  vectorsNote,
} from "../../support/attestation/vectors.ts";

const IS_LONG = process.env["QUORATE_LONG"] === "1";
const MINUTES = IS_LONG ? 30 : 1;

describe.skipIf(!hasVectors)(`real vectors${vectorsNote}`, () => {
  /** Report, endorsement certificate, authorities, clock. */
  type Vector = readonly [string, string, string, string];
  const VECTORS: readonly Vector[] = [
    [
      "google__go-sev-guest/attestation.bin",
      "google__go-sev-guest/vcek.testcer",
      "google__go-sev-guest/trust/ask_ark_milan.pem",
      "2024-01-01",
    ],
    [
      "virtee__sev/report_milan.hex",
      "virtee__sev/vcek_milan.der",
      "google__go-sev-guest/trust/ask_ark_milan.pem",
      "2024-01-01",
    ],
    [
      "microsoft__CCF/milan_attestation.bin",
      "microsoft__CCF/milan_endorsements.pem",
      "google__go-sev-guest/trust/ask_ark_milan.pem",
      "2025-06-01",
    ],
    [
      "microsoft__CCF/genoa_attestation.bin",
      "microsoft__CCF/genoa_endorsements.pem",
      "google__go-sev-guest/trust/ask_ark_genoa.pem",
      "2025-06-01",
    ],
  ];
  const cache = new CertificateCache();

  function chainOf([, endorsement, authorities]: Vector) {
    const leaf = certificatesIn(endorsement)[0]!;
    const [ask, ark] = certificatesIn(authorities);
    return { leaf, ask: ask!, ark: ark! };
  }

  function verify(
    [, , , clock]: Vector,
    quote: Uint8Array,
    chain: ReturnType<typeof chainOf>,
  ): Promise<VerifiedEvidence> {
    return verifySnp(
      {
        platform: "snp",
        quote,
        certificates: encodeCertificateTable([
          { kind: "vcek", data: chain.leaf },
          { kind: "ask", data: chain.ask },
          { kind: "ark", data: chain.ark },
        ]),
      },
      { collateral: NO_COLLATERAL, now: Date.parse(clock), developmentRoots: new Set(), cache },
    );
  }

  /** All of 0 to `count` − 1, or a sample of `size` that always has the first and the last. */
  function sample(count: number, size: number, seed: number): number[] {
    if (IS_LONG) return Array.from({ length: count }, (_, index) => index);
    const random = new Prng(seed);
    return [0, count - 1, ...Array.from({ length: size }, () => random.int(0, count - 1))];
  }

  const flipped = (bytes: Uint8Array, bit: number): Uint8Array =>
    bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));

  it.each(VECTORS as [string, string, string, string][])(
    "%s: every bit flip and truncation of the report is refused",
    { timeout: MINUTES * 60_000 },
    async (...entry) => {
      const quote = vector(entry[0]);
      const chain = chainOf(entry);
      expect((await verify(entry, quote, chain)).failures).toEqual([]);
      for (const bit of sample(8 * quote.length, 120, 1)) {
        const { failures } = await verify(entry, flipped(quote, bit), chain);
        expect(failures, `bit ${bit}`).not.toEqual([]);
      }
      for (const length of sample(quote.length, 20, 2)) {
        const { failures } = await verify(entry, quote.subarray(0, length), chain);
        expect(
          failures.map(({ code }) => code),
          `length ${length}`,
        ).toEqual(["snp-report-length"]);
      }
    },
  );

  it.each(VECTORS as [string, string, string, string][])(
    "%s: every bit flip and truncation of its certificates is refused",
    { timeout: MINUTES * 60_000 },
    async (...entry) => {
      const quote = vector(entry[0]);
      const chain = chainOf(entry);
      for (const part of ["leaf", "ask", "ark"] as const) {
        for (const bit of sample(8 * chain[part].length, 60, 3)) {
          const { failures } = await verify(entry, quote, {
            ...chain,
            [part]: flipped(chain[part], bit),
          });
          expect(failures, `${part} bit ${bit}`).not.toEqual([]);
        }
        for (const length of sample(chain[part].length, 10, 4)) {
          const { failures } = await verify(entry, quote, {
            ...chain,
            [part]: chain[part].subarray(0, length),
          });
          expect(failures, `${part} length ${length}`).not.toEqual([]);
        }
      }
    },
  );
});
