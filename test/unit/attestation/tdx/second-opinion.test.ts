/** Agreement with an independent implementation, `@phala/dcap-qvl`; every disagreement has its reason in a table. */
import { Quote, QuoteVerifier } from "@phala/dcap-qvl";
import { describe, expect, it } from "vitest";
import { pemChain } from "../../../../src/attestation/dev/intel-writer.ts";
import { parseTdxQuote } from "../../../../src/attestation/tdx/quote.ts";
import { tdBodyText } from "../../../../src/attestation/tdx/td-body.ts";
import type { Collateral } from "../../../../src/attestation/verification.ts";
import {
  type MadeTdxEvidence,
  makeTdxEvidence,
  NOW,
} from "../../../support/attestation/tdx-vendor.ts";
import { expectedQuotes, VECTORS_PRESENT, vector } from "./real-vectors.ts";
import { PROPER, RULES } from "./rules.ts";

const IT_CHECKS_NO_NAMES = "it compares no names of subjects and issuers, only signatures";
const IT_CHECKS_NO_USES = "it checks neither CA flags, path lengths nor key usages of authorities";
const IT_TRUSTS_LISTS =
  "it reads serials out of any list that parses: no signature, no date, no duty to have one";
const IT_SKIPS_MODULES = "it ignores TDX module identities";
const IT_SKIPS_TEXT = "it searches for certificate blocks and skips everything else";

/** Where it accepts what we refuse, and why we are stricter. By the names of `rules.ts`. */
const IT_ACCEPTS: Readonly<Record<string, string>> = {
  "other certification data": "it doesn't look at the outer certification type",
  "unused bytes further inside": "it ignores what is left over inside the certification data",
  "a QE report with a tail": "it compares the hash only",
  "unused bytes inside": "it ignores what is left over inside the authentication data",
  "a quote above the limit": "it has no size limit",
  "a chain without its root": "it takes the root from its own trust anchor",
  "a chain with text between its certificates": IT_SKIPS_TEXT,
  "a chain with something behind its NUL": IT_SKIPS_TEXT,
  "a PCK certificate of another name": IT_CHECKS_NO_NAMES,
  "a PCK certificate of another issuer": IT_CHECKS_NO_NAMES,
  "a PCK authority of another name": IT_CHECKS_NO_NAMES,
  "a TCB signer of another issuer": IT_CHECKS_NO_NAMES,
  "a PCK certificate that may not sign": IT_CHECKS_NO_USES,
  "an authority without the CA flag": IT_CHECKS_NO_USES,
  "an authority that may not issue certificates": IT_CHECKS_NO_USES,
  "a root with too short a path": IT_CHECKS_NO_USES,
  "an authority on another curve, which signs otherwise": "it takes any algorithm that OpenSSL has",
  "a critical extension that nobody knows": "it ignores critical extensions",
  "no revocation list of the authority": IT_TRUSTS_LISTS,
  "no revocation list of the root": IT_TRUSTS_LISTS,
  "a list that is no DER": IT_TRUSTS_LISTS,
  "a list of the right name by a stranger": IT_TRUSTS_LISTS,
  "a list by an authority that may not sign lists": IT_TRUSTS_LISTS,
  "a list of tomorrow": IT_TRUSTS_LISTS,
  "a list of yesterday": IT_TRUSTS_LISTS,
  "TCB info of another PCE": "it compares the FMSPC only",
  "a module of an unknown generation": IT_SKIPS_MODULES,
  "a module by another signer": IT_SKIPS_MODULES,
  "a module with other attributes": IT_SKIPS_MODULES,
  "a module of version 0 by another signer": IT_SKIPS_MODULES,
  "a module below all levels": IT_SKIPS_MODULES,
};

describe("on simulated evidence, the second opinion", () => {
  it("accepts the proper quote, as we do", () => {
    expect(secondOpinion(PROPER)).toBe("UpToDate");
  });

  it.each(RULES.flatMap(([, rules]) => rules))(
    "on %s is what the table says",
    async (name, deviations) => {
      const opinion = secondOpinion(await makeTdxEvidence(deviations));
      expect(opinion === "UpToDate").toBe(IT_ACCEPTS[name] !== undefined);
    },
  );

  it("disagrees nowhere that the table doesn't know, and the table has no dead rows", () => {
    const names = new Set(RULES.flatMap(([, rules]) => rules).map(([name]) => name));
    expect(Object.keys(IT_ACCEPTS).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe.skipIf(!VECTORS_PRESENT)("on real quotes, the second opinion", () => {
  const PHALA = "phala-network__dcap-qvl";
  const tdQuotes = VECTORS_PRESENT
    ? expectedQuotes().filter(({ expect: facts }) => facts["version"] !== 3)
    : [];

  it.each(tdQuotes)("reads every field of $file as we do", ({ file }) => {
    const ours = parseTdxQuote(vector(file));
    const theirs = Quote.parse(Buffer.from(vector(file)));
    if (!ours.ok) throw new Error(ours.error.message);
    const { body, ...rest } = ours.value;
    const report = theirs.report.asTd10()!;
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
    const { rtmrs, teeTcbSvn2, mrServiceTd, ...registers } = tdBodyText(body);
    for (const [field, value] of Object.entries(registers)) {
      expect(hex(report[field as keyof typeof report]), field).toBe(value);
    }
    expect([report.rtMr0, report.rtMr1, report.rtMr2, report.rtMr3].map(hex)).toEqual(rtmrs);
    const fifteen = theirs.report.asTd15();
    expect(fifteen ? hex(fifteen.mrServiceTd) : undefined).toBe(mrServiceTd);
    expect(fifteen ? hex(fifteen.teeTcbSvn2) : undefined).toBe(teeTcbSvn2);
    const theirAuth = theirs.authData.intoV3();
    expect(hex(theirAuth.ecdsaSignature)).toBe(hex(rest.signature));
    expect(hex(theirAuth.ecdsaAttestationKey)).toBe(hex(rest.attestationKey));
    expect(hex(theirAuth.qeReport)).toBe(hex(rest.qeReportBytes));
    expect(hex(theirAuth.qeReportSignature)).toBe(hex(rest.qeReportSignature));
    expect(hex(theirAuth.qeAuthData)).toBe(hex(rest.qeAuthData));
    expect(theirs.signedLength()).toBe(rest.signedBytes.length);
  });

  it.each([
    ["tdx_quote", "tdx_quote_collateral.json", "2025-06-20T00:00:00Z", "UpToDate"],
    [
      "../google__go-tdx-guest/quote_v5_sample.dat",
      "tdx_quote_outdated_collateral.json",
      "2026-02-20T00:00:00Z",
      "UpToDate",
    ],
    ["near/quote_hex.txt", "near/quote_collateral.json", "2025-09-02T08:42:00Z", "UpToDate"],
    ["tdx_quote_outdated", "tdx_quote_outdated_collateral.json", "2026-02-20T00:00:00Z", "refused"],
    // It verifies SGX enclaves too; to us they are no TDs.
    ["sgx_quote", "sgx_quote_collateral.json", "2025-06-20T00:00:00Z", "SGX"],
  ])("on %s with %s at %s says %s", (file, collateral, time, expected) => {
    const json = JSON.parse(Buffer.from(vector(`${PHALA}/${collateral}`)).toString()) as never;
    const verifier = QuoteVerifier.newProd();
    const verify = () =>
      verifier.verify(Buffer.from(vector(`${PHALA}/${file}`)), json, Date.parse(time) / 1000);
    if (expected === "refused") expect(verify).toThrow("No matching TCB level");
    else if (expected === "SGX") expect(verify().report.isSgx()).toBe(true);
    else expect(verify().status).toBe(expected);
  });
});

/** The status that it gives, or the reason why it refuses. */
function secondOpinion({ evidence, collateral }: MadeTdxEvidence): string {
  const root = collateral.certificates.at(-1)!;
  try {
    const quote = Buffer.from(evidence.quote);
    const verifier = QuoteVerifier.newWithRootCa(Buffer.from(root));
    return verifier.verify(quote, inItsForm(collateral), NOW / 1000).status;
  } catch (error) {
    return String(error);
  }
}

function inItsForm({ certificates, revocationLists, tcbInfos, qeIdentities }: Collateral) {
  const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("hex");
  const chain = Buffer.from(pemChain(certificates)).toString();
  const [tcbInfo, tcbInfoSignature] = innerValue(tcbInfos[0]);
  const [qeIdentity, qeIdentitySignature] = innerValue(qeIdentities[0]);
  return {
    pck_crl_issuer_chain: "",
    root_ca_crl: hex(revocationLists[1]),
    pck_crl: hex(revocationLists[0]),
    tcb_info_issuer_chain: chain,
    tcb_info: tcbInfo,
    tcb_info_signature: tcbInfoSignature,
    qe_identity_issuer_chain: chain,
    qe_identity: qeIdentity,
    qe_identity_signature: qeIdentitySignature,
  };
}

/** Inner value and signature of a signed document, as text. */
function innerValue(document: Uint8Array | undefined): [string, string] {
  const text = Buffer.from(document ?? []).toString();
  const [, inner, signature] = /^\{"\w+":(.*),"signature":"(\w+)"\}$/s.exec(text) ?? [];
  return [inner ?? "", signature ?? ""];
}
