import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../../../src/core/brand.ts";
import { Appraiser } from "../../../../src/attestation/appraiser.ts";
import { CertificateCache } from "../../../../src/attestation/certificate-cache.ts";
import type { SnpClaims } from "../../../../src/attestation/claims.ts";
import { readAmdExtensions } from "../../../../src/attestation/snp/amd-extensions.ts";
import { parseSnpReport } from "../../../../src/attestation/snp/report.ts";
import { snpTcb } from "../../../../src/attestation/snp/tcb.ts";
import { NO_COLLATERAL } from "../../../../src/attestation/verification.ts";
import { GUEST_POLICY_BIT } from "../../../../src/attestation/snp/guest-policy.ts";
import {
  certificatesIn,
  hasVectors,
  jsonVector,
  vector,
  vectorsNote,
} from "../../../support/attestation/vectors.ts";

interface ExpectedTcb {
  readonly bl: number;
  readonly tee: number;
  readonly snp: number;
  readonly ucode: number;
}

interface ExpectedSnp {
  readonly file: string;
  readonly endorsementCert: string;
  readonly caChain: string;
  readonly ekValid: readonly [string, string];
  readonly expect: {
    readonly signature: boolean;
    readonly chain: boolean;
    readonly version: number;
    readonly guestSvn: number;
    readonly policy: string;
    readonly debug: boolean;
    readonly vmpl: number;
    readonly platformInfo: string;
    readonly signer: string;
    readonly cpuid: string;
    readonly measurement: string;
    readonly reportData: string;
    readonly hostData: string;
    readonly chipId: string;
    readonly reportedTcb: ExpectedTcb;
    readonly currentTcb: ExpectedTcb;
    readonly committedTcb: ExpectedTcb;
    readonly launchTcb: ExpectedTcb;
    readonly certTcb: ExpectedTcb;
    readonly fw: string;
    readonly committedFw: string;
    readonly launchMit: number;
    readonly currentMit: number;
  };
}

const expected = hasVectors
  ? (jsonVector("expected.json") as { readonly snp: readonly ExpectedSnp[] }).snp
  : [];

const NO_ROOTS: ReadonlySet<Sha256> = new Set();

function collateralOf({ endorsementCert, caChain }: ExpectedSnp) {
  const certificates = [...certificatesIn(endorsementCert), ...certificatesIn(caChain)];
  return { ...NO_COLLATERAL, certificates };
}

function tcb(raw: string): ExpectedTcb {
  const { bootloader, tee, snp, microcode } = snpTcb(raw, "Milan");
  return { bl: bootloader, tee, snp, ucode: microcode };
}

describe.skipIf(!hasVectors)(`real SNP reports${vectorsNote}`, () => {
  it("are all in the table", () => {
    expect(expected.length).toBe(4);
  });

  it.each(expected)("$file agrees with the independent verifier", async (entry) => {
    const verified = await new Appraiser().verify(
      { platform: "snp", quote: vector(entry.file), certificates: new Uint8Array(0) },
      {
        collateral: collateralOf(entry),
        now: Date.parse(entry.ekValid[0]) + 86_400_000,
        developmentRoots: NO_ROOTS,
      },
    );
    const claims = verified.claims as SnpClaims;
    const { report } = claims;
    const { cpuid, currentFirmware: current, committedFirmware: committed } = report;
    const leaf = new CertificateCache().certificate(certificatesIn(entry.endorsementCert)[0]!);
    const certTcb = leaf.ok ? readAmdExtensions(leaf.value).extensions?.tcb : undefined;
    const found = {
      signature: !verified.failures.some(({ code }) => code === "snp-signature"),
      chain: !verified.failures.some(({ code }) => /^(certificate|root)-/.test(code)),
      version: report.version,
      guestSvn: report.guestSvn,
      policy: `0x${report.policy.toString(16)}`,
      debug: ((report.policy >> BigInt(GUEST_POLICY_BIT.debug)) & 1n) === 1n,
      vmpl: report.vmpl,
      platformInfo: `0x${report.platformInfo.toString(16)}`,
      signer: claims.signingKey.toUpperCase(),
      cpuid: [cpuid?.family ?? 0, cpuid?.model ?? 0, cpuid?.stepping ?? 0]
        .map((number) => number.toString(16))
        .join("/"),
      measurement: report.measurement,
      reportData: report.reportData,
      hostData: report.hostData,
      chipId: report.chipId,
      reportedTcb: tcb(report.reportedTcb),
      currentTcb: tcb(report.currentTcb),
      committedTcb: tcb(report.committedTcb),
      launchTcb: tcb(report.launchTcb),
      certTcb: {
        bl: certTcb?.bootloader,
        tee: certTcb?.tee,
        snp: certTcb?.snp,
        ucode: certTcb?.microcode,
      },
      fw: `${current.major}.${current.minor}.${current.build}`,
      committedFw: `${committed.major}.${committed.minor}.${committed.build}`,
      launchMit: Number(report.launchMitigations),
      currentMit: Number(report.currentMitigations),
    };
    expect(found).toEqual(entry.expect);
    expect(verified.failures).toEqual([]);
    expect(verified.validity).toMatchObject({
      notBefore: Date.parse(entry.ekValid[0]),
      notAfter: Date.parse(entry.ekValid[1]),
    });
  });

  it.each(expected)(
    "$file is refused before and after its certificate's validity",
    async (entry) => {
      const appraiser = new Appraiser();
      const evidence = {
        platform: "snp",
        quote: vector(entry.file),
        certificates: new Uint8Array(0),
      } as const;
      const codesAt = async (now: number): Promise<string[]> => {
        const context = { collateral: collateralOf(entry), now, developmentRoots: NO_ROOTS };
        const { failures } = await appraiser.verify(evidence, context);
        return failures.map(({ code }) => code);
      };
      const [from, to] = entry.ekValid.map((time) => Date.parse(time));
      expect(await codesAt(from! - 1)).toEqual(["certificate-not-yet-valid"]);
      expect(await codesAt(from!)).toEqual([]);
      expect(await codesAt(to!)).toEqual([]);
      expect(await codesAt(to! + 1)).toEqual(["certificate-expired"]);
    },
  );

  it("parse as version 2 even without an endorsement certificate", () => {
    const { parsed, failures } = parseSnpReport(
      vector("microsoft__CCF/v2_format_milan_attestation.bin"),
    );
    expect(failures).toEqual([]);
    expect(parsed?.report.version).toBe(2);
  });

  it("of one image on Milan and Genoa have the same measurement", () => {
    const measurements = ["milan", "genoa"].map(
      (line) =>
        parseSnpReport(vector(`microsoft__CCF/${line}_attestation.bin`)).parsed?.report.measurement,
    );
    expect(new Set(measurements).size).toBe(1);
  });
});
