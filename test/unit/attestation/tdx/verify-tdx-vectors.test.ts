import { describe, expect, it } from "vitest";
import { CertificateCache } from "../../../../src/attestation/certificate-cache.ts";
import type { TdxClaims } from "../../../../src/attestation/claims.ts";
import { INTEL_SGX_ROOT_KEY } from "../../../../src/attestation/tdx/intel-root.ts";
import { decodePemChain } from "../../../../src/attestation/tdx/pem.ts";
import { pckExtensionOf } from "../../../../src/attestation/tdx/pck-chain.ts";
import { parseTdxQuote } from "../../../../src/attestation/tdx/quote.ts";
import { verifyTdx } from "../../../../src/attestation/tdx/verify-tdx.ts";
import {
  type Collateral,
  NO_COLLATERAL,
  type VerifiedEvidence,
} from "../../../../src/attestation/verification.ts";
import { toHex } from "../../../../src/core/bytes.ts";
import { Prng } from "../../../../src/core/prng.ts";
import { unwrap } from "../../../../src/core/result.ts";
import { sha256 } from "../../../../src/crypto/hash.ts";
import { expectedQuotes, VECTORS_PRESENT, vector, vectorCollateral } from "./real-vectors.ts";

const PHALA = "phala-network__dcap-qvl";
const cache = new CertificateCache();

function verify(
  quote: Uint8Array,
  collateral: Collateral,
  time: string,
): Promise<VerifiedEvidence> {
  return verifyTdx(
    { platform: "tdx", quote, certificates: new Uint8Array() },
    { collateral, now: Date.parse(time), developmentRoots: new Set(), cache },
  );
}

function codes({ failures }: VerifiedEvidence): readonly string[] {
  return failures.map(({ code }) => code);
}

/** The complete sets of the vectors' README: quote, collateral, clock, result. */
const COMPLETE_SETS = [
  [`${PHALA}/tdx_quote`, "tdx_quote_collateral.json", "2025-06-20T00:00:00Z", "UpToDate"],
  [
    "google__go-tdx-guest/quote_v5_sample.dat",
    "tdx_quote_outdated_collateral.json",
    "2026-02-20T00:00:00Z",
    "UpToDate",
  ],
  [`${PHALA}/near/quote_hex.txt`, "near/quote_collateral.json", "2025-09-02T08:42:00Z", "UpToDate"],
  [
    `${PHALA}/tdx_quote_outdated`,
    "tdx_quote_outdated_collateral.json",
    "2026-02-20T00:00:00Z",
    "tdx-tcb-level",
  ],
  [`${PHALA}/sgx_quote`, "sgx_quote_collateral.json", "2025-06-20T00:00:00Z", "tdx-not-a-td"],
] as const;

describe.skipIf(!VECTORS_PRESENT)("real TDX quotes with complete collateral", () => {
  it.each(COMPLETE_SETS)("%s with %s at %s: %s", async (file, collateral, time, result) => {
    const verified = await verify(vector(file), vectorCollateral(`${PHALA}/${collateral}`), time);
    if (result === "UpToDate") {
      expect(verified.failures).toEqual([]);
      expect(verified.claims).toMatchObject({
        development: false,
        root: INTEL_SGX_ROOT_KEY,
        tcb: { status: result, advisories: [] },
      });
    } else {
      expect(codes(verified)).toEqual([result]);
    }
  });

  it("is refused a day after its collateral, and the validity says so beforehand", async () => {
    const [file, name, time] = COMPLETE_SETS[0];
    const collateral = vectorCollateral(`${PHALA}/${name}`);
    const good = await verify(vector(file), collateral, time);
    const end = new Date(good.validity.notAfter).toISOString();
    expect((await verify(vector(file), collateral, end)).failures).toEqual([]);
    const after = new Date(good.validity.notAfter + 86_400_000).toISOString();
    const late = await verify(vector(file), collateral, after);
    expect(codes(late)).toContain("revocation-list-not-current");
    expect(new Set(codes(late))).toEqual(
      new Set([
        "revocation-list-not-current",
        "tdx-tcb-info-not-current",
        "tdx-qe-identity-not-current",
      ]),
    );
  });
});

/** What remains wrong with a quote whose signatures and chain are good, but for which there is no collateral. */
const WITHOUT_COLLATERAL = [
  "revocation-list-missing",
  "revocation-list-missing",
  "tdx-tcb-info-missing",
  "tdx-qe-identity-missing",
];

describe.skipIf(!VECTORS_PRESENT)("every real quote, against expected.json", () => {
  const entries = VECTORS_PRESENT ? expectedQuotes() : [];

  it.each(entries)("$file", async ({ file, expect: facts }) => {
    const quote = parseTdxQuote(vector(file));
    if (facts["version"] === 3) {
      expect(quote).toMatchObject({ ok: false, error: { code: "tdx-not-a-td" } });
      return;
    }
    const { version, body, trailingBytes, pckChainPem } = unwrapQuote(file);
    const chain = unwrapText(decodePemChain(pckChainPem)).map((der) => cache.certificate(der));
    const pck = chain[0]?.ok ? chain[0].value : undefined;
    const extension = pck === undefined ? undefined : pckExtensionOf(pck, cache);
    if (extension?.ok !== true) throw new Error("no PCK extension");
    const aDayOld = new Date((pck?.notBefore ?? 0) + 86_400_000).toISOString();
    const withoutCollateral = await verify(vector(file), NO_COLLATERAL, aDayOld);
    const isGenuine = sameList(codes(withoutCollateral), WITHOUT_COLLATERAL);
    const claims = withoutCollateral.claims as TdxClaims;
    const found: Record<string, unknown> = {
      quoteSignature: isGenuine,
      qeReportBinding: isGenuine,
      qeReportSignature: isGenuine,
      pckChainToIntelRoot: isGenuine && claims.root === INTEL_SGX_ROOT_KEY,
      version,
      teeType: "0x81",
      fmspc: claims.fmspc,
      pceId: toHex(extension.value.pceId),
      pceSvn: extension.value.pceSvn,
      cpuSvn: extension.value.components,
      pckIssuer: pck?.issuer.commonName,
      trailingBytes,
      teeTcbSvn: toHex(body.teeTcbSvn),
      tdAttributes: toHex(body.tdAttributes),
      xfam: toHex(body.xfam),
      mrSeam: toHex(body.mrSeam),
      mrTd: claims.measurement,
      mrConfigId: toHex(body.mrConfigId),
      mrOwner: toHex(body.mrOwner),
      mrOwnerConfig: toHex(body.mrOwnerConfig),
      rtmr: body.rtmrs.map(toHex),
      reportData: claims.reportData,
      debug: ((body.tdAttributes[0] ?? 0) & 1) === 1,
      teeTcbSvn2: body.teeTcbSvn2 && toHex(body.teeTcbSvn2),
      mrServiceTd: body.mrServiceTd && toHex(body.mrServiceTd),
    };
    // Facts that the parser does not keep, but that follow from what it accepted.
    const implied = ["bodyType", "trailingAllZero"];
    for (const [fact, value] of Object.entries(facts)) {
      if (!implied.includes(fact)) expect(found[fact], fact).toEqual(value);
    }
    expect(withoutCollateral.warnings).toHaveLength(trailingBytes > 0 ? 1 : 0);
  });

  it("covers eight quotes, one of them of an SGX enclave", () => {
    expect(entries.map(({ expect: facts }) => facts["version"])).toEqual([
      4, 5, 4, 4, 5, 4, 4, 4, 3,
    ]);
  });
});

describe.skipIf(!VECTORS_PRESENT)("the pinned root", () => {
  it("is the key of both published copies of Intel's certificate", () => {
    const pem = unwrapText(decodePemChain(vector("google__go-tdx-guest/intel_sgx_root_ca.pem")));
    for (const der of [vector(`${PHALA}/TrustedRootCA.der`), ...pem]) {
      const certificate = cache.certificate(der);
      expect(certificate.ok && sha256(certificate.value.spki)).toBe(INTEL_SGX_ROOT_KEY);
    }
  });
});

describe.skipIf(!VECTORS_PRESENT)("damaged real quotes", () => {
  const [file, name, time] = COMPLETE_SETS[0];
  const original = VECTORS_PRESENT ? vector(file) : new Uint8Array();
  const collateral = VECTORS_PRESENT ? vectorCollateral(`${PHALA}/${name}`) : NO_COLLATERAL;
  const meaningful = VECTORS_PRESENT ? original.length - unwrapQuote(file).trailingBytes : 0;

  it("are refused at every length below the whole, without a claim", () => {
    for (let length = 0; length < meaningful; length++) {
      const parsed = parseTdxQuote(original.subarray(0, length));
      expect(parsed).toMatchObject({ ok: false, error: { code: "tdx-quote-truncated" } });
    }
  });

  it("are refused with a single bit flipped, wherever it is", async () => {
    const random = new Prng(20250620);
    const positions = Array.from({ length: 400 }, () => random.int(0, meaningful * 8 - 1));
    // Every byte of the fixed structure counts, so each of the first bytes is tried as well.
    for (let byte = 0; byte < 48; byte++) positions.push(byte * 8 + random.int(0, 7));
    for (const position of positions) {
      const damaged = original.slice();
      damaged[position >> 3] = (damaged[position >> 3] ?? 0) ^ (1 << (position & 7));
      const { failures } = await verify(damaged, collateral, time);
      expect(failures.length, `bit ${position} flipped`).toBeGreaterThan(0);
    }
  });

  it("are accepted with other padding behind them, and with none", async () => {
    const padded = original.slice();
    padded.fill(0xa5, meaningful);
    for (const quote of [padded, original.subarray(0, meaningful)]) {
      expect((await verify(quote, collateral, time)).failures).toEqual([]);
    }
  });
});

function unwrapQuote(file: string) {
  const parsed = parseTdxQuote(vector(file));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

function unwrapText<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  return unwrap(result.ok ? result : { ok: false, error: new Error(result.error) });
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
