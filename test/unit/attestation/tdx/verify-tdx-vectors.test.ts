import { describe, expect, it } from "vitest";
import { CertificateCache } from "../../../../src/attestation/certificate-cache.ts";
import { verifyTdx } from "../../../../src/attestation/tdx/verify-tdx.ts";
import { NO_COLLATERAL, type Collateral } from "../../../../src/attestation/verification.ts";
import { expectedQuotes, VECTORS_PRESENT, vector, vectorCollateral } from "./real-vectors.ts";

const PHALA = "phala-network__dcap-qvl";

function verify(quote: Uint8Array, collateral: Collateral, time: string) {
  return verifyTdx(
    { platform: "tdx", quote, certificates: new Uint8Array() },
    {
      collateral,
      now: Date.parse(time),
      developmentRoots: new Set(),
      cache: new CertificateCache(),
    },
  );
}

describe.skipIf(!VECTORS_PRESENT)("real TDX quotes with complete collateral", () => {
  const sets = [
    [`${PHALA}/tdx_quote`, "tdx_quote_collateral.json", "2025-06-20T00:00:00Z", "UpToDate"],
    [
      "google__go-tdx-guest/quote_v5_sample.dat",
      "tdx_quote_outdated_collateral.json",
      "2026-02-20T00:00:00Z",
      "UpToDate",
    ],
    [
      `${PHALA}/near/quote_hex.txt`,
      "near/quote_collateral.json",
      "2025-09-02T08:42:00Z",
      "UpToDate",
    ],
  ] as const;

  it.each(sets)("%s with %s at %s is genuine and %s", async (file, collateral, time, status) => {
    const verified = await verify(vector(file), vectorCollateral(`${PHALA}/${collateral}`), time);
    console.log(verified.failures);
    expect(verified.failures).toEqual([]);
    expect(verified.claims).toMatchObject({ development: false, tcb: { status } });
  });
});
