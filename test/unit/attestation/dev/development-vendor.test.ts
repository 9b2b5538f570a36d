import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sha256 } from "../../../../src/core/brand.ts";
import { Appraiser } from "../../../../src/attestation/appraiser.ts";
import { DevelopmentQuoter } from "../../../../src/attestation/dev/development-quoter.ts";
import {
  type DevelopmentVendor,
  createDevelopmentVendor,
  loadDevelopmentVendor,
} from "../../../../src/attestation/dev/development-vendor.ts";
import { SIMULATED_TCB } from "../../../../src/attestation/dev/simulated-chain.ts";
import { NO_COLLATERAL } from "../../../../src/attestation/verification.ts";
import { policyOf } from "../../../support/attestation/policies.ts";

const GUEST = { measurement: "ab".repeat(48), policyHash: "cd".repeat(32) as Sha256 };
const REPORT_DATA = new Uint8Array(64).fill(7);
const FILE = "simulated-snp-vendor.json";

let folder: string;
let vendorFolder: string;
let vendor: DevelopmentVendor;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quorate-vendor-"));
  vendorFolder = join(folder, "vendor");
  vendor = await createDevelopmentVendor(vendorFolder);
});
afterAll(() => rm(folder, { recursive: true }));

describe("a simulated vendor", () => {
  it("is read back from its folder and issues what the production verifier accepts", async () => {
    const loaded = await loadDevelopmentVendor(vendorFolder);
    expect(loaded.rootFingerprint).toBe(vendor.rootFingerprint);
    const quoter = new DevelopmentQuoter(loaded, GUEST);
    expect(quoter.platform).toEqual({ id: "snp", development: true, provider: "simulated" });
    const set = {
      platform: "snp",
      measurement: GUEST.measurement,
      minimumTcb: { Milan: SIMULATED_TCB },
      developmentRoot: vendor.rootFingerprint,
    };
    const { verdict } = await new Appraiser().appraise(await quoter.quote(REPORT_DATA), {
      collateral: NO_COLLATERAL,
      policy: policyOf({ dev: set }, { hash: GUEST.policyHash }),
      now: Date.now(),
      expectedReportData: REPORT_DATA,
    });
    expect(verdict.failures).toEqual([]);
    expect(verdict.identity?.referenceSet).toBe("dev");
    expect(verdict.claims).toMatchObject({ development: true, root: vendor.rootFingerprint });
  });

  it("keeps its key for its owner alone", async () => {
    expect((await stat(join(vendorFolder, FILE))).mode & 0o777).toBe(0o600);
    expect((await stat(vendorFolder)).mode & 0o777).toBe(0o700);
    expect(await readFile(join(vendorFolder, FILE), "utf8")).toContain("INSECURE");
  });

  it("never replaces a folder", async () => {
    await expect(createDevelopmentVendor(vendorFolder)).rejects.toMatchObject({
      code: "already-exists",
    });
  });

  it("says when it is missing", async () => {
    await expect(loadDevelopmentVendor(join(folder, "none"))).rejects.toMatchObject({
      code: "not-found",
    });
  });

  it.each([
    ["no JSON", () => "{"],
    ["another format", (text: string) => text.replace("vendor/v1", "vendor/v2")],
    ["an unknown field", (text: string) => text.replace("{", '{"x":1,')],
    ["no key", (text: string) => text.replace(/"vcekKey": "[^"]*"/, '"vcekKey": "AAAA"')],
    [
      "a root that is no certificate",
      (text: string) => text.replace(/"ark": "[^"]*"/, '"ark": "AAAA"'),
    ],
    [
      "a chip certificate that is none",
      (text: string) => text.replace(/"vcek": "[^"]*"/, '"vcek": "AAAA"'),
    ],
  ])("refuses a damaged file: %s", async (_what, damage) => {
    const damaged = await mkdtemp(join(folder, "damaged-"));
    const text = await readFile(join(vendorFolder, FILE), "utf8");
    await writeFile(join(damaged, FILE), damage(text));
    await expect(loadDevelopmentVendor(damaged)).rejects.toMatchObject({
      code: "invalid-argument",
    });
  });
});
