/**
 * The TDX side of the development platform: a simulated Intel with its own root, that signs real-format quotes with
 * whatever measurement it is asked for, and the collateral that goes with them.
 *
 * **Security:** as for the SNP side: counts only where a set names its root, in a process that allows it.
 */
import { generateKeyPairSync } from "node:crypto";
import { assert } from "../../core/assert.ts";
import type { Sha256 } from "../../core/brand.ts";
import { toHex } from "../../core/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import type { Evidence } from "../evidence.ts";
import { REPORT_DATA_BYTES } from "../report-data.ts";
import type { TdBody } from "../tdx/td-body.ts";
import type { Collateral } from "../verification.ts";
import type { SimulatedGuest } from "./development-vendor.ts";
import {
  intelContent,
  intelSigners,
  issueIntel,
  makeIntelKeys,
  SIMULATED_QE,
  SIMULATED_TEE_TCB_SVN,
} from "./simulated-intel.ts";
import { writeTdxQuote } from "./tdx-quote-writer.ts";

/** A simulated Intel, ready to sign. */
export interface TdxDevelopmentVendor {
  /** SHA-256 of the root's SPKI: the `developmentRoot` of reference-value sets. */
  readonly rootFingerprint: Sha256;
  /** What a verifier needs beside a quote: it is valid for ten years. */
  readonly collateral: Collateral;
  /** A version 4 quote of a simulated TD. */
  issue(guest: SimulatedGuest): Promise<Evidence>;
}

/** Makes a simulated Intel that lives as long as the process. */
export async function makeTdxDevelopmentVendor(): Promise<TdxDevelopmentVendor> {
  const keys = await makeIntelKeys();
  const now = Date.now();
  const content = intelContent(keys, {
    notBefore: now - BACKDATED_MS,
    notAfter: now + LIFETIME_MS,
  });
  const { pckChainPem, collateral } = await issueIntel(content, intelSigners(keys));
  const attestation = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const quoteKeys = { attestation, pck: keys.pck.privateKey };
  return {
    rootFingerprint: sha256(keys.root.publicKey.export({ format: "der", type: "spki" })),
    collateral,
    async issue(guest) {
      assert(guest.reportData.length === REPORT_DATA_BYTES, "report data has 64 bytes");
      const body = simulatedTdBody(guest);
      const fields = {
        version: 4,
        body,
        qeReport: SIMULATED_QE,
        qeAuthData: QE_AUTH_DATA,
      } as const;
      const quote = await writeTdxQuote(fields, quoteKeys, pckChainPem);
      return { platform: "tdx", quote, certificates: new Uint8Array() };
    },
  };
}

/** The TD 1.0 body of a simulated guest: no debugging, no #VE on private pages. */
export function simulatedTdBody(guest: SimulatedGuest): TdBody<string> {
  return {
    teeTcbSvn: SIMULATED_TEE_TCB_SVN,
    mrSeam: "53".repeat(48),
    mrSignerSeam: ZERO_REGISTER,
    seamAttributes: "0000000000000000",
    tdAttributes: "0000001000000000",
    xfam: "e702060000000000",
    mrTd: guest.measurement,
    mrConfigId: guest.policyHash.padEnd(96, "0"),
    mrOwner: ZERO_REGISTER,
    mrOwnerConfig: ZERO_REGISTER,
    rtmrs: [ZERO_REGISTER, ZERO_REGISTER, ZERO_REGISTER, ZERO_REGISTER],
    reportData: toHex(guest.reportData),
  };
}

const ZERO_REGISTER = "00".repeat(48);
/** As long as Intel's; its content means nothing. */
const QE_AUTH_DATA = Uint8Array.from({ length: 32 }, (_, index) => index);
/** Ten years, so that a forgotten demo does not break; a day back for clocks that differ. */
const LIFETIME_MS = 3650 * 86_400_000;
const BACKDATED_MS = 86_400_000;
