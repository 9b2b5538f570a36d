import { expect, it } from "vitest";
import { openCollateral } from "../../../src/cli/collateral.ts";
import { createLog } from "../../../src/observability/log.ts";
import { linesInto } from "../../fixtures/mesh.ts";
import { makeEvidence, vendorKeys } from "../../support/attestation/snp-vendor.ts";

it("says once that collateral is missing, however often it is asked for", async () => {
  const logged: string[] = [];
  const log = createLog({ level: "info", format: "json", destination: linesInto(logged) });
  const collateral = openCollateral({}, log);
  const { evidence } = await makeEvidence(await vendorKeys());
  const first = await collateral(evidence);
  for (let i = 0; i < 10; i++) expect(await collateral(evidence)).toBe(first);
  expect(logged).toEqual([expect.stringContaining("no service is configured for snp-crl")]);
});
